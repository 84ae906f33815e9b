//! Which process a connection of the library is (docs/SEMANTICS.md, "Sources").
//!
//! The library sends no name. A report shows when its process started, by the process's own clock and within a few
//! milliseconds. Processes that started together are distinguished by their connections: one process has one at a time.

use crate::ids::{ConnectionId, Source};
use crate::report::Document;
use crate::time::{SECOND_MS, TimestampMs};

/// Largest difference between the starts that two connections of one process show, in milliseconds. A clock that is off by
/// fifty millionths drifts so far in more than the two hours that a connection may last.
pub const MAX_START_DRIFT_MS: i64 = 500;

/// Largest difference that reports of one process usually show, in milliseconds: its clock and uptime are read one after
/// the other.
const START_JITTER_MS: i64 = 20;

/// How long a connection is silent before its process opens another one, in milliseconds: the library reports once a second,
/// and connects again three seconds after the end of a connection.
pub const SILENT_FOR_MS: i64 = 2_500;

/// Most processes whose connections are looked at for one connection, which costs a call each.
pub const MAX_CANDIDATES: usize = 8;

/// How far from its first start a process is found, in milliseconds.
const MAX_TOTAL_DRIFT_MS: i64 = 2 * SECOND_MS;

/// Processes that start in one millisecond and get a name made of it, beside the one with a name of the second.
const MAX_NAMES_OF_INSTANT: usize = 100;

/// Series of a report by which its process is recognised.
const UPTIME: &str = "process.uptime";
const MEMORY: &str = "memory.total";
const CORES: &str = "cpu.cores";

/// What a report shows of the start of its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStart {
    /// The instant, by the clock of the process.
    pub at: TimestampMs,
    /// Memory and cores of its host: the same for every report of a process, with rare exceptions.
    pub host: String,
}

impl ProcessStart {
    /// The start of the process that sent `document` at `sent`, by its own clock; `None` without a usable uptime.
    pub fn of_report(document: &Document, sent: TimestampMs) -> Option<Self> {
        let (mut uptime, mut memory, mut cores) = (None, None, None);
        document.for_each_sample(|path, value| match path {
            UPTIME => uptime = Some(value),
            MEMORY => memory = Some(value),
            CORES => cores = Some(value),
            _ => {}
        });
        let uptime_ms = (uptime? * 1_000.0).round();
        if !(0.0..=sent.ms() as f64).contains(&uptime_ms) {
            return None;
        }
        let host = format!("{}/{}", memory.unwrap_or_default(), cores.unwrap_or_default());
        Some(Self { at: sent.plus_ms(-(uptime_ms as i64)), host })
    }

    /// The names of a process that starts then, in the order in which they are given away: its second, which was the only
    /// one in earlier versions; its millisecond; the same with a number.
    pub fn names(&self) -> impl Iterator<Item = Source> {
        let second = iso(self.at.plus_ms(SECOND_MS / 2), "2026-11-22T13:01:00".len());
        let instant = iso(self.at, "2026-11-22T13:01:00.251".len());
        let numbered = (2..MAX_NAMES_OF_INSTANT).map({
            let instant = instant.clone();
            move |number| format!("started-{instant}Z-{number}")
        });
        let names = [format!("started-{second}Z"), format!("started-{instant}Z")].into_iter().chain(numbered);
        names.filter_map(|name| Source::new(name).ok())
    }

    /// The first name: what the process is called as far as nothing else is known.
    pub fn name(&self) -> Option<Source> {
        self.names().next()
    }

    /// Texts between which every name of a process that may show this start sorts.
    pub fn name_bounds(&self) -> (String, String) {
        let second = |ms| iso(self.at.plus_ms(ms), "2026-11-22T13:01:00".len());
        // `~` sorts after everything that follows the second in a name.
        let (first, last) = (second(-MAX_TOTAL_DRIFT_MS), second(MAX_TOTAL_DRIFT_MS));
        (format!("started-{first}"), format!("started-{last}~"))
    }

    fn off_ms(&self, process: &Process) -> i64 {
        self.at.ms_since(process.start.at).abs()
    }
}

/// The first `length` characters of an instant in ISO 8601.
fn iso(instant: TimestampMs, length: usize) -> String {
    let text = instant.to_string();
    text.get(..length).unwrap_or(&text).to_owned()
}

/// A process that has reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub source: Source,
    /// Its start, as its newest connection showed it.
    pub start: ProcessStart,
    /// Its newest connection.
    pub connection: ConnectionId,
    /// When the first report of that connection arrived.
    pub since: TimestampMs,
}

/// A connection whose process is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// The connection.
    pub connection: ConnectionId,
    /// When it was opened.
    pub opened: TimestampMs,
    /// What its first report shows.
    pub start: ProcessStart,
    /// When that arrived.
    pub arrival: TimestampMs,
}

impl Newcomer {
    /// The process of this name with this as its newest connection.
    pub fn as_process(&self, source: Source) -> Process {
        let Self { connection, start, arrival, .. } = self.clone();
        Process { source, start, connection, since: arrival }
    }

    /// The processes that this may be a new connection of, the likeliest first, at most [`MAX_CANDIDATES`]. A process whose
    /// newest connection reported after this was opened had both at the same time, so that it is another one.
    pub fn candidates(&self, known: Vec<Process>) -> Vec<Process> {
        let start = &self.start;
        let mut candidates: Vec<Process> = known
            .into_iter()
            .filter(|process| start.off_ms(process) <= MAX_START_DRIFT_MS && process.since < self.opened)
            .collect();
        candidates.sort_by_key(|process| {
            let off_ms = start.off_ms(process);
            (process.start.host != start.host, off_ms > START_JITTER_MS, off_ms)
        });
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }

    /// Whether a connection that was last active then has been left by its process: it was silent for so long before this
    /// was opened.
    pub fn follows(&self, last_active: TimestampMs) -> bool {
        self.opened.ms_since(last_active) >= SILENT_FOR_MS
    }
}

#[cfg(test)]
mod tests;
