//! Names, candidates, and random stories of processes against what is known of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW: TimestampMs = TimestampMs::EXAMPLE;

fn start(ms: i64) -> ProcessStart {
    ProcessStart { at: NOW.plus_ms(ms), host: "16/2".into() }
}

fn process(name: &str, started_ms: i64, since_ms: i64) -> Process {
    Process {
        source: Source::new(name).unwrap(),
        start: start(started_ms),
        connection: ConnectionId::new(format!("{name}=")),
        since: NOW.plus_ms(since_ms),
    }
}

fn newcomer(started_ms: i64, opened_ms: i64) -> Newcomer {
    let connection = ConnectionId::new("new=");
    let opened = NOW.plus_ms(opened_ms);
    Newcomer { connection, opened, start: start(started_ms), arrival: opened.plus_ms(1_000) }
}

fn names(processes: &[Process]) -> Vec<&str> {
    processes.iter().map(|process| process.source.as_str()).collect()
}

#[test]
fn process_is_named_by_its_second_then_by_its_millisecond() {
    let at = TimestampMs::from_iso("2026-11-22T13:01:00.251Z").unwrap();
    let start = ProcessStart { at, host: String::new() };
    let names: Vec<String> = start.names().map(String::from).collect();
    let expected = [
        "started-2026-11-22T13:01:00Z",
        "started-2026-11-22T13:01:00.251Z",
        "started-2026-11-22T13:01:00.251Z-2",
        "started-2026-11-22T13:01:00.251Z-3",
    ];
    assert_eq!(names[..4], expected);
    let (first, last) = start.name_bounds();
    assert!(names.iter().all(|name| (first.as_str()..last.as_str()).contains(&name.as_str())));
    let later = ProcessStart { at: at.plus_ms(500), host: String::new() };
    assert_eq!(later.name().unwrap().as_str(), "started-2026-11-22T13:01:01Z", "rounded");
}

#[test]
fn every_name_within_the_drift_lies_in_the_bounds() {
    for at_ms in [0, 499, 500, 501, 999] {
        for off_ms in [-1_499, -1_000, 0, 1_000, 1_499] {
            let (first, last) = start(at_ms).name_bounds();
            for name in start(at_ms + off_ms).names().take(3) {
                assert!((first.as_str()..last.as_str()).contains(&name.as_str()), "{first} {name} {last}");
            }
        }
    }
}

#[test]
fn likeliest_process_is_the_nearest_of_the_same_host() {
    let mut other_host = process("other-host", 0, 0);
    other_host.start.host = "32/8".into();
    let known = vec![
        other_host,
        process("far", 300, 0),
        process("near", 5, 0),
        process("too-far", 501, 0),
        process("next", -15, 0),
    ];
    let found = newcomer(0, 10_000).candidates(known);
    assert_eq!(names(&found), ["near", "next", "far", "other-host"]);
}

#[test]
fn process_with_a_newer_report_than_the_connection_is_another() {
    for (since_ms, is_candidate) in [(9_999, true), (10_000, false), (10_001, false)] {
        let found = newcomer(0, 10_000).candidates(vec![process("one", 0, since_ms)]);
        assert_eq!(!found.is_empty(), is_candidate, "{since_ms}");
    }
}

#[test]
fn silent_connection_is_followed() {
    for (active_ms, follows) in
        [(10_000 - SILENT_FOR_MS, true), (10_001 - SILENT_FOR_MS, false), (20_000, false)]
    {
        assert_eq!(newcomer(0, 10_000).follows(NOW.plus_ms(active_ms)), follows);
    }
}

/// What a story does to one process.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Its connection ends, and it opens another after three seconds.
    Reconnect,
    /// The same while API Gateway does not notice the end of the first.
    LeaveHalfOpen,
    /// Its clock drifts by so many milliseconds.
    Drift(i64),
}

/// One process as it is.
#[derive(Debug, Clone)]
struct Real {
    started_ms: i64,
    host: usize,
    /// Its connection, and when that was opened and last active.
    connection: Option<usize>,
}

/// The service's view and the connections of a story.
#[derive(Debug, Default)]
struct Story {
    registry: BTreeMap<Source, Process>,
    /// Of each connection: whether API Gateway has it, and when it was last active.
    connections: Vec<(bool, i64)>,
    now_ms: i64,
}

impl Story {
    /// Opens a connection at the present.
    fn open(&mut self) -> usize {
        self.connections.push((true, self.now_ms));
        self.connections.len() - 1
    }

    /// The source that the first report of `connection`, opened at `opened_ms`, gets.
    fn identify(&mut self, connection: usize, opened_ms: i64, shown: ProcessStart) -> Source {
        self.connections[connection].1 = self.now_ms;
        let newcomer = Newcomer {
            connection: ConnectionId::new(connection.to_string()),
            opened: NOW.plus_ms(opened_ms),
            start: shown,
            arrival: NOW.plus_ms(self.now_ms),
        };
        let (first, last) = newcomer.start.name_bounds();
        let found = self
            .registry
            .values()
            .filter(|one| (first.as_str()..last.as_str()).contains(&one.source.as_str()));
        let is_left = |process: &Process| {
            let (is_open, active_ms) =
                self.connections[process.connection.as_str().parse::<usize>().unwrap()];
            !is_open || newcomer.follows(NOW.plus_ms(active_ms))
        };
        let candidates = newcomer.candidates(found.cloned().collect());
        let source = candidates.into_iter().find(is_left).map_or_else(
            || newcomer.start.names().find(|name| !self.registry.contains_key(name)).unwrap(),
            |process| process.source,
        );
        self.registry.insert(source.clone(), newcomer.as_process(source.clone()));
        source
    }

    /// Every open connection of a live process reports.
    fn report(&mut self, real: &[Real]) {
        for connection in real.iter().filter_map(|process| process.connection) {
            self.connections[connection].1 = self.now_ms;
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        3 => Just(Step::Reconnect),
        2 => Just(Step::LeaveHalfOpen),
        1 => (-40..40_i64).prop_map(Step::Drift),
    ];
    proptest::collection::vec((0..6_usize, step), 0..24)
}

/// Runs a story of processes whose starts are `apart_ms` from each other; returns all sources that each had.
fn run(gaps: &[i64], steps: &[(usize, Step)], jitters: &[i64], all_at_once: bool) -> Vec<Vec<Source>> {
    let mut story = Story { now_ms: 100_000, ..Story::default() };
    let mut jitters = jitters.iter().copied().cycle();
    let mut started_ms = 0;
    let mut real: Vec<Real> = Vec::new();
    for (index, gap_ms) in gaps.iter().enumerate() {
        started_ms += gap_ms;
        real.push(Real { started_ms, host: index % 2, connection: None });
    }
    let mut had: Vec<Vec<Source>> = vec![Vec::new(); real.len()];
    let shown = |process: &Real, jitter_ms: i64| ProcessStart {
        at: NOW.plus_ms(process.started_ms + jitter_ms),
        host: format!("{}/2", process.host),
    };
    // All connect before any reports, as the workers of a cluster do.
    let opened_ms = story.now_ms;
    for process in &mut real {
        process.connection = Some(story.open());
    }
    story.now_ms += 1_000;
    for (process, had) in real.iter().zip(&mut had) {
        let jitter_ms = jitters.next().unwrap();
        had.push(story.identify(process.connection.unwrap(), opened_ms, shown(process, jitter_ms)));
    }
    let count = real.len();
    for (index, step) in steps {
        let affected = if all_at_once { 0..count } else { index % count..index % count + 1 };
        story.now_ms += 60_000;
        story.report(&real);
        for process in affected.clone() {
            match step {
                Step::Drift(ms) => real[process].started_ms += ms,
                Step::Reconnect | Step::LeaveHalfOpen => {
                    let left = real[process].connection.take().unwrap();
                    story.connections[left].0 = matches!(step, Step::LeaveHalfOpen);
                }
            }
        }
        for _ in 0..3 {
            story.now_ms += 1_000;
            story.report(&real);
        }
        let opened_ms = story.now_ms;
        for process in
            affected.clone().filter(|process| real[*process].connection.is_none()).collect::<Vec<_>>()
        {
            real[process].connection = Some(story.open());
            story.now_ms += 1;
            let (connection, jitter_ms) = (real[process].connection.unwrap(), jitters.next().unwrap());
            had[process].push(story.identify(connection, opened_ms, shown(&real[process], jitter_ms)));
        }
        let mut current: Vec<&Source> = had.iter().map(|sources| sources.last().unwrap()).collect();
        current.sort();
        current.dedup();
        assert_eq!(current.len(), count, "no two connected processes share a source: {had:?}");
    }
    had
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn connected_processes_never_share_a_source(
        gaps in proptest::collection::vec(0..30_i64, 1..6),
        steps in steps(),
        jitters in proptest::collection::vec(-10..=10_i64, 8),
        all_at_once in any::<bool>(),
    ) {
        run(&gaps, &steps, &jitters, all_at_once);
    }

    #[test]
    fn lone_reconnecting_process_keeps_its_source(
        gaps in proptest::collection::vec(0..30_i64, 1..6),
        which in 0..6_usize,
        times in 1..8_usize,
        jitters in proptest::collection::vec(-10..=10_i64, 8),
    ) {
        let steps = vec![(which, Step::Reconnect); times];
        for sources in run(&gaps, &steps, &jitters, false) {
            prop_assert!(sources.iter().all(|source| *source == sources[0]), "{sources:?}");
        }
    }

    #[test]
    fn processes_apart_by_more_than_the_jitter_keep_their_sources(
        gaps in proptest::collection::vec(21..400_i64, 1..6),
        steps in steps(),
        jitters in proptest::collection::vec(-5..=5_i64, 8),
        all_at_once in any::<bool>(),
    ) {
        let steps: Vec<_> = steps.into_iter().filter(|(_, step)| !matches!(step, Step::Drift(_))).collect();
        for sources in run(&gaps, &steps, &jitters, all_at_once) {
            prop_assert!(sources.iter().all(|source| *source == sources[0]), "{sources:?}");
        }
    }

    #[test]
    fn drifting_clock_of_a_lone_process_keeps_its_source(
        drifts in proptest::collection::vec(0..400_i64, 1..4), is_ahead in any::<bool>()
    ) {
        let sign = if is_ahead { 1 } else { -1 };
        let steps: Vec<_> =
            drifts.iter().flat_map(|ms| [(0, Step::Drift(sign * ms)), (0, Step::Reconnect)]).collect();
        let had = run(&[0], &steps, &[0], false);
        prop_assert!(had[0].iter().all(|source| *source == had[0][0]), "{had:?}");
    }
}
