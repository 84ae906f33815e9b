//! The routes of the HTTP API, each with the names of its parameters.

use lambda_http::Request;
use nsl_domain::history::HistoryQuery;

use crate::request::route_key;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The dashboard.
    Page,
    Health,
    /// The overview of the caller's apps.
    Apps,
    Metrics,
    /// The last report of each source.
    Latest,
    Summary,
    Series,
    Logs,
}

impl Route {
    /// The route of `request`; `None` if this function has no such route.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let key = route_key(request);
        // HEAD is answered as GET, without the body.
        match key.strip_prefix("HEAD ").or_else(|| key.strip_prefix("GET "))? {
            "/" => Some(Self::Page),
            "/health" => Some(Self::Health),
            "/apps" => Some(Self::Apps),
            "/apps/{appId}/metrics" => Some(Self::Metrics),
            "/apps/{appId}/metrics/latest" => Some(Self::Latest),
            "/apps/{appId}/summary" => Some(Self::Summary),
            "/apps/{appId}/series" => Some(Self::Series),
            "/apps/{appId}/logs" => Some(Self::Logs),
            _ => None,
        }
    }

    /// The names of its parameters. Any other is rejected, because ignoring one would answer another question.
    pub(crate) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Metrics | Self::Summary => HistoryQuery::PARAMETERS,
            Self::Logs => &["timeRange"],
            Self::Page | Self::Health | Self::Apps | Self::Latest | Self::Series => &[],
        }
    }
}
