//! Generated reports, as reports of the domain, as rows of the table, and as the stream event of a batch.

use anyhow::Context as _;
use nsl_domain::ids::{AppId, Source};
use nsl_domain::report::{Document, Report};
use nsl_domain::rollup::{MinuteBuilder, Rollup, RollupSpan};
use nsl_domain::time::{DAY_MS, SECOND_MS, TimestampMs};
use serde_json::{Value, json};

use crate::Documents;

/// The app of generated reports.
pub const APP: &str = "shop";

/// Reports of one source, one per second from `start` on.
///
/// # Errors
/// If the embedded template is not JSON.
pub fn reports(start: TimestampMs, count: i64) -> anyhow::Result<Vec<Report>> {
    let mut documents = Documents::new(0)?;
    (0..count)
        .map(|second| {
            let document = documents.of(u64::try_from(second)?).to_string();
            Ok(Report {
                app: AppId::new(APP)?,
                source: Source::new("web-1")?,
                timestamp: start.plus_ms(second * SECOND_MS),
                document: Document::stored(document),
            })
        })
        .collect()
}

/// The rollup of `reports`.
///
/// # Errors
/// If a report is invalid.
pub fn rollup(span: RollupSpan, reports: &[Report]) -> anyhow::Result<Rollup> {
    let mut fold = MinuteBuilder::new(span);
    for Report { timestamp, source, document, .. } in reports {
        fold.add(*timestamp, source, document.hash(), document.as_str())
            .ok()
            .context("a generated report was rejected")?;
    }
    Ok(fold.finish())
}

/// A report as it is stored, and as the stream contains it.
pub fn report_item(report: &Report) -> Value {
    let iso = report.timestamp.to_string();
    let hour = iso.get(..13).unwrap_or(&iso);
    json!({
        "pk": {"S": format!("{}#{hour}#0", report.app)}, "sk": {"S": report.id()},
        "appId": {"S": report.app.as_str()}, "source": {"S": report.source.as_str()},
        "timestamp": {"N": report.timestamp.ms().to_string()}, "document": {"S": report.document.as_str()},
        "expiresAt": {"N": report.timestamp.plus_ms(3 * DAY_MS).seconds().to_string()},
    })
}

/// The stream event with these reports.
pub fn stream_event(reports: &[Report]) -> Value {
    let record = |(number, report): (u64, &Report)| {
        let image = report_item(report);
        let keys = json!({"pk": image.get("pk"), "sk": image.get("sk")});
        let change = json!({
            "SequenceNumber": format!("{number:021}"), "Keys": keys, "NewImage": image,
            "StreamViewType": "NEW_IMAGE", "SizeBytes": 900,
        });
        json!({
            "eventID": format!("{number:032x}"), "eventName": "INSERT", "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1", "dynamodb": change,
        })
    };
    json!({"Records": (1..).zip(reports).map(record).collect::<Vec<_>>()})
}
