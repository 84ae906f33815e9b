//! Generated metrics documents in the library's shape, with values that vary like those of a real process.
//!
//! A document contains its sequence number as `load.sequence`, so that subscribers can identify it. It depends on nothing
//! but the publisher and the sequence number, so a run can be repeated.

use serde_json::{Number, Value};

/// A document that the library sent, with a field for the sequence number.
const TEMPLATE: &str = include_str!("document.json");

/// Seconds between two reports.
const SECONDS_PER_REPORT: f64 = 1.0;

/// Bytes that the network interface receives between two reports.
const BYTES_PER_REPORT: u64 = 48_611;

/// Bytes per network packet.
const BYTES_PER_PACKET: u64 = 1_213;

/// The documents of one publisher.
#[derive(Debug)]
pub struct Documents {
    document: Value,
    publisher: u64,
}

impl Documents {
    /// The documents of publisher number `publisher`, whose values differ from those of others.
    ///
    /// # Errors
    /// If the embedded template is not JSON.
    pub fn new(publisher: usize) -> serde_json::Result<Self> {
        let document = serde_json::from_str(TEMPLATE)?;
        Ok(Self { document, publisher: publisher as u64 })
    }

    /// The document of report number `sequence`.
    pub fn of(&mut self, sequence: u64) -> &Value {
        let noise = u64::from(fastrand::Rng::with_seed(sequence ^ (self.publisher << 32)).u32(..));
        let used = 600_000_000 + noise % 200_000_000;
        let total = 25_274_793_984_u64;
        let received = sequence * BYTES_PER_REPORT + noise % BYTES_PER_PACKET;
        self.set("/cpu/usage", real((noise % 10_000) as f64 / 100.0 + 0.001_234_567_8));
        self.set("/cpu/loadAverage/0", real((noise >> 20) as f64 % 400.0 / 100.0));
        self.set("/memory/used", used.into());
        self.set("/memory/free", (total - used).into());
        self.set("/memory/usagePercent", real(used as f64 / total as f64 * 100.0));
        self.set("/process/uptime", real(sequence as f64 * SECONDS_PER_REPORT + 1.135_642_182));
        self.set("/process/memoryUsage/rss", (55_000_000 + noise % 4_000_000).into());
        self.set("/process/memoryUsage/heapUsed", (6_000_000 + noise % 3_000_000).into());
        self.set("/network/interfaces/eth0/bytesReceived", received.into());
        self.set("/network/interfaces/eth0/bytesSent", (received / 7).into());
        self.set("/network/interfaces/eth0/packetsReceived", (received / BYTES_PER_PACKET).into());
        self.set("/network/interfaces/eth0/packetsSent", (received / BYTES_PER_PACKET / 3).into());
        self.set("/load/sequence", sequence.into());
        &self.document
    }

    fn set(&mut self, pointer: &str, value: Value) {
        if let Some(place) = self.document.pointer_mut(pointer) {
            *place = value;
        }
    }
}

fn real(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_vary_by_sequence_and_publisher() {
        let mut documents = Documents::new(3).unwrap();
        let (first, second) = (documents.of(1).clone(), documents.of(2).clone());
        for pointer in ["/cpu/usage", "/memory/used", "/process/uptime", "/network/interfaces/eth0/bytesSent"]
        {
            assert_ne!(first.pointer(pointer).unwrap(), second.pointer(pointer).unwrap(), "{pointer}");
        }
        assert_eq!(second.pointer("/load/sequence").unwrap(), 2);
        assert_ne!(&second, Documents::new(4).unwrap().of(2), "publishers differ");
    }

    #[test]
    fn document_has_the_size_of_a_real_one() {
        let bytes = Documents::new(9).unwrap().of(100_000).to_string().len();
        assert!((500..800).contains(&bytes), "{bytes} bytes");
    }
}
