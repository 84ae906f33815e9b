//! The dashboard: one document that contains its styles and scripts, with a policy that allows only those by hash.
//! One document is one invocation, works under any path, and is the same for every caller.

mod bundle;

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::{HeaderMap, HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use nsl_domain::series::LIBRARY_SERIES;
use sha2::{Digest, Sha256};

const DOCUMENT: &str = include_str!("../../../infra/dashboard/page.html");
const STYLE: &str = include_str!("../../../infra/dashboard/style.css");
const CHARTS: &str = include_str!("../../../infra/dashboard/vendor/uplot/uPlot.iife.min.js");

/// Each module with its text, in an order in which each comes after those that it imports.
macro_rules! modules {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../infra/dashboard/src/", $name, ".js")))),*]
    };
}

const MODULES: &[(&str, &str)] = modules! {
    "elements" "storage" "language" "theme" "units" "times" "samples" "range" "bucket" "report_log" "rates"
    "history_merge" "live_cells" "panels" "route" "credential" "backoff" "feed" "service" "app_model" "history_loader" "notice" "sign_in"
    "spark_line" "apps_page" "plot" "panel_view" "chart_grid" "controls" "series_search" "report_list"
    "summary_table" "app_page" "top_bar" "main"
};

/// The page of one stack, which contains the address of its WebSocket API.
#[derive(Debug)]
pub(crate) struct Page {
    websocket: String,
    bundle: OnceLock<Bundle>,
}

#[derive(Debug)]
struct Bundle {
    text: String,
    tag: String,
    policy: String,
}

impl Page {
    /// The page that connects to `websocket`. It is bundled at its first request.
    pub(crate) fn new(websocket: &str) -> Self {
        Self { websocket: websocket.to_owned(), bundle: OnceLock::new() }
    }

    /// The page, or status 304 if `has_etag` of its tag.
    pub(crate) fn answer(&self, has_etag: impl Fn(&str) -> bool) -> Response<Body> {
        let page = self.bundle.get_or_init(|| bundle(&self.websocket));
        let is_current = has_etag(&page.tag);
        let mut response =
            Response::new(if is_current { Body::Empty } else { Body::Text(page.text.clone()) });
        if is_current {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        *response.headers_mut() = headers(page);
        response
    }
}

fn headers(page: &Bundle) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // Revalidated each time, so that a deployment shows at the next visit.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, &page.tag),
        (header::CONTENT_SECURITY_POLICY, &page.policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn bundle(websocket: &str) -> Bundle {
    let style = bundle::style(STYLE);
    let modules = bundle::constant("LIBRARY_SERIES", LIBRARY_SERIES) + &bundle::modules(MODULES);
    let address = bundle::attribute(websocket);
    let text = DOCUMENT
        .replace("{{websocket}}", &address)
        .replace("{{style}}", &style)
        .replace("{{charts}}", CHARTS)
        .replace("{{modules}}", &modules);
    let policy = policy(websocket, &style, &[CHARTS, &modules]);
    Bundle { tag: format!("\"{}\"", hash(&format!("{text}{policy}"))), text, policy }
}

/// The content security policy: the page runs only its own scripts and connects only to the API that it came from and
/// the WebSocket. No text becomes markup (`require-trusted-types-for`), and no other page may embed it.
fn policy(websocket: &str, style: &str, scripts: &[&str]) -> String {
    let hashes: Vec<String> = scripts.iter().map(|script| format!("'sha256-{}'", hash(script))).collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'sha256-{}'; connect-src 'self' {}; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        hashes.join(" "),
        hash(style),
        origin(websocket),
    )
}

/// Scheme and authority of an address: a policy with a path would match only that exact path.
fn origin(address: &str) -> &str {
    let authority = address.find("://").map_or(0, |at| at + "://".len());
    let end = address.get(authority..).and_then(|rest| rest.find('/')).map(|at| authority + at);
    address.get(..end.unwrap_or(address.len())).unwrap_or_default()
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
