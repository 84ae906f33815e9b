//! Reports on the wire, as far as deliveries are counted. The id of a frame names the reports in it, so an
//! acknowledgement identifies them by itself. Only a few fields of a delivered report are parsed.

use nsl_client::frame::Ack;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Consecutive reports of one publisher, which one frame contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportRange {
    /// Sequence number of the first.
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl ReportRange {
    /// Id of the frame with these reports.
    pub(crate) fn id(self) -> String {
        format!("{}+{}", self.first, self.count)
    }

    /// The reports of the frame with this id.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let (first, count) = id.split_once('+')?;
        Some(Self { first: first.parse().ok()?, count: count.parse().ok()? })
    }

    /// The reports that `ack` acknowledges; `None` if it does not account for each of them.
    pub(crate) fn of_ack(ack: &Ack) -> Option<Self> {
        let range = Self::of_id(&ack.id)?;
        let is_complete = ack.accepted + ack.rejected.len() as u64 == range.count;
        (is_complete && ack.rejected.iter().all(|rejection| rejection.index.is_some())).then_some(range)
    }
}

/// A report that a subscriber received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) app_id: String,
    pub(crate) source: String,
    /// Id of the report.
    pub(crate) id: String,
    /// The publisher's sequence number; `None` for a report that is not of this program.
    pub(crate) sequence: Option<u64>,
}

impl Delivery {
    /// Parses the payload of a `metrics` frame.
    pub(crate) fn parse(payload: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Payload<'a> {
            app_id: String,
            source: String,
            id: String,
            #[serde(borrow)]
            metrics: Document<'a>,
        }
        let Payload { app_id, source, id, metrics } = serde_json::from_str(payload).ok()?;
        Some(Self { app_id, source, id, sequence: metrics.sequence() })
    }
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    load: Option<&'a RawValue>,
}

impl Document<'_> {
    fn sequence(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Load {
            sequence: u64,
        }
        serde_json::from_str(self.load?.get()).ok().map(|Load { sequence }| sequence)
    }
}

/// The sequence number of `source`'s last report in a response of `GET /apps/{appId}/metrics/latest`.
pub(crate) fn latest_sequence(body: &str, source: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Latest<'a> {
        #[serde(borrow)]
        reports: Vec<LastReport<'a>>,
    }
    #[derive(Deserialize)]
    struct LastReport<'a> {
        source: String,
        #[serde(borrow)]
        metrics: Document<'a>,
    }
    let latest: Latest<'_> = serde_json::from_str(body).ok()?;
    latest.reports.into_iter().find(|report| report.source == source)?.metrics.sequence()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_client::frame::Rejection;
    use serde_json::json;

    #[test]
    fn id_names_the_reports_of_a_frame() {
        let range = ReportRange { first: 12, count: 3 };
        assert_eq!(ReportRange::of_id(&range.id()), Some(range));
        assert_eq!(ReportRange::of_id("r1"), None);
    }

    #[test]
    fn delivery_has_ids_and_sequence_number() {
        let payload = json!({"metrics": {"cpu": {}, "load": {"sequence": 4}},
            "timestamp": "2026-01-01T00:00:00.000Z", "appId": "a", "source": "s", "id": "i"});
        let delivery = Delivery::parse(&payload.to_string()).unwrap();
        assert_eq!(
            (delivery.app_id.as_str(), delivery.source.as_str(), delivery.sequence),
            ("a", "s", Some(4))
        );
        let other = json!({"metrics": {}, "appId": "a", "source": "s", "id": "i"}).to_string();
        assert_eq!(Delivery::parse(&other).unwrap().sequence, None);
        assert_eq!(Delivery::parse("{}"), None);
    }

    #[test]
    fn acknowledgement_must_account_for_every_report() {
        let (code, message) = ("unavailable".to_owned(), "m".to_owned());
        let rejection = Rejection { code, message, id: None, index: Some(1), retryable: true };
        let ack = |accepted| Ack { id: "5+2".to_owned(), accepted, rejected: vec![rejection.clone()] };
        assert_eq!(ReportRange::of_ack(&ack(1)), Some(ReportRange { first: 5, count: 2 }));
        assert_eq!(ReportRange::of_ack(&ack(2)), None);
    }

    #[test]
    fn last_report_of_a_source_is_found_in_history() {
        let body = json!({"appId": "a", "reports": [
            {"source": "t", "metrics": {"load": 7}}, {"source": "s", "metrics": {"load": {"sequence": 9}}}]});
        assert_eq!(latest_sequence(&body.to_string(), "s"), Some(9));
        assert_eq!(latest_sequence(&body.to_string(), "t"), None);
        assert_eq!(latest_sequence("no json", "s"), None);
    }
}
