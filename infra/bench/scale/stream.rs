//! The rollups' part of the model: how often each minute is computed, and what that reads, writes and takes.
//!
//! A batch ends after a minute or when it is full. Full partitions of the table give full batches every few seconds,
//! so each minute is computed many times over, each time from all its reports so far: the price of rollups that are
//! a pure function of what is below them.

use crate::calls;

/// Milliseconds that the computation of one minute waits for its calls, and takes for each report that it reads, at
/// the 512 MB of the function.
const COMPUTATION_MS: f64 = 20.0;
const ROW_MS: f64 = 0.07;
const MS_PER_SECOND: f64 = 1e3;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// What the stream of reports comes to, a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) batches: f64,
    /// How often a minute of one write shard is computed within it.
    pub(crate) computed_per_minute: f64,
    pub(crate) writes: f64,
    pub(crate) reads: f64,
    /// Invocations under way on average.
    pub(crate) concurrency: f64,
    /// Of each second, how much the one function takes that a stream shard may have at a time.
    pub(crate) busy: f64,
}

impl Stream {
    /// The stream of `reports` a second in `write_shards` of as many applications or more, each with
    /// `sources_per_shard`, over `stream_shards`.
    pub(crate) fn of(reports: f64, write_shards: f64, sources_per_shard: f64, stream_shards: f64) -> Self {
        // A write shard lies within one partition, so no more stream shards than those have anything to tell.
        let active = stream_shards.min(write_shards);
        let interval_s = calls::BATCH_WINDOW_S.min(calls::BATCH_RECORDS * active / reports);
        let computed_per_minute = SECONDS_PER_MINUTE / interval_s;
        let batches = active / interval_s;
        let shard_minutes = write_shards / SECONDS_PER_MINUTE;
        // Every computation reads what the minute has so far, half of it on average, and the last one all of it.
        let rows = reports * (computed_per_minute / 2.0 + 1.0);
        let in_batch = (reports / write_shards * interval_s).max(1.0);
        let noted = shard_minutes * computed_per_minute * sources_per_shard.min(in_batch);
        let computations = shard_minutes * (computed_per_minute + 1.0);
        let took_ms = computations * COMPUTATION_MS + rows * ROW_MS;
        Self {
            batches,
            computed_per_minute,
            writes: shard_minutes * (computed_per_minute + calls::ROLLUP_WRITES) + noted,
            reads: shard_minutes * (2.0 * computed_per_minute + calls::ROLLUP_READS)
                + rows / calls::REPORTS_PER_READ,
            concurrency: took_ms / MS_PER_SECOND,
            busy: took_ms / MS_PER_SECOND / active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_table_computes_a_minute_once_and_a_full_one_fifteen_times() {
        assert_eq!(Stream::of(1.0, 1.0, 1.0, 4.0).computed_per_minute, 1.0);
        let full = Stream::of(8_000.0, 80.0, 100.0, 8.0);
        assert_eq!(full.computed_per_minute, 15.0);
        assert_eq!(full.batches, 2.0);
    }

    #[test]
    fn a_hundred_sources_write_what_the_data_model_says() {
        let minute = Stream::of(100.0, 1.0, 100.0, 4.0).writes * 60.0;
        assert!((150.0..170.0).contains(&minute), "165 a minute, not {minute}");
    }
}
