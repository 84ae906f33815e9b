//! The prices and figures of docs/COST.md, with which tests compare what they measured.

/// The document.
const COST: &str = include_str!("../../../docs/COST.md");

/// What COST assumes of an invocation for a frame, for a batch and for a query.
pub const FRAME_MS: f64 = 10.0;
pub const BATCH_MS: f64 = 30.0;
pub const QUERY_MS: f64 = 50.0;

/// The default of `MemorySize` in template.yaml, in GB.
const MEMORY_GB: f64 = 0.25;

/// Dollars for a million of each, and for a GB.
#[derive(Debug, Clone, Copy)]
pub struct Prices {
    pub websocket_message: f64,
    pub http_request: f64,
    pub read_unit: f64,
    pub write_unit: f64,
    pub gb_out: f64,
    invocation: f64,
    million_gb_seconds: f64,
}

impl Prices {
    /// Those of the document's last section.
    pub fn documented() -> Self {
        let of = |row: &str, unit: &str| {
            let cell = cells(COST, row).last().copied().unwrap_or_default();
            let before = cell.split(unit).next().unwrap_or_default();
            let number = before.split_whitespace().next_back().unwrap_or_default();
            number.parse::<f64>().unwrap_or_else(|_| panic!("no price before {unit:?} in {cell:?}"))
        };
        Self {
            websocket_message: of("WebSocket messages, each 32 KB", " a million"),
            http_request: of("HTTP API requests, each 512 KB", " a million"),
            read_unit: of("DynamoDB", " a million read units"),
            write_unit: of("DynamoDB", " a million write units"),
            gb_out: of("data out", " a GB"),
            invocation: of("Lambda", " a million"),
            million_gb_seconds: of("Lambda", " a GB-second") * 1e6,
        }
    }

    /// A million invocations of so many milliseconds each, with the memory of the template.
    pub fn invocation(&self, ms: f64) -> f64 {
        self.invocation + ms / 1_000.0 * MEMORY_GB * self.million_gb_seconds
    }
}

/// The number in the last cell of the row of the document whose first cell is `first`.
pub fn documented_row(first: &str) -> f64 {
    let last = cells(COST, first).last().copied().unwrap_or_default();
    last.parse().unwrap_or_else(|_| panic!("no number ends the row {first:?}: {last:?}"))
}

/// The cells of the row of `document` whose first cell is `first`.
pub(crate) fn cells(document: &'static str, first: &str) -> Vec<&'static str> {
    let rows =
        document.lines().map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    rows.into_iter()
        .find(|cells| cells.first() == Some(&first))
        .unwrap_or_else(|| panic!("there is no row {first:?}"))
}
