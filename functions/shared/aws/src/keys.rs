//! Every table key and attribute name, and the expressions that several stores use.
//!
//! The tables: docs/DATA_MODEL.md. An id has no `#`, so it cannot form the key of another. An expression names an
//! attribute as it is stored, by a placeholder where the name is a reserved word: at, connection, grant, hold, host, owner, source,
//! timestamp.

use nsl_domain::ids::{AppId, ConnectionId, KeyHash};
use nsl_domain::legacy::notice::Notice;
use nsl_domain::legacy::session::ReplyKind;
use nsl_domain::report::{Document, sortable};
use nsl_domain::resolution::Resolution;
use nsl_domain::rollup::{AppShard, RollupSpan};
use nsl_domain::time::{HOUR_MS, TimestampMs};
use nsl_domain::time_span::TimeSpan;

use crate::items::BadAttribute;

/// Key of the Apps table; an attribute name everywhere else.
pub(crate) const APP_ID: &str = "appId";
pub(crate) const OWNER: &str = "owner";
pub(crate) const NAME: &str = "name";
pub(crate) const STATUS: &str = "status";
pub(crate) const KEYS: &str = "keys";
pub(crate) const LEGACY: &str = "legacy";
pub(crate) const SHARDS: &str = "shards";
pub(crate) const TOKENS_NOT_BEFORE: &str = "tokensNotBefore";
/// When an app was created, and since when its id was free if it had another app before; the latter also on the item
/// that remains of a deleted app.
pub(crate) const CREATED_AT: &str = "createdAt";
pub(crate) const ID_FREE_SINCE: &str = "idFreeSince";
/// An app's own limits and retention: maps with the parts that it sets.
pub(crate) const LIMITS: &str = "limits";
pub(crate) const LIMIT_REPORTS: &str = "reports";
pub(crate) const LIMIT_BYTES: &str = "bytes";
pub(crate) const LIMIT_CONNECTIONS: &str = "connections";
pub(crate) const LIMIT_SUBSCRIPTIONS: &str = "subscriptions";
pub(crate) const RETENTION: &str = "retention";
pub(crate) const KEEP_RAW: &str = "raw";
pub(crate) const KEEP_MINUTE: &str = "1m";
pub(crate) const KEEP_TEN_MINUTES: &str = "10m";
pub(crate) const KEEP_HOUR: &str = "1h";
pub(crate) const KEEP_DAY: &str = "1d";
/// Until when an app's reports are rejected, in milliseconds since 1970.
pub(crate) const LIMITED_UNTIL: &str = "limitedUntil";
/// The app that a key belongs to: on the pointer item of a key.
pub(crate) const KEY_APP: &str = "opens";
/// Parts of one entry of `keys`.
pub(crate) const KEY_ID: &str = "id";
pub(crate) const KEY_HASH: &str = "hash";
pub(crate) const KEY_SCOPE: &str = "scope";
/// The index of the apps of an owner, sorted by id.
pub(crate) const BY_OWNER: &str = "byOwner";

/// Partition and sort key of the Connections, Reports and Rollups tables.
pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
/// When DynamoDB may delete an item, in seconds since 1970: see `expiry`.
pub(crate) const EXPIRES_AT: &str = "expiresAt";

pub(crate) const ROLE: &str = "role";
pub(crate) const GRANT: &str = "grant";
/// When the `auth` arrived that proved it.
pub(crate) const GRANTED_AT: &str = "grantedAt";
pub(crate) const REFUSALS: &str = "refusals";
/// When the connection ended: only on what is left of the row, for frames that arrived before.
pub(crate) const ENDED_AT: &str = "endedAt";
/// String set of the apps that a connection subscribes to.
pub(crate) const WATCHES: &str = "watches";
/// String set of the apps that a connection may report for.
pub(crate) const PUBLISHES: &str = "publishes";
/// Of a legacy connection: when its credentials were accepted, and when they were first and last rejected.
pub(crate) const AUTHENTICATED_AT: &str = "welcomedAt";
pub(crate) const FIRST_REJECTED_AT: &str = "wrongSince";
pub(crate) const LAST_REJECTED_AT: &str = "wrongAt";
/// When the ids of one of its frames, other than `auth`, were last checked.
pub(crate) const CHECKED_AT: &str = "checkedAt";
pub(crate) const MIN_INTERVAL: &str = "minInterval";
pub(crate) const DIALECT: &str = "dialect";
/// Of the count of an app's connections: publishers, subscriptions, and when the last recount that finished began and the
/// last one at all.
pub(crate) const PUBLISHER_COUNT: &str = "publishers";
pub(crate) const SUBSCRIPTION_COUNT: &str = "subscriptions";
pub(crate) const COUNTED_AT: &str = "countedAt";
pub(crate) const CLAIMED_AT: &str = "claimedAt";
/// Of a subscription or a publisher: what its grant depends on, and the owner that it is bound to.
pub(crate) const PROOF: &str = "hold";

pub(crate) const SOURCE: &str = "source";
pub(crate) const TIMESTAMP: &str = "timestamp";
pub(crate) const DOCUMENT: &str = "document";
/// Of a legacy report: the connection that sent it, and the message and the report in it. The first also of a process.
pub(crate) const CONNECTION: &str = "connection";
pub(crate) const MESSAGE_REPORT: &str = "mark";
/// Of a legacy publisher whose clock is wrong: how far it is ahead, in milliseconds, and when that was seen last.
pub(crate) const CLOCK_AHEAD: &str = "clockAhead";
pub(crate) const CLOCK_SEEN: &str = "clockSeen";
/// Of a process of the library: its start and its host, as its newest connection showed them.
pub(crate) const STARTED_AT: &str = "startedAt";
pub(crate) const HOST: &str = "host";

/// How often a rollup was written.
pub(crate) const VERSION: &str = "version";
/// Up to where a rollup covers its span.
pub(crate) const THROUGH: &str = "through";
/// The encoded contents of a rollup.
pub(crate) const BUCKETS: &str = "buckets";
/// Of a minute: what its sources last reported.
pub(crate) const ACTIVITY: &str = "activity";
/// The id of a source's last report.
pub(crate) const REPORT: &str = "report";
/// Log entries of one frame, a JSON array.
pub(crate) const ENTRIES: &str = "entries";
/// Whether a switch is on, which user changed it, and when; the last one also of a subscription, a publisher and a process.
pub(crate) const ENABLED: &str = "enabled";
pub(crate) const USER: &str = "user";
pub(crate) const AT: &str = "at";
/// A stream record that could not be read, and why.
pub(crate) const RECORD: &str = "record";
pub(crate) const REASON: &str = "reason";

/// Sort key of a connection's session row.
pub(crate) const SESSION: &str = "session";
/// What the sort keys of an app's subscriptions begin with.
pub(crate) const SUBSCRIPTIONS: &str = "s#";

/// What the sort keys of an app's publishers begin with.
pub(crate) const PUBLISHERS: &str = "p#";

/// Partition of an app's subscriptions and publishers.
pub(crate) fn app_connections(app: &AppId) -> String {
    format!("app#{app}")
}

/// Sort key of one subscription.
pub(crate) fn subscription(connection: &ConnectionId) -> String {
    format!("{SUBSCRIPTIONS}{connection}")
}

/// Sort key of one publisher.
pub(crate) fn publisher(connection: &ConnectionId) -> String {
    format!("{PUBLISHERS}{connection}")
}

/// Partition of the count of an app's connections: another one than that of their rows, because each connection writes
/// to both.
pub(crate) fn connection_count(app: &AppId) -> String {
    format!("count#{app}")
}

/// Its sort key.
pub(crate) const CONNECTION_COUNT: &str = "connections";

/// Partition of the processes of an app that run the library. Their sort keys are their sources.
pub(crate) fn processes(app: &AppId) -> String {
    format!("processes#{app}")
}

/// Partition of the last commands of an app.
pub(crate) fn commands(app: &AppId) -> String {
    format!("commands#{app}")
}

/// When a connection last got a reply of a kind.
pub(crate) fn answered_at(kind: ReplyKind) -> &'static str {
    match kind {
        ReplyKind::Status => "statusAt",
        ReplyKind::History => "historyAt",
        ReplyKind::LastActions => "lastActionsAt",
        ReplyKind::Command => "commandAt",
        ReplyKind::Metrics => "metricsAt",
    }
}

/// When a connection got a notice.
pub(crate) fn notified_at(notice: Notice) -> &'static str {
    match notice {
        Notice::Unproved => "unprovedAt",
        Notice::SwitchedOff => "switchedOffAt",
        Notice::Full => "fullAt",
    }
}

/// When a connection last got the replay of `app`: an attribute of its session row, so that it outlives `unsubscribe`.
pub(crate) fn replayed_at(app: &AppId) -> String {
    format!("replayed#{app}")
}

/// Sort key of the log entries of one frame: a frame that is stored twice is one item.
pub(crate) fn log_frame(arrival: TimestampMs, connection: &ConnectionId, entries: &str) -> String {
    // Sixteen digits are 64 bits: enough to distinguish the frames of one connection in one millisecond.
    let hash: String = KeyHash::of(entries).to_hex().chars().take(16).collect();
    format!("{}#{connection}#{hash}", sortable(arrival))
}

/// Partition of one connection.
pub(crate) fn connection(connection: &ConnectionId) -> String {
    format!("conn#{connection}")
}

/// Key of the pointer item from an API key to its app.
pub(crate) fn key_pointer(hash: KeyHash) -> String {
    format!("key#{}", hash.to_hex())
}

/// Key of what remains of a deleted app.
pub(crate) fn deleted_app(app: &AppId) -> String {
    format!("deleted#{app}")
}

/// Partition of one hour of one write shard of an app's reports: `{appId}#{hour}#{shard}`.
pub(crate) fn report_partition(app: &AppId, instant: TimestampMs, shard: u16) -> String {
    // `2026-11-22T13`: the first thirteen characters of ISO 8601 are the hour.
    let iso = instant.to_string();
    let hour = iso.get(..13).unwrap_or(&iso);
    format!("{app}#{hour}#{shard}")
}

/// The app and the write shard of a partition of reports; `None` if it is not one.
pub(crate) fn read_report_partition(pk: &str) -> Option<AppShard> {
    let mut parts = pk.split('#');
    let (app, _hour, shard) = (parts.next()?, parts.next()?, parts.next()?);
    let app = AppId::stored(app).ok()?;
    parts.next().is_none().then_some(AppShard { app, shard: shard.parse().ok()? })
}

/// Partition of the rollups of one resolution of one write shard: `{appId}#{resolution}#{shard}`.
pub(crate) fn rollup_partition(shard: &AppShard, resolution: Resolution) -> String {
    let width = match resolution {
        Resolution::Minute => "1m",
        Resolution::TenMinutes => "10m",
        Resolution::Hour => "1h",
        Resolution::Day => "1d",
    };
    format!("{}#{width}#{}", shard.app, shard.shard)
}

/// Sort key of one rollup: the start of its span, as digits that sort by time.
pub(crate) fn rollup(span: RollupSpan) -> String {
    sortable(span.start())
}

/// Partition of the last reports of an app's sources.
pub(crate) fn sources(app: &AppId) -> String {
    format!("{app}#sources")
}

/// Partition of an app's quarantined stream records. Those that name no app share one.
pub(crate) fn quarantine(app: Option<&AppId>) -> String {
    format!("{}#quarantine", app.map_or("", AppId::as_str))
}

/// Partition of the minutes of every app whose rollups are computed later.
pub(crate) const DEFERRED: &str = "#deferred";
/// The deferred minutes of a write shard: a number set.
pub(crate) const DIRTY: &str = "dirty";

/// Sort key of the deferred minutes of a write shard.
pub(crate) fn deferred(shard: &AppShard) -> String {
    format!("{}#{}", shard.app, shard.shard)
}

/// The starts of the hours that overlap `span`.
pub(crate) fn hours(span: TimeSpan) -> impl DoubleEndedIterator<Item = TimestampMs> {
    let first = span.from.aligned_to(HOUR_MS).ms() / HOUR_MS;
    let last = span.to.plus_ms(HOUR_MS - 1).aligned_to(HOUR_MS).ms() / HOUR_MS;
    (first..last).map(|hour| TimestampMs::clamped(hour * HOUR_MS))
}

/// The instant that the sort key of a report, or of a rollup, begins with.
pub(crate) fn read_stamp(sk: &str) -> Result<TimestampMs, BadAttribute> {
    let digits = sk.split('#').next().unwrap_or_default();
    let ms: Option<i64> = digits.parse().ok();
    ms.and_then(|ms| TimestampMs::try_from(ms).ok()).ok_or(BadAttribute::Unreadable(SK))
}

/// Sort key of a legacy report in the dedup window that starts at `window`: `{window}##{connection}#{hash}`. A source is
/// never empty, so no modern report has such a key.
pub(crate) fn legacy_report(window: TimestampMs, connection: &ConnectionId, document: &Document) -> String {
    format!("{}##{connection}#{:016x}", sortable(window), document.hash())
}

/// The least sort key of a report stamped `instant` or later.
pub(crate) fn first_report_at(instant: TimestampMs) -> String {
    sortable(instant)
}

/// The greatest sort key that is below every report stamped `end` or later.
pub(crate) fn last_report_before(end: TimestampMs) -> String {
    // The character after `#`, so that every id of the instant before sorts below.
    format!("{}$", sortable(end.plus_ms(-1)))
}

/// The condition that no item has the key that is written.
pub(crate) const IS_NEW: &str = "attribute_not_exists(pk)";
/// The condition that the item, if there is one, is not of a later instant than `:at`.
pub(crate) const IS_NOT_LATER: &str = "attribute_not_exists(#at) OR #at <= :at";
/// The condition that an item has the key that is written.
pub(crate) const EXISTS: &str = "attribute_exists(pk)";
/// The condition that a session row is that of an open connection.
pub(crate) const IS_OPEN: &str = "attribute_exists(pk) AND attribute_not_exists(endedAt)";
pub(crate) const IN_PARTITION: &str = "pk = :pk";
/// The projection of a key without the other attributes.
pub(crate) const KEY_ONLY: &str = "pk, sk";

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::ids::Source;
    use nsl_domain::report::Report;
    use proptest::prelude::*;

    fn at(iso: &str) -> TimestampMs {
        TimestampMs::from_iso(iso).unwrap()
    }

    #[test]
    fn partition_is_an_hour_of_a_shard() {
        let shop = AppId::new("shop").unwrap();
        assert_eq!(report_partition(&shop, at("2026-11-22T13:59:59.999Z"), 3), "shop#2026-11-22T13#3");
    }

    #[test]
    fn report_partition_has_its_app_and_shard() {
        let shop = AppId::new("shop").unwrap();
        let expected = AppShard { app: shop, shard: 3 };
        assert_eq!(read_report_partition("shop#2026-11-22T13#3"), Some(expected));
        for text in ["", "shop", "shop#2026-11-22T13", "shop#2026-11-22T13#x", "shop#a#1#2", "#a#1"] {
            assert_eq!(read_report_partition(text), None, "{text:?}");
        }
    }

    /// Ids that are likely to imitate the parts of a key.
    fn any_id() -> impl Strategy<Value = AppId> {
        let likely = [
            "sources",
            "quarantine",
            "1m",
            "1h",
            "app",
            "conn",
            "commands",
            "count",
            "processes",
            "key",
            "0",
            "2026-11-22T13",
        ];
        prop_oneof![prop::sample::select(likely.to_vec()).prop_map(str::to_owned), "[ab0.:@_-]{1,4}"]
            .prop_filter_map("not an id", |text| AppId::new(text).ok())
    }

    fn any_instant() -> impl Strategy<Value = TimestampMs> {
        prop_oneof![any::<i64>(), 0..3 * HOUR_MS].prop_map(TimestampMs::clamped)
    }

    /// Partitions that belong to an app, each with its table.
    fn partitions(app: &AppId, instant: TimestampMs, shard: u16) -> Vec<(&'static str, String)> {
        let of = AppShard { app: app.clone(), shard };
        vec![
            ("Connections", app_connections(app)),
            ("Connections", commands(app)),
            ("Connections", connection_count(app)),
            ("Connections", processes(app)),
            ("Connections", connection(&ConnectionId::new(app.as_str()))),
            ("Reports", report_partition(app, instant, shard)),
            ("Rollups", sources(app)),
            ("Rollups", quarantine(Some(app))),
            ("Rollups", quarantine(None)),
            ("Rollups", rollup_partition(&of, Resolution::Minute)),
            ("Rollups", rollup_partition(&of, Resolution::Day)),
        ]
    }

    proptest! {
        #[test]
        fn no_two_partitions_share_a_key(
            one in (any_id(), any_instant(), 0..3_u16), other in (any_id(), any_instant(), 0..3_u16),
        ) {
            let [of_one, of_other] = [&one, &other].map(|(app, at, shard)| partitions(app, *at, *shard));
            for (index, (table, key)) in of_one.iter().enumerate() {
                for (position, (other_table, other_key)) in of_other.iter().enumerate() {
                    let is_same = index == position
                        && match index {
                            5 => (&one.0, one.1.aligned_to(HOUR_MS), one.2) == (&other.0, other.1.aligned_to(HOUR_MS), other.2),
                            8 => true,
                            9.. => (&one.0, one.2) == (&other.0, other.2),
                            _ => one.0 == other.0,
                        };
                    prop_assert_eq!((table, key) == (other_table, other_key), is_same, "{} {}", key, other_key);
                }
            }
            let shard = AppShard { app: one.0, shard: one.2 };
            prop_assert_eq!(read_report_partition(&of_one[5].1), Some(shard));
        }

        #[test]
        fn no_two_reports_share_a_key(
            one in (any_instant(), any_id(), 0..9_u8), other in (any_instant(), any_id(), 0..9_u8),
        ) {
            let keys = |(at, name, number): &(TimestampMs, AppId, u8)| {
                let document = Document::accept(&format!(r#"{{"a":{number}}}"#)).unwrap();
                let (connection, source) = (ConnectionId::new(name.as_str()), Source::new(name.as_str()).unwrap());
                let legacy = legacy_report(*at, &connection, &document);
                let entries = log_frame(*at, &connection, document.as_str());
                [Report { app: name.clone(), source, timestamp: *at, document }.id(), legacy, entries]
            };
            let (of_one, of_other) = (keys(&one), keys(&other));
            prop_assert_ne!(&of_one[0], &of_other[1]);
            prop_assert_eq!((read_stamp(&of_one[0]), read_stamp(&of_one[1])), (Ok(one.0), Ok(one.0)));
            for (of_one, of_other) in of_one.iter().zip(&of_other) {
                prop_assert_eq!(of_one == of_other, one == other);
            }
        }
    }

    #[test]
    fn hours_of_a_span_are_those_it_overlaps() {
        let count = |from: &str, to: &str| hours(TimeSpan::new(at(from), at(to))).count();
        assert_eq!(count("2026-11-22T13:00:00Z", "2026-11-22T14:00:00Z"), 1);
        assert_eq!(count("2026-11-22T13:59:59Z", "2026-11-22T14:00:00.001Z"), 2);
        assert_eq!(count("2026-11-22T13:10:00Z", "2026-11-22T13:10:00Z"), 1);
    }

    #[test]
    fn sort_key_bounds_contain_only_reports_of_the_span() {
        let (from, to) = (at("2026-11-22T13:00:00Z"), at("2026-11-22T13:00:01Z"));
        let id = |instant: TimestampMs| format!("{}#web-1#00", sortable(instant));
        let is_within = |instant| (first_report_at(from)..=last_report_before(to)).contains(&id(instant));
        assert!(is_within(from) && is_within(to.plus_ms(-1)));
        assert!(!is_within(from.plus_ms(-1)) && !is_within(to));
    }
}
