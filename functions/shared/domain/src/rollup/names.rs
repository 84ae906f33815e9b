//! Codes of series names: parts shared with the previous name, then words of a list or text.

use super::bits::{BitReader, BitWriter};
use super::decode_error::DecodeError;
use crate::series::MAX_NAME_BYTES;

const WORD_WIDTH: u32 = 6;
const SHARED_ORDER: u32 = 1;
const OWN_ORDER: u32 = 0;
const LENGTH_ORDER: u32 = 3;

/// Words of the library's documents and of usual interfaces. The code of a word is its index, so the list must not
/// change within a version of the encoding.
const WORDS: [&str; 56] = [
    "cpu",
    "usage",
    "system",
    "user",
    "cores",
    "loadAverage",
    "0",
    "1",
    "2",
    "memory",
    "used",
    "total",
    "free",
    "usagePercent",
    "disk",
    "process",
    "uptime",
    "memoryUsage",
    "rss",
    "heapTotal",
    "heapUsed",
    "external",
    "arrayBuffers",
    "network",
    "interfaces",
    "bytesReceived",
    "bytesSent",
    "packetsReceived",
    "packetsSent",
    "processes",
    "running",
    "blocked",
    "activeConnections",
    "messageRate",
    "errorRate",
    "lo",
    "eth0",
    "eth1",
    "wlan0",
    "Wi-Fi",
    "Ethernet",
    "Loopback Pseudo-Interface 1",
    "docker0",
    "en0",
    "lo0",
    "count",
    "rate",
    "latency",
    "duration",
    "errors",
    "requests",
    "queue",
    "size",
    "read",
    "write",
    "idle",
];

/// Writes `name`; `previous` is the name written before it, empty for the first.
pub(super) fn write(bits: &mut BitWriter, name: &str, previous: &str) {
    let shared = shared_parts(name, previous);
    bits.golomb(shared as u64, SHARED_ORDER);
    let own: Vec<&str> = name.split('.').skip(shared).collect();
    bits.golomb(own.len() as u64, OWN_ORDER);
    for part in own {
        match WORDS.iter().position(|word| *word == part) {
            Some(index) => {
                bits.flag(true);
                bits.put(index as u64, WORD_WIDTH);
            }
            None => {
                bits.flag(false);
                write_text(bits, part);
            }
        }
    }
}

/// How many parts both begin with. The first name shares none, not even an empty part.
fn shared_parts(name: &str, previous: &str) -> usize {
    if previous.is_empty() {
        return 0;
    }
    name.split('.').zip(previous.split('.')).take_while(|(left, right)| left == right).count()
}

/// Reads what [`write`] wrote.
pub(super) fn read(bits: &mut BitReader<'_>, previous: &str) -> Result<String, DecodeError> {
    let shared = bits.golomb(SHARED_ORDER)?;
    let own = bits.length(OWN_ORDER)?;
    let shared = usize::try_from(shared).unwrap_or(usize::MAX);
    if shared > 0 && (previous.is_empty() || previous.split('.').count() < shared) {
        return Err(DecodeError::Corrupt("a name shares more parts than the previous one has"));
    }
    if shared + own == 0 {
        return Err(DecodeError::Corrupt("a name has no parts"));
    }
    let from_previous = previous.split('.').take(shared).map(|part| Ok(part.to_owned()));
    let parts: Vec<String> =
        from_previous.chain((0..own).map(|_| read_part(bits))).collect::<Result<_, DecodeError>>()?;
    let name = parts.join(".");
    if name.len() > MAX_NAME_BYTES {
        return Err(DecodeError::Corrupt("a name is too long"));
    }
    Ok(name)
}

fn read_part(bits: &mut BitReader<'_>) -> Result<String, DecodeError> {
    if bits.flag()? {
        let index = usize::try_from(bits.take(WORD_WIDTH)?).unwrap_or(usize::MAX);
        let word = WORDS.get(index).ok_or(DecodeError::Corrupt("a word is not in the list"))?;
        return Ok((*word).to_owned());
    }
    read_text(bits)
}

/// Writes any text.
pub(super) fn write_text(bits: &mut BitWriter, text: &str) {
    bits.golomb(text.len() as u64, LENGTH_ORDER);
    text.bytes().for_each(|byte| bits.put(u64::from(byte), u8::BITS));
}

/// Reads what [`write_text`] wrote.
pub(super) fn read_text(bits: &mut BitReader<'_>) -> Result<String, DecodeError> {
    let length = bits.length(LENGTH_ORDER)?;
    let bytes: Vec<u8> = (0..length)
        .map(|_| Ok(u8::try_from(bits.take(u8::BITS)?).unwrap_or_default()))
        .collect::<Result<_, DecodeError>>()?;
    String::from_utf8(bytes).map_err(|_| DecodeError::Corrupt("a name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(names: &[String]) -> (usize, Vec<String>) {
        let mut bits = BitWriter::default();
        let mut previous = "";
        for name in names {
            write(&mut bits, name, previous);
            previous = name;
        }
        let bytes = bits.finish();
        let mut reader = BitReader::new(&bytes);
        let mut read_back: Vec<String> = Vec::new();
        for _ in names {
            let previous = read_back.last().map_or("", String::as_str);
            let name = read(&mut reader, previous).unwrap();
            read_back.push(name);
        }
        (bytes.len(), read_back)
    }

    #[test]
    fn names_of_the_library_take_two_and_a_half_bytes() {
        let names = [
            "cpu.cores",
            "cpu.loadAverage.0",
            "cpu.loadAverage.1",
            "cpu.usage",
            "memory.free",
            "memory.total",
            "network.interfaces.eth0.bytesReceived",
            "network.interfaces.eth0.bytesSent",
            "process.uptime",
        ]
        .map(str::to_owned);
        assert!(round_trip(&names).0 <= 5 * names.len() / 2);
    }

    #[test]
    fn every_word_has_a_code() {
        assert!(WORDS.len() <= 1 << WORD_WIDTH);
    }

    proptest! {
        #[test]
        fn any_names_are_read_back(names in prop::collection::vec("([a-z.é]|cpu|usage|\\.){0,12}", 0..12)) {
            prop_assert_eq!(round_trip(&names).1, names);
        }
    }
}
