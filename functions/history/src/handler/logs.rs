//! `GET /apps/{appId}/logs`: the newest log entries of an application, as its library sent them.

use lambda_http::{Body, Request, Response};
use nsl_domain::history::LogsAnswer;
use nsl_domain::time::TimestampMs;
use nsl_domain::window::time_range::TimeRange;

use super::{History, RequestError};
use crate::fingerprint::Fingerprint;
use crate::query_string::Parameters;
use crate::respond::{self, Validity};

impl History {
    pub(super) async fn log_entries(
        &self,
        request: &Request,
        parameters: &Parameters,
        now: TimestampMs,
    ) -> Result<Response<Body>, RequestError> {
        let app = self.viewable(request, now).await?;
        let range = parameters.one("timeRange").map_or(Ok(TimeRange::Hour), TimeRange::read)?;
        let from = now.plus_ms(-range.ms());
        let shown = self.logs.newest(&app.id, from, now).await?;
        let answer = LogsAnswer::new(&app.id, range, from, &shown.entries, shown.is_complete);
        // Not by its text, which has the present moment.
        let mut content = Fingerprint::default();
        shown.entries.iter().for_each(|entry| content.add(entry));
        content.add([u8::from(shown.is_complete)]);
        let validity = Validity::of_present(request, content);
        respond::revalidated(request, &validity, || Ok(respond::json(&answer)))
    }
}
