//! The plan of a read against a store that is kept as the rollup function keeps it.

use proptest::prelude::*;

use super::*;
use crate::history::{HistoryFold, HistoryQuery};
use crate::ids::{AppId, Source};
use crate::rollup::{MinuteBuilder, Retention, due_coarser};
use crate::time::{DAY_MS, HOUR_MS, SECOND_MS};

/// A noon, so that hours and days begin in the middle of what is tested.
const NOON_MS: i64 = 1_795_348_800_000;

fn at(offset_ms: i64) -> TimestampMs {
    TimestampMs::clamped(NOON_MS + offset_ms)
}

fn source() -> Source {
    Source::new("web-1").unwrap()
}

/// Stored reports and rollups, kept up as batches of the stream come in.
#[derive(Default)]
struct Store {
    reports: BTreeSet<TimestampMs>,
    rollups: BTreeMap<RollupSpan, Rollup>,
}

impl Store {
    /// What the rollup function does at `now` for a batch of reports with these stamps.
    fn deliver(&mut self, stamps: &BTreeSet<TimestampMs>, now: TimestampMs) {
        let mut level: BTreeSet<RollupSpan> =
            stamps.iter().map(|stamp| RollupSpan::containing(Resolution::Minute, *stamp)).collect();
        for minute in &level {
            minute.coarser().into_iter().for_each(|above| self.open(above, now));
        }
        while !level.is_empty() {
            for span in &level {
                self.compute(*span, now);
            }
            level = due_coarser(&level, now);
        }
    }

    /// Before anything below a span is stored, the span itself is, and the one before it is finished.
    fn open(&mut self, span: RollupSpan, now: TimestampMs) {
        if self.rollups.contains_key(&span) {
            return;
        }
        span.coarser().into_iter().for_each(|above| self.open(above, now));
        let before =
            self.rollups.keys().rfind(|before| before.resolution() == span.resolution() && **before < span);
        if let Some(before) = before.copied().filter(|before| before.is_settled(now)) {
            self.compute(before, now);
        }
        self.rollups.insert(span, Rollup::empty(span));
    }

    fn compute(&mut self, span: RollupSpan, now: TimestampMs) {
        let rollup = match span.finer() {
            None => self.minute(span),
            Some(finer) => {
                // A span that is over is finished by whoever finds it unfinished, as the function does.
                let below: Vec<RollupSpan> = self
                    .rollups
                    .keys()
                    .filter(|below| below.resolution() == finer && span.contains(below.start()))
                    .copied()
                    .collect();
                for below in &below {
                    if below.is_settled(now) && !self.rollups[below].is_complete() {
                        self.compute(*below, now);
                    }
                }
                let below: Vec<Rollup> = below.iter().map(|below| self.rollups[below].clone()).collect();
                Rollup::from_finer(span, &below, now).unwrap()
            }
        };
        self.rollups.insert(span, rollup);
    }

    fn minute(&self, span: RollupSpan) -> Rollup {
        let mut fold = MinuteBuilder::new(span);
        for stamp in self.reports.range(span.start()..span.end()) {
            fold.add(*stamp, &source(), 0, "{\"a\":1}").unwrap();
        }
        fold.finish()
    }

    fn between(&self, wanted: &ReadRequest) -> Vec<Rollup> {
        let is_wanted = |span: &RollupSpan| {
            span.resolution() == wanted.resolution && (wanted.from..wanted.to).contains(&span.start())
        };
        self.rollups.iter().filter(|(span, _)| is_wanted(span)).map(|(_, rollup)| rollup.clone()).collect()
    }
}

/// The read of a query, and how many questions were asked.
fn read(store: &Store, query: &HistoryQuery, now: TimestampMs) -> (ReadPlan, usize) {
    let mut plan = ReadPlan::new(query.span.window, now);
    let mut asked = 0;
    loop {
        let wanted = plan.wanted();
        if wanted.is_empty() {
            break;
        }
        asked += wanted.len();
        for one in wanted {
            plan.take(store.between(&one));
        }
    }
    (plan, asked)
}

/// Where the answer of a query ends because something is missing.
fn ends_at(store: &Store, range: &str, now: TimestampMs) -> Option<TimestampMs> {
    let (plan, _) = read(store, &query(range, now), now);
    let TimeSpan { from, to } = plan.tail().unwrap();
    plan.ends_at(Some(store.reports.range(from..to).copied()))
}

/// The counts of every point, and how many questions were asked.
fn answered(store: &Store, query: &HistoryQuery, now: TimestampMs) -> (Vec<u64>, usize) {
    let (plan, asked) = read(store, query, now);
    let mut fold = HistoryFold::new(AppId::new("shop").unwrap(), query.clone());
    plan.counted().for_each(|rollup| fold.add_rollup(rollup));
    if let Some(TimeSpan { from, to }) = plan.tail() {
        for stamp in store.reports.range(from..to) {
            fold.add(*stamp, &source(), 0, "{\"a\":1}").unwrap();
        }
    }
    let answer = fold.finish(now).unwrap();
    let counts = |column: &crate::history::Column| {
        column.values.iter().map(|value| value.as_ref().map_or(0, |number| number.0 as u64)).collect()
    };
    let points = query.span.window.points();
    (answer.series.get("a").map_or(vec![0; points], |series| counts(&series.columns[0])), asked)
}

fn query(range: &str, now: TimestampMs) -> HistoryQuery {
    let parameter = |name: &str| match name {
        "timeRange" => Some(range.to_owned()),
        "agg" => Some("count".to_owned()),
        _ => None,
    };
    let (range, count) = (parameter("timeRange").unwrap(), parameter("agg").unwrap());
    HistoryQuery::read(
        |name| match name {
            "timeRange" => Some(range.as_str()),
            "agg" => Some(count.as_str()),
            _ => None,
        },
        &Retention::default(),
        now,
    )
    .unwrap()
}

fn naive(store: &Store, query: &HistoryQuery) -> Vec<u64> {
    let window = query.span.window;
    let mut counts = vec![0; window.points()];
    for stamp in &store.reports {
        if let Some(point) = window.index_of(*stamp) {
            counts[point] += 1;
        }
    }
    counts
}

/// Reports at `stamps`, each delivered in the batch of its minute, a minute or so later.
fn lived_through(stamps: &BTreeSet<TimestampMs>, lag_ms: i64, now: TimestampMs) -> Store {
    let mut store = Store::default();
    let mut batches: BTreeMap<TimestampMs, BTreeSet<TimestampMs>> = BTreeMap::new();
    for stamp in stamps.iter().filter(|stamp| **stamp <= now) {
        let delivered = stamp.aligned_to(MINUTE_MS).plus_ms(MINUTE_MS + lag_ms);
        batches.entry(delivered).or_default().insert(*stamp);
        store.reports.insert(*stamp);
    }
    for (delivered, batch) in batches.range(..=now) {
        store.deliver(batch, *delivered);
    }
    store
}

#[test]
fn a_steady_application_costs_four_questions_a_week_at_most() {
    let stamps: BTreeSet<TimestampMs> = (0..8 * 24 * 12).map(|tick| at(tick * 5 * MINUTE_MS + 7)).collect();
    for offset_ms in [0, 3 * MINUTE_MS, 31 * MINUTE_MS + 5, 59 * MINUTE_MS] {
        let now = at(7 * DAY_MS + offset_ms);
        let store = lived_through(&stamps, 3 * SECOND_MS, now);
        let query = query("week", now);
        let (counts, asked) = answered(&store, &query, now);
        assert_eq!(counts, naive(&store, &query), "{offset_ms}");
        assert!(asked <= 5, "{asked} questions at {offset_ms}");
    }
}

#[test]
fn an_application_that_fell_silent_is_answered_whole() {
    let stamps: BTreeSet<TimestampMs> = (0..75).map(|minute| at(minute * MINUTE_MS + 7)).collect();
    for silent_ms in [5 * MINUTE_MS, HOUR_MS, 26 * HOUR_MS, 5 * DAY_MS] {
        let now = at(75 * MINUTE_MS + silent_ms);
        let store = lived_through(&stamps, 3 * SECOND_MS, now);
        let query = query("week", now);
        let (counts, asked) = answered(&store, &query, now);
        assert_eq!(counts.iter().sum::<u64>(), 75, "{silent_ms}");
        assert!(asked <= 5, "{asked} questions after {silent_ms}");
    }
}

#[test]
fn a_report_stored_after_its_next_minute_was_computed_is_there_at_once() {
    for late_ms in (0..=MIN_TAIL_MS).step_by(10_000) {
        let now = at(5 * MINUTE_MS + 30 * SECOND_MS);
        let mut store = Store::default();
        store.reports.insert(at(5 * MINUTE_MS));
        store.deliver(&BTreeSet::from([at(5 * MINUTE_MS)]), now);
        store.reports.insert(now.plus_ms(-late_ms));
        let query = query("hour", now);
        assert_eq!(answered(&store, &query, now).0, naive(&store, &query), "{late_ms}");
    }
}

#[test]
fn a_report_stored_after_its_hour_was_computed_is_there_at_once() {
    for late_ms in (0..=MIN_TAIL_MS).step_by(10_000) {
        for range in ["hour", "day", "week"] {
            // The first of the hour, the first of the next ten minutes, the first of the next hour.
            let stamps = [2 * MINUTE_MS, 52 * MINUTE_MS, 59 * MINUTE_MS + 1, HOUR_MS + SECOND_MS];
            let now = at(HOUR_MS + 65 * SECOND_MS);
            let mut store = lived_through(&stamps.map(at).into(), 3 * SECOND_MS, now);
            assert!(store.rollups[&RollupSpan::containing(Resolution::Hour, at(0))].is_complete());
            store.reports.insert(now.plus_ms(-late_ms));
            let query = query(range, now);
            assert_eq!(answered(&store, &query, now).0, naive(&store, &query), "{range} {late_ms}");
        }
    }
}

#[test]
fn an_answer_ends_where_rollups_lag_behind_an_app_that_goes_on_reporting() {
    let stamps: BTreeSet<TimestampMs> = (0..4 * 60).map(|tick| at(tick * 30 * SECOND_MS)).collect();
    // Nothing is rolled up from half past twelve on.
    let stopped = at(30 * MINUTE_MS);
    let mut store = lived_through(&stamps, 3 * SECOND_MS, stopped);
    store.reports = stamps;
    let known_to = stopped.plus_ms(-MINUTE_MS);
    for range in ["hour", "day", "week"] {
        for lag_ms in (0..40 * MINUTE_MS).step_by(17_000) {
            let now = stopped.plus_ms(lag_ms);
            let (counts, naive) =
                (answered(&store, &query(range, now), now).0, naive(&store, &query(range, now)));
            let end = ends_at(&store, range, now);
            assert_eq!(
                end.is_some(),
                counts.iter().sum::<u64>() < naive.iter().sum::<u64>(),
                "{range} {lag_ms}"
            );
            assert!(end.is_none_or(|end| end == known_to), "{range} {lag_ms}: {end:?}");
        }
    }
}

#[test]
fn an_app_that_was_silent_or_is_rolled_up_in_time_misses_nothing() {
    let minutes = |minutes: std::ops::Range<i64>| minutes.map(|minute| at(minute * MINUTE_MS + 7));
    // Silent for long, back for a while, and silent again.
    let stamps: BTreeSet<TimestampMs> = minutes(0..20).chain(minutes(70..100)).collect();
    for lag_ms in [3 * SECOND_MS, 70 * SECOND_MS] {
        for now_ms in (0..3 * HOUR_MS).step_by(13_000) {
            let now = at(now_ms);
            let store = lived_through(&stamps, lag_ms, now);
            assert_eq!(ends_at(&store, "day", now), None, "{now_ms}");
        }
    }
}

#[test]
fn an_answer_without_its_tail_ends_where_the_rollups_do() {
    let none: Option<[TimestampMs; 0]> = None;
    let stamps: BTreeSet<TimestampMs> = (0..30).map(|minute| at(minute * MINUTE_MS)).collect();
    let store = lived_through(&stamps, 3 * SECOND_MS, at(30 * MINUTE_MS));
    let end = |now: TimestampMs| read(&store, &query("hour", now), now).0.ends_at(none);
    // Rolled up until a minute ago, the last two minutes are read again.
    assert_eq!(end(at(30 * MINUTE_MS)), Some(at(28 * MINUTE_MS)));
    assert_eq!(end(at(50 * MINUTE_MS)), Some(at(29 * MINUTE_MS)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_report_counts_once_whatever_the_gaps(
        seconds in prop::collection::btree_set(0..(26 * 3_600_i64), 1..400),
        lag_s in 3..110_i64,
        now_s in 0..(30 * 3_600_i64),
        range in prop::sample::select(vec!["hour", "day", "week"]),
    ) {
        let stamps: BTreeSet<TimestampMs> = seconds.iter().map(|second| at(second * SECOND_MS)).collect();
        let now = at(now_s * SECOND_MS);
        let store = lived_through(&stamps, lag_s * SECOND_MS, now);
        let query = query(range, now);
        let (counts, asked) = answered(&store, &query, now);
        prop_assert_eq!(counts, naive(&store, &query));
        prop_assert!(asked <= 5);
    }
}
