//! From a workload to what it needs and costs. Pure arithmetic; everything is per second or per month of 30 days.

use crate::args::Workload;
use crate::limits::{self, Kind};
use crate::stream::Stream;
use crate::{calls, prices};

const SECONDS_PER_MONTH: f64 = 30.0 * 24.0 * 3_600.0;
const MINUTES_PER_MONTH: f64 = SECONDS_PER_MONTH / 60.0;
const SECONDS_PER_HOUR: f64 = 3_600.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
const BYTES_PER_GIGABYTE: f64 = 1e9;
const MS_PER_SECOND: f64 = 1e3;
/// Gigabytes of memory of a function (template.yaml); `rollup` has twice as much.
const FUNCTION_GIGABYTES: f64 = 0.25;
/// Milliseconds of the short invocations: authorizer, `$connect`, `$disconnect`, a history query.
const SHORT_INVOCATION_MS: f64 = 15.0;
/// How full a partition is planned to be: sources do not hash evenly.
const FILL: f64 = 0.8;

/// What a workload comes to.
#[derive(Debug, Clone)]
pub(crate) struct Needs {
    pub(crate) reports: f64,
    pub(crate) frames: f64,
    pub(crate) posts: f64,
    pub(crate) handshakes: f64,
    pub(crate) connections: f64,
    pub(crate) apps: f64,
    pub(crate) shards_per_app: f64,
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    pub(crate) stored_gigabytes: f64,
    pub(crate) stream_shards: f64,
    pub(crate) ingest_concurrency: f64,
    pub(crate) stream: Stream,
    pub(crate) bill: Bill,
}

/// Dollars a month, by what they are paid for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bill {
    pub(crate) messages: f64,
    pub(crate) connections: f64,
    pub(crate) functions: f64,
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    pub(crate) storage: f64,
    pub(crate) traffic: f64,
}

impl Bill {
    pub(crate) fn total(self) -> f64 {
        self.messages
            + self.connections
            + self.functions
            + self.writes
            + self.reads
            + self.storage
            + self.traffic
    }
}

/// A limit beside what is needed of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strain {
    pub(crate) what: &'static str,
    pub(crate) needed: f64,
    pub(crate) limit: f64,
    pub(crate) kind: Kind,
}

impl Strain {
    /// How many times over the limit is needed.
    pub(crate) fn ratio(self) -> f64 {
        self.needed / self.limit
    }
}

impl Needs {
    pub(crate) fn of(workload: &Workload) -> Self {
        let apps = (workload.processes / workload.processes_per_app).ceil();
        let reports = workload.processes * workload.rate;
        let frames = reports / workload.batch;
        let posts = reports * workload.viewers_per_app;
        let connections = workload.processes + apps * workload.viewers_per_app;
        let handshakes = connections / limits::CONNECTION_SECONDS;
        let per_app = workload.processes_per_app * workload.rate * calls::REPORT_WRITES;
        let shards_per_app = (per_app / (calls::SHARD_WRITES_PER_SECOND * FILL)).ceil();
        let shards = apps * shards_per_app;
        let stored_bytes = reports * SECONDS_PER_DAY * calls::REPORT_DAYS * calls::REPORT_BYTES
            + shards * calls::ROLLUP_BYTES;
        let stored_gigabytes = stored_bytes / BYTES_PER_GIGABYTE;
        let by_writes = reports * calls::REPORT_WRITES / (limits::PARTITION_WRITES_PER_SECOND * FILL);
        let by_size = stored_gigabytes / limits::PARTITION_GIGABYTES;
        let stream_shards = by_writes.max(by_size).max(limits::FIRST_PARTITIONS).ceil();
        let sources_per_shard = workload.processes_per_app / shards_per_app;
        let stream = Stream::of(reports, shards, sources_per_shard, stream_shards);
        let queries = apps * workload.queries_per_app / SECONDS_PER_HOUR;
        let tail = sources_per_shard * workload.rate * calls::QUERY_TAIL_S / calls::TAIL_REPORTS_PER_READ;
        let query_reads = calls::QUERY_ROLLUP_READS + tail.min(calls::QUERY_TAIL_READS_MAX);
        let needs = Self {
            reports,
            frames,
            posts,
            handshakes,
            connections,
            apps,
            shards_per_app,
            writes: reports * calls::REPORT_WRITES + handshakes * calls::CONNECTION_WRITES + stream.writes,
            reads: frames * calls::SUBSCRIPTIONS_READS
                + handshakes * calls::CONNECTION_READS
                + queries * shards_per_app * query_reads
                + stream.reads,
            stored_gigabytes,
            stream_shards,
            stream,
            ingest_concurrency: frames * workload.ingest_ms / MS_PER_SECOND,
            bill: NOTHING,
        };
        Self { bill: bill(&needs, queries), ..needs }
    }

    /// Every limit, the most strained first.
    pub(crate) fn strains(&self) -> Vec<Strain> {
        let strain = |what, needed, limit, kind| Strain { what, needed, limit, kind };
        let mut strains = vec![
            strain(
                "requests a second of all APIs",
                self.frames + self.posts,
                limits::REQUESTS_PER_SECOND,
                Kind::Raisable,
            ),
            strain("handshakes a second", self.handshakes, limits::HANDSHAKES_PER_SECOND, Kind::Raisable),
            strain(
                "concurrent invocations",
                self.ingest_concurrency + self.stream.concurrency,
                limits::CONCURRENCY,
                Kind::Raisable,
            ),
            strain(
                "invocations a second",
                self.frames,
                limits::CONCURRENCY * INVOCATIONS_PER_CONCURRENCY,
                Kind::Raisable,
            ),
            strain(
                "write units a second of a table",
                self.writes,
                limits::TABLE_WRITES_PER_SECOND,
                Kind::Raisable,
            ),
            strain("seconds of `rollup` in a second of a stream shard", self.stream.busy, 1.0, Kind::Own),
            strain("write shards of one app", self.shards_per_app, calls::MAX_SHARDS, Kind::Own),
            strain(
                "write units a second of one partition",
                (self.reports / (self.apps * self.shards_per_app)) * calls::REPORT_WRITES,
                limits::PARTITION_WRITES_PER_SECOND,
                Kind::Hard,
            ),
        ];
        strains.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
        strains
    }
}

/// Invocations a second that AWS allows for each that may be under way.
const INVOCATIONS_PER_CONCURRENCY: f64 = 10.0;

const NOTHING: Bill = Bill {
    messages: 0.0,
    connections: 0.0,
    functions: 0.0,
    writes: 0.0,
    reads: 0.0,
    storage: 0.0,
    traffic: 0.0,
};

fn bill(needs: &Needs, queries: f64) -> Bill {
    let monthly = |per_second: f64| per_second * SECONDS_PER_MONTH;
    let short = needs.handshakes * calls::CONNECTION_INVOCATIONS + 2.0 * queries;
    let invocations = needs.frames + short + needs.stream.batches;
    let gigabyte_seconds = FUNCTION_GIGABYTES
        * (needs.ingest_concurrency
            + short * SHORT_INVOCATION_MS / MS_PER_SECOND
            + 2.0 * needs.stream.concurrency);
    Bill {
        messages: prices::tiered(monthly(needs.frames + needs.posts), prices::MESSAGE)
            + prices::tiered(monthly(queries), prices::HTTP_CALL),
        connections: needs.connections * MINUTES_PER_MONTH * prices::CONNECTION_MINUTE,
        functions: monthly(invocations) * prices::INVOCATION
            + monthly(gigabyte_seconds) * prices::GIGABYTE_SECOND,
        writes: monthly(needs.writes) * prices::WRITE_UNIT,
        reads: monthly(needs.reads) * prices::READ_UNIT,
        storage: needs.stored_gigabytes * prices::STORED_GIGABYTE,
        traffic: monthly(needs.posts) * calls::FRAME_BYTES / BYTES_PER_GIGABYTE * prices::SENT_GIGABYTE,
    }
}

/// Subscribers of one application that a function of `memory_mb` can serve within `ms`, where a post takes
/// `post_ms` of a whole processor.
pub(crate) fn subscribers_within(ms: f64, post_ms: f64, memory_mb: f64) -> f64 {
    ms * (memory_mb / limits::MEGABYTES_PER_PROCESSOR).min(1.0) / post_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser as _;

    fn needs(words: &[&str]) -> Needs {
        Needs::of(&Args::parse_from([&["nsl-scale"], words].concat()).workloads()[0])
    }

    #[test]
    fn one_source_costs_what_the_data_model_says() {
        let one = needs(&["--processes", "1", "--viewers-per-app", "0", "--queries-per-app", "0"]);
        let writes_a_minute = one.writes * 60.0;
        assert!((64.0..64.6).contains(&writes_a_minute), "60 and 4.3 a minute, not {writes_a_minute}");
        let rollup_reads = (one.reads - 1.0) * 60.0;
        assert!((18.0..=22.0).contains(&rollup_reads), "19.6 a minute, not {rollup_reads}");
    }

    #[test]
    fn an_application_gets_a_shard_for_each_partition_that_it_fills() {
        let of_app = |processes: &str| {
            needs(&["--processes", "100000", "--processes-per-app", processes]).shards_per_app
        };
        assert_eq!([of_app("100"), of_app("800"), of_app("801"), of_app("100000")], [1.0, 1.0, 2.0, 125.0]);
    }

    #[test]
    fn ten_thousand_processes_meet_the_throttle_and_one_huge_app_our_own_limit() {
        let spread = needs(&["--processes", "10000"]);
        assert_eq!(spread.strains()[0].what, "requests a second of all APIs");
        let one_app = needs(&["--processes", "100000", "--processes-per-app", "100000", "--batch", "100"]);
        assert!(one_app.strains().iter().any(|strain| strain.kind == Kind::Own && strain.ratio() > 1.0));
    }

    #[test]
    fn batches_divide_messages_and_invocations_but_no_writes() {
        let (single, batched) =
            (needs(&["--processes", "10000"]), needs(&["--processes", "10000", "--batch", "10"]));
        assert_eq!(single.frames, 10.0 * batched.frames);
        assert_eq!(single.writes, batched.writes);
        assert!(batched.bill.total() < single.bill.total() / 2.0);
    }

    #[test]
    fn the_bill_grows_with_the_processes_and_is_never_less_than_its_messages() {
        let totals =
            ["10000", "1000000", "100000000"].map(|processes| needs(&["--processes", processes]).bill);
        assert!(totals[0].total() < totals[1].total() && totals[1].total() < totals[2].total());
        assert!(totals.iter().all(|bill| bill.messages > 0.0 && bill.total() > bill.messages));
    }

    #[test]
    fn a_function_of_256_megabytes_has_a_seventh_of_a_processor() {
        let subscribers = subscribers_within(1_000.0, 0.1, 256.0);
        assert!((1_440.0..1_450.0).contains(&subscribers), "{subscribers}");
        assert_eq!(subscribers_within(1_000.0, 0.1, 3_008.0), 10_000.0);
    }
}
