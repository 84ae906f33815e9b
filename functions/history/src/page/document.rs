//! The text of the dashboard: one document that contains its styles and scripts, in two parts around the address of the
//! WebSocket API. The build script compresses it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::bundle;

const DOCUMENT: &str = include_str!("../../../../infra/dashboard/page.html");
const STYLE: &str = include_str!("../../../../infra/dashboard/style.css");
/// The charts' library.
pub(super) const CHARTS: &str = include_str!("../../../../infra/dashboard/vendor/uplot/uPlot.iife.min.js");
/// What service, CLI and dashboard know about the library's series.
const LIBRARY_SERIES: &str = include_str!("../../../shared/domain/src/series/library_series.json");

/// Each module with its text, in an order in which each comes after those that it imports.
macro_rules! modules {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../infra/dashboard/src/", $name, ".js")))),*]
    };
}

pub(super) const MODULES: &[(&str, &str)] = modules! {
    "elements" "storage" "language" "theme" "units" "times" "samples" "range" "bucket" "report_log" "rates"
    "history_merge" "live_cells" "panels" "route" "credential" "backoff" "feed" "service" "app_model" "history_loader" "notice" "sign_in"
    "spark_line" "apps_page" "plot" "panel_view" "chart_grid" "controls" "series_search" "report_list"
    "summary_table" "app_page" "top_bar" "main"
};

/// The document around the address, and what its policy allows by hash.
pub(super) struct Document {
    pub(super) before: String,
    pub(super) after: String,
    pub(super) style: String,
    pub(super) scripts: [String; 2],
}

/// The bundled document.
pub(super) fn document() -> Document {
    let style = bundle::style(STYLE);
    let modules = bundle::constant("LIBRARY_SERIES", LIBRARY_SERIES) + &bundle::modules(MODULES);
    let (before, after) = DOCUMENT.split_once("{{websocket}}").unwrap_or((DOCUMENT, ""));
    let after =
        after.replace("{{style}}", &style).replace("{{charts}}", CHARTS).replace("{{modules}}", &modules);
    Document { before: before.to_owned(), after, style, scripts: [CHARTS.to_owned(), modules] }
}

/// What a policy allows an inline block of this text by.
pub(super) fn source_hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
