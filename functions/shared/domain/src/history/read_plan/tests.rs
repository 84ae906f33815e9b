//! Read plans against a store that is maintained as the rollup function does.

use proptest::prelude::*;

use super::*;
use crate::history::{Aggregate, HistoryFold, HistoryQuery};
use crate::ids::{AppId, Source};
use crate::rollup::{MinuteBuilder, Retention, due_coarser};
use crate::time::{DAY_MS, HOUR_MS, SECOND_MS};

/// A noon, so that hours and days begin within the tested spans.
const NOON_MS: i64 = 1_795_348_800_000;
const DOCUMENT: &str = "{\"a\":1}";

fn at(offset_ms: i64) -> TimestampMs {
    TimestampMs::clamped(NOON_MS + offset_ms)
}

fn source() -> Source {
    Source::new("web-1").unwrap()
}

/// Stored reports, by timestamp, and rollups.
#[derive(Default)]
struct Store {
    reports: BTreeSet<TimestampMs>,
    rollups: BTreeMap<RollupSpan, Rollup>,
}

impl Store {
    /// Reports at `timestamps` up to `now`, each rolled up in the batch of its minute, `lag_ms` after its end.
    fn with_reports(timestamps: &BTreeSet<TimestampMs>, lag_ms: i64, now: TimestampMs) -> Self {
        let mut batches: BTreeMap<TimestampMs, BTreeSet<TimestampMs>> = BTreeMap::new();
        for timestamp in timestamps.range(..=now) {
            let delivered = timestamp.aligned_to(MINUTE_MS).plus_ms(MINUTE_MS + lag_ms);
            batches.entry(delivered).or_default().insert(*timestamp);
        }
        let mut store = Self { reports: batches.values().flatten().copied().collect(), ..Self::default() };
        for (delivered, batch) in batches.range(..=now) {
            store.roll_up(batch, *delivered);
        }
        store
    }

    /// What the rollup function does at `now` for a batch of reports.
    fn roll_up(&mut self, batch: &BTreeSet<TimestampMs>, now: TimestampMs) {
        let minute = |timestamp: &TimestampMs| RollupSpan::containing(Resolution::Minute, *timestamp);
        let mut spans: BTreeSet<RollupSpan> = batch.iter().map(minute).collect();
        for minute in &spans {
            minute.coarser().into_iter().for_each(|coarser| self.open(coarser, now));
        }
        while !spans.is_empty() {
            spans.iter().for_each(|span| self.compute(*span, now));
            spans = due_coarser(&spans, now);
        }
    }

    /// Before anything finer is stored, an empty rollup of `span` is, and the one before it is completed.
    fn open(&mut self, span: RollupSpan, now: TimestampMs) {
        if self.rollups.contains_key(&span) {
            return;
        }
        span.coarser().into_iter().for_each(|coarser| self.open(coarser, now));
        let is_before = |other: &&RollupSpan| other.resolution() == span.resolution() && **other < span;
        let before = self.rollups.keys().rfind(is_before).copied();
        before
            .filter(|before| before.is_settled(now))
            .into_iter()
            .for_each(|before| self.compute(before, now));
        self.rollups.insert(span, Rollup::empty(span));
    }

    fn compute(&mut self, span: RollupSpan, now: TimestampMs) {
        let Some(resolution) = span.finer() else {
            let mut builder = MinuteBuilder::new(span);
            for timestamp in self.reports.range(span.start()..span.end()) {
                builder.add(*timestamp, &source(), 0, DOCUMENT).unwrap();
            }
            self.rollups.insert(span, builder.finish());
            return;
        };
        let is_below = |other: &&RollupSpan| other.resolution() == resolution && span.contains(other.start());
        let below: Vec<RollupSpan> = self.rollups.keys().filter(is_below).copied().collect();
        for below in &below {
            if below.is_settled(now) && !self.rollups[below].is_complete() {
                self.compute(*below, now);
            }
        }
        let below: Vec<Rollup> = below.iter().map(|below| self.rollups[below].clone()).collect();
        self.rollups.insert(span, Rollup::from_finer(span, &below, now).unwrap());
    }

    fn matching(&self, request: &ReadRequest) -> Vec<Rollup> {
        let matches = |rollup: &&Rollup| {
            let span = rollup.span();
            span.resolution() == request.resolution && request.starts.contains(span.start())
        };
        self.rollups.values().filter(matches).cloned().collect()
    }

    fn read(&self, range: &str, now: TimestampMs) -> Read {
        let parameter = |name: &str| match name {
            "timeRange" => vec![range],
            "agg" => vec!["count"],
            _ => Vec::new(),
        };
        let query = HistoryQuery::read(parameter, &Retention::default(), now).unwrap();
        let window = query.span.window;
        let (mut plan, mut queries) = (ReadPlan::new(window, now), 0);
        loop {
            let requests = plan.next_requests();
            if requests.is_empty() {
                break;
            }
            queries += requests.len();
            requests.iter().for_each(|request| plan.add(self.matching(request)));
        }
        let tail: Vec<TimestampMs> =
            plan.tail().map_or(Vec::new(), |tail| self.reports.range(tail.from..tail.to).copied().collect());
        let incomplete_from = plan.incomplete_from(Some(tail.iter().copied()));
        let incomplete_without_tail = plan.incomplete_from(None::<[TimestampMs; 0]>);
        let mut fold = HistoryFold::new(AppId::new("shop").unwrap(), query);
        plan.into_selected().iter().for_each(|rollup| fold.add_rollup(rollup));
        for timestamp in tail {
            fold.add(timestamp, &source(), 0, DOCUMENT).unwrap();
        }
        let mut counts = vec![0; window.points()];
        if let Some(series) = fold.finish(now).unwrap().series.get("a") {
            let values = series.columns[&Aggregate::Count].iter();
            counts = values.map(|value| value.map_or(0, |count| count.0 as u64)).collect();
        }
        let mut expected = vec![0; window.points()];
        for point in self.reports.iter().filter_map(|timestamp| window.index_of(*timestamp)) {
            expected[point] += 1;
        }
        Read { counts, expected, queries, incomplete_from, incomplete_without_tail }
    }
}

/// The outcome of one plan.
struct Read {
    /// The count of each point.
    counts: Vec<u64>,
    /// The same, counted in the raw reports.
    expected: Vec<u64>,
    queries: usize,
    incomplete_from: Option<TimestampMs>,
    incomplete_without_tail: Option<TimestampMs>,
}

#[test]
fn week_is_complete_for_at_most_five_queries() {
    let steady: BTreeSet<TimestampMs> = (0..8 * 24 * 12).map(|tick| at(tick * 5 * MINUTE_MS + 7)).collect();
    let silent: BTreeSet<TimestampMs> = (0..75).map(|minute| at(minute * MINUTE_MS + 7)).collect();
    let steady_at =
        [0, 3 * MINUTE_MS, 31 * MINUTE_MS + 5, 59 * MINUTE_MS].map(|ms| (&steady, 7 * DAY_MS + ms));
    let silent_for =
        [5 * MINUTE_MS, HOUR_MS, 26 * HOUR_MS, 5 * DAY_MS].map(|ms| (&silent, 75 * MINUTE_MS + ms));
    for (timestamps, now_ms) in steady_at.into_iter().chain(silent_for) {
        let now = at(now_ms);
        let read = Store::with_reports(timestamps, 3 * SECOND_MS, now).read("week", now);
        assert_eq!(read.counts, read.expected, "{now_ms}");
        assert!(read.queries <= 5, "{} queries at {now_ms}", read.queries);
    }
}

#[test]
fn report_stored_after_its_next_minute_was_computed_is_read() {
    for late_ms in (0..=MIN_TAIL_MS).step_by(10_000) {
        let now = at(5 * MINUTE_MS + 30 * SECOND_MS);
        let mut store = Store::default();
        store.reports.insert(at(5 * MINUTE_MS));
        store.roll_up(&BTreeSet::from([at(5 * MINUTE_MS)]), now);
        store.reports.insert(now.plus_ms(-late_ms));
        let read = store.read("hour", now);
        assert_eq!(read.counts, read.expected, "{late_ms}");
    }
}

#[test]
fn report_stored_after_its_hour_was_computed_is_read() {
    // The first of the hour, the first of the next ten minutes, the first of the next hour.
    let timestamps = [2 * MINUTE_MS, 52 * MINUTE_MS, 59 * MINUTE_MS + 1, HOUR_MS + SECOND_MS].map(at).into();
    let now = at(HOUR_MS + 65 * SECOND_MS);
    for late_ms in (0..=MIN_TAIL_MS).step_by(10_000) {
        for range in ["hour", "day", "week"] {
            let mut store = Store::with_reports(&timestamps, 3 * SECOND_MS, now);
            assert!(store.rollups[&RollupSpan::containing(Resolution::Hour, at(0))].is_complete());
            store.reports.insert(now.plus_ms(-late_ms));
            let read = store.read(range, now);
            assert_eq!(read.counts, read.expected, "{range} {late_ms}");
        }
    }
}

#[test]
fn answer_ends_where_rollups_lag_behind_a_reporting_application() {
    let timestamps: BTreeSet<TimestampMs> = (0..4 * 60).map(|tick| at(tick * 30 * SECOND_MS)).collect();
    // Nothing is rolled up from half past twelve on.
    let stopped = at(30 * MINUTE_MS);
    let mut store = Store::with_reports(&timestamps, 3 * SECOND_MS, stopped);
    store.reports = timestamps;
    let rolled_up_to = stopped.plus_ms(-MINUTE_MS);
    for range in ["hour", "day", "week"] {
        for lag_ms in (0..40 * MINUTE_MS).step_by(17_000) {
            let read = store.read(range, stopped.plus_ms(lag_ms));
            let is_incomplete = read.counts.iter().sum::<u64>() < read.expected.iter().sum::<u64>();
            let expected = is_incomplete.then_some(rolled_up_to);
            assert_eq!(read.incomplete_from, expected, "{range} {lag_ms}");
        }
    }
}

#[test]
fn complete_if_silent_or_rolled_up_in_time() {
    // Silent for long, reporting for a while, and silent again.
    let timestamps = (0..20).chain(70..100).map(|minute| at(minute * MINUTE_MS + 7)).collect();
    for lag_ms in [3 * SECOND_MS, 70 * SECOND_MS] {
        for now_ms in (0..3 * HOUR_MS).step_by(13_000) {
            let store = Store::with_reports(&timestamps, lag_ms, at(now_ms));
            assert_eq!(store.read("day", at(now_ms)).incomplete_from, None, "{now_ms}");
        }
    }
}

#[test]
fn answer_without_its_tail_ends_where_the_rollups_do() {
    let timestamps = (0..30).map(|minute| at(minute * MINUTE_MS)).collect();
    let store = Store::with_reports(&timestamps, 3 * SECOND_MS, at(30 * MINUTE_MS));
    // Rolled up until a minute ago; the last two minutes are read again.
    for (now, end) in [(30, 28), (50, 29)] {
        let read = store.read("hour", at(now * MINUTE_MS));
        assert_eq!(read.incomplete_without_tail, Some(at(end * MINUTE_MS)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_report_counts_once_with_any_gaps(
        seconds in prop::collection::btree_set(0..(26 * 3_600_i64), 1..400),
        lag_s in 3..110_i64,
        now_s in 0..(30 * 3_600_i64),
        range in prop::sample::select(vec!["hour", "day", "week"]),
    ) {
        let timestamps = seconds.iter().map(|second| at(second * SECOND_MS)).collect();
        let now = at(now_s * SECOND_MS);
        let read = Store::with_reports(&timestamps, lag_s * SECOND_MS, now).read(range, now);
        prop_assert_eq!(read.counts, read.expected);
        prop_assert!(read.queries <= 5);
    }
}
