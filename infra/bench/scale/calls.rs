//! What one operation costs, as docs/DATA_MODEL.md says and the functions' own tests assert.

/// Write units of a stored report: 650 bytes and its keys are below a kilobyte.
pub(crate) const REPORT_WRITES: f64 = 1.0;

/// Read units of the query of subscriptions, one for each frame and application: consistent, at least one unit.
pub(crate) const SUBSCRIPTIONS_READS: f64 = 1.0;

/// Bytes of a stored report with its keys and the table's own overhead of 100 bytes.
pub(crate) const REPORT_BYTES: f64 = 950.0;

/// Days for which a raw report is stored: 48 hours and the day of grace.
pub(crate) const REPORT_DAYS: f64 = 3.0;

/// Bytes of a live frame.
pub(crate) const FRAME_BYTES: f64 = 900.0;

/// Write units of a handshake with a key that may publish: session and publisher; and of its end: both deleted.
pub(crate) const CONNECTION_WRITES: f64 = 4.0;

/// Read units of a handshake with a key: pointer, application, and the count of the application's connections.
pub(crate) const CONNECTION_READS: f64 = 3.0;

/// Invocations of a connection: authorizer, `$connect`, `$disconnect`.
pub(crate) const CONNECTION_INVOCATIONS: f64 = 3.0;

/// Write units of a minute of one write shard besides one for each time that it is computed, and the last reports:
/// "A batch a minute adds 4.3: two minutes, ten minutes, the last report, and now and then an hour".
pub(crate) const ROLLUP_WRITES: f64 = 2.3;

/// Read units of the same besides two for each time that it is computed, and the raw reports: of the 19.6 a minute that
/// RESULTS.md tells of one source, raw reports are 15.
pub(crate) const ROLLUP_READS: f64 = 3.0;

/// Reports in a read unit of 4 KB.
pub(crate) const REPORTS_PER_READ: f64 = 6.0;

/// Seconds for which a batch of the stream is gathered (template.yaml).
pub(crate) const BATCH_WINDOW_S: f64 = 60.0;

/// Records of one batch at most: 6 MB of images of 1.5 KB, below the template's BatchSize of 10,000.
pub(crate) const BATCH_RECORDS: f64 = 4_000.0;

/// Bytes of rollups that an application's shard keeps: 8 days of minutes, 35 of tens, 400 of hours, 5 years of days.
pub(crate) const ROLLUP_BYTES: f64 =
    8.0 * 1_440.0 * 640.0 + 35.0 * 144.0 * 900.0 + 400.0 * 24.0 * 1_110.0 + 5.0 * 365.0 * 1_840.0;

/// Read units of the rollups of a history query of the day, for each write shard, of a hundred sources (RESULTS.md).
pub(crate) const QUERY_ROLLUP_READS: f64 = 33.0;

/// Seconds of raw reports that a history query reads on top of them: two to three minutes.
pub(crate) const QUERY_TAIL_S: f64 = 150.0;

/// Raw reports in a read unit of a query: 4 KB, consistent.
pub(crate) const TAIL_REPORTS_PER_READ: f64 = 5.0;

/// Most read units of a raw tail for each write shard: a page of a megabyte, beyond which it is left out.
pub(crate) const QUERY_TAIL_READS_MAX: f64 = 256.0;

/// Most write shards of one application (`functions/shared/domain/src/app.rs`), and what each takes a second.
pub(crate) const MAX_SHARDS: f64 = 64.0;
pub(crate) const SHARD_WRITES_PER_SECOND: f64 = 1_000.0;

#[cfg(test)]
mod tests {
    /// Sentences of the document that the constants above are taken from.
    const SOURCES: [&str; 9] = [
        "| one report, N subscribers | PutItem (report), Query (subscriptions), N posts |",
        "| raw report | 48 hours, stored a day longer | 650 |",
        "A source that reports once a second writes 60 units a minute.",
        "A batch a minute adds 4.3: two minutes, ten minutes, the last report",
        "PutItem (session); if it may publish, PutItem (publisher) |",
        "a report to an application with up to forty viewers is 1 write and 1 read",
        "one partition takes 1,000 writes a second",
        "| the raw tail, two to three minutes where rollups are up to date, five at most | 1 read for each five reports |",
        "a raw tail of more than one page is left out",
    ];

    #[test]
    fn the_model_stands_on_what_the_data_model_says() {
        let document = include_str!("../../../docs/DATA_MODEL.md");
        for sentence in SOURCES {
            assert!(document.contains(sentence), "docs/DATA_MODEL.md no longer says: {sentence}");
        }
    }
}
