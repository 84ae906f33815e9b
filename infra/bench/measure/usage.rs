//! Processor time and memory of a process, from /proc.

use std::path::PathBuf;

use anyhow::Context as _;

/// Ticks per second in /proc, fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// Bytes of the kernel's "kB".
const KILOBYTE: u64 = 1024;

/// Processor time of a process in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Spent {
    /// The processor time of process `pid` so far.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        Self::read(&file(pid, "stat")?).context("cannot parse /proc/PID/stat")
    }

    fn read(stat: &str) -> Option<Self> {
        // The name before the last parenthesis may contain anything; user and system are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let user = ticks.next()?.ok()?;
        let system = ticks.next()?.ok()?;
        Some(Self { user: user / TICKS_PER_SECOND, system: system / TICKS_PER_SECOND })
    }
}

/// Peak resident memory of process `pid` in bytes.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    peak(&file(pid, "status")?).context("no VmHWM in /proc/PID/status")
}

fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * KILOBYTE)
}

fn file(pid: u32, name: &str) -> anyhow::Result<String> {
    let path = PathBuf::from(format!("/proc/{pid}/{name}"));
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_parsed_after_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 900 0 0 0 250 50 0 0 20 0 1 0 100 200 300";
        let read = Spent::read(stat).unwrap();
        assert_eq!((read.user, read.system), (2.5, 0.5));
        assert!(Spent::read("garbage").is_none());
    }

    #[test]
    fn peak_memory_is_parsed() {
        assert_eq!(peak("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert!(peak_memory(std::process::id()).unwrap() > 100_000);
    }
}
