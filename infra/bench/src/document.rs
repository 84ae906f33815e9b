//! The reports that publishers send: documents in the library's shape, whose values vary as a real process's do.
//!
//! A document carries its publisher's sequence number as `load.sequence`, so that a subscriber knows which report it
//! was given. Everything is a function of the sequence: a run can be repeated.

use anyhow::Context as _;
use serde_json::{Number, Value};

/// A document as the library sends it, with the place for the sequence number.
const TEMPLATE: &str = include_str!("document.json");

/// Seconds between two reports of the process that the documents describe.
const SECONDS_PER_REPORT: f64 = 1.0;

/// Bytes that the described network interface receives from one report to the next.
const BYTES_PER_REPORT: u64 = 48_611;

/// Bytes in a packet of the described network interface.
const BYTES_PER_PACKET: u64 = 1_213;

/// The documents of one publisher, rendered in place.
#[derive(Debug)]
pub(crate) struct Documents {
    document: Value,
    /// Makes the values of two publishers differ.
    publisher: u64,
}

impl Documents {
    /// The documents of publisher number `publisher`.
    pub(crate) fn new(publisher: usize) -> anyhow::Result<Self> {
        let document = serde_json::from_str(TEMPLATE).context("the embedded document is no JSON")?;
        Ok(Self { document, publisher: publisher as u64 })
    }

    /// The document of report `sequence`.
    pub(crate) fn of(&mut self, sequence: u64) -> &Value {
        let noise = scatter(sequence ^ (self.publisher << 32));
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

/// Spreads neighbouring numbers over 32 bits, by multiplications with large odd numbers.
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^= mixed >> 33;
    mixed.wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_that_varies_is_in_the_template() {
        let mut documents = Documents::new(3).unwrap();
        let (first, second) = (documents.of(1).clone(), documents.of(2).clone());
        for pointer in ["/cpu/usage", "/memory/used", "/process/uptime", "/network/interfaces/eth0/bytesSent"]
        {
            assert_ne!(first.pointer(pointer).unwrap(), second.pointer(pointer).unwrap(), "{pointer}");
        }
        assert_eq!(second.pointer("/load/sequence").unwrap(), 2);
        assert_ne!(&second, Documents::new(4).unwrap().of(2), "two publishers send the same");
    }

    #[test]
    fn document_has_the_size_of_the_librarys() {
        let bytes = Documents::new(9).unwrap().of(100_000).to_string().len();
        assert!((500..800).contains(&bytes), "{bytes} bytes");
    }
}
