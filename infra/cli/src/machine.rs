//! This machine's metrics as the document that the library sends.
//!
//! Network counters are totals since the interface came up. `process` is the agent itself, without heap sizes, because it
//! has no garbage-collected heap.

use nsl_domain::ids::{MAX_ID_BYTES, Source};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use sysinfo::{
    Disk, DiskRefreshKind, Disks, Networks, Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System,
};

/// Interfaces in a document at most: a container host has hundreds, but a report may have 512 numbers and 14 KB.
const MAX_INTERFACES: usize = 32;

/// Longest interface name in bytes: it is part of a series name, which may have 256.
const MAX_INTERFACE_NAME: usize = 128;

/// Shortest interval over which CPU usage can be measured.
pub(crate) const MIN_CPU_INTERVAL: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// The metrics at one time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metrics {
    cpu: Cpu,
    memory: Memory,
    process: Process,
    network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskSpace>,
    processes: Processes,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    /// Percent, of all cores together.
    usage: f64,
    cores: usize,
    /// Over 1, 5 and 15 minutes; zeros if the system has none.
    load_average: [f64; 3],
}

/// In bytes. `free` is the available memory, and `used` the rest of `total`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    total: u64,
    used: u64,
    free: u64,
    usage_percent: f64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    /// Seconds since the agent started.
    uptime: f64,
    memory_usage: ProcessMemory,
}

#[derive(Debug, Clone, Serialize)]
struct ProcessMemory {
    /// In bytes.
    rss: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Network {
    interfaces: BTreeMap<String, Counters>,
}

/// Totals since the interface came up.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counters {
    bytes_received: u64,
    bytes_sent: u64,
    packets_received: u64,
    packets_sent: u64,
}

/// In bytes, of the file system at `/`, or of the largest one if there is no `/`.
#[derive(Debug, Clone, Serialize)]
struct DiskSpace {
    used: u64,
    total: u64,
    free: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Processes {
    total: usize,
    running: usize,
    /// In uninterruptible sleep, such as for a disk.
    blocked: usize,
}

/// Reads the machine's metrics repeatedly.
#[derive(Debug)]
pub(crate) struct Machine {
    system: System,
    networks: Networks,
    disks: Disks,
    own_pid: Pid,
    started_at: Instant,
}

impl Machine {
    /// Starts the measurement of CPU usage.
    pub(crate) fn new() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        Ok(Self {
            system,
            networks: Networks::new_with_refreshed_list()?,
            disks: Disks::new()?,
            own_pid: sysinfo::get_current_pid()?,
            started_at: Instant::now(),
        })
    }

    /// The current metrics.
    pub(crate) fn metrics(&mut self) -> Metrics {
        self.refresh();
        Metrics {
            cpu: self.cpu(),
            memory: memory(self.system.total_memory(), self.system.available_memory()),
            process: self.process(),
            network: Network { interfaces: busiest(self.interfaces()) },
            disk: main_disk(self.disks.iter()),
            processes: self.processes(),
        }
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let no_detail = ProcessRefreshKind::nothing().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, no_detail);
        let own = [self.own_pid];
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&own),
            false,
            no_detail.with_memory(),
        );
        self.networks.refresh(true);
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
    }

    fn cpu(&self) -> Cpu {
        let load_average =
            System::load_average().map_or([0.0; 3], |load| [load.one, load.five, load.fifteen]);
        Cpu {
            usage: two_decimals(f64::from(self.system.global_cpu_usage())),
            cores: self.system.cpus().len(),
            load_average,
        }
    }

    fn process(&self) -> Process {
        let rss = self.system.process(self.own_pid).map_or(0, sysinfo::Process::memory);
        Process { uptime: self.started_at.elapsed().as_secs_f64(), memory_usage: ProcessMemory { rss } }
    }

    fn interfaces(&self) -> impl Iterator<Item = (String, Counters)> {
        self.networks.iter().map(|(name, interface)| {
            let counters = Counters {
                bytes_received: interface.total_received(),
                bytes_sent: interface.total_transmitted(),
                packets_received: interface.total_packets_received(),
                packets_sent: interface.total_packets_transmitted(),
            };
            (name.to_string_lossy().into_owned(), counters)
        })
    }

    fn processes(&self) -> Processes {
        let mut counted = Processes { total: 0, running: 0, blocked: 0 };
        for process in self.system.processes().values() {
            counted.total += 1;
            match process.status() {
                ProcessStatus::Run => counted.running += 1,
                // sysinfo maps Linux's state D to either, depending on its version.
                ProcessStatus::UninterruptibleDiskSleep | ProcessStatus::Dead => counted.blocked += 1,
                _ => {}
            }
        }
        counted
    }
}

/// The host name as a source id: other characters are replaced by `-`.
pub(crate) fn source_name() -> String {
    as_source(&System::host_name().unwrap_or_default())
}

fn as_source(host_name: &str) -> String {
    let name: String = host_name
        .chars()
        .take(MAX_ID_BYTES)
        .map(|character| if Source::new(character).is_ok() { character } else { '-' })
        .collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

fn memory(total: u64, available: u64) -> Memory {
    let free = available.min(total);
    let used = total - free;
    let usage_percent = if total == 0 { 0.0 } else { two_decimals(used as f64 / total as f64 * 100.0) };
    Memory { total, used, free, usage_percent }
}

fn main_disk<'a>(disks: impl Iterator<Item = &'a Disk>) -> Option<DiskSpace> {
    let disk = disks.max_by_key(|disk| (disk.mount_point() == Path::new("/"), disk.total_space()))?;
    let total = disk.total_space();
    let free = disk.available_space().min(total);
    (total > 0).then_some(DiskSpace { used: total - free, total, free })
}

/// The interfaces with the most traffic.
fn busiest(interfaces: impl Iterator<Item = (String, Counters)>) -> BTreeMap<String, Counters> {
    let mut all: Vec<(String, Counters)> = interfaces.collect();
    all.sort_by_cached_key(|(name, counters)| {
        (Reverse(counters.bytes_received.saturating_add(counters.bytes_sent)), name.clone())
    });
    all.into_iter()
        .take(MAX_INTERFACES)
        .map(|(mut name, counters)| {
            name.truncate(name.floor_char_boundary(MAX_INTERFACE_NAME));
            (name, counters)
        })
        .collect()
}

/// Percentages are not more precise than hundredths.
fn two_decimals(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
