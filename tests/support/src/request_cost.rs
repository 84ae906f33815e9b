//! What one request costs: its calls to AWS, the bytes that leave, and dollars for a million of it.

use crate::environment::TestEnvironment;
use crate::prices::{Prices, cells};

/// The document with the costliest request of each kind of caller.
const SECURITY: &str = include_str!("../../../docs/SECURITY.md");

/// What precedes its table.
const HEADING: &str = "## The costliest request of each caller";

/// Bytes of a WebSocket message, and of an HTTP answer, for which API Gateway charges once.
const MESSAGE_BYTES: usize = 32 * 1_024;
const ANSWER_BYTES: usize = 512 * 1_024;

/// How far a figure may be from the documented one.
const TOLERANCE: f64 = 0.05;

/// What one request costs.
#[derive(Debug, Clone, Copy)]
pub struct RequestCost {
    /// Calls to AWS.
    pub calls: usize,
    /// Bytes of all answers.
    pub bytes: usize,
    /// For a million requests.
    pub dollars: f64,
}

impl RequestCost {
    /// The cost of the one HTTP call since calls were last taken, with an answer of `bytes`.
    pub fn of_http(env: &TestEnvironment, bytes: usize, ms: f64) -> Self {
        let prices = Prices::documented();
        let requests = bytes.div_ceil(ANSWER_BYTES).max(1) as f64 * prices.http_request;
        Self::of(env, requests + prices.invocation(ms), bytes)
    }

    /// The cost of the one frame since calls were last taken, whose route answered with `result`.
    pub fn of_frame(env: &TestEnvironment, result: Option<usize>, ms: f64) -> Self {
        let prices = Prices::documented();
        let posts = env.posted_bytes();
        let sent: Vec<usize> = posts.into_iter().chain(result).collect();
        let messages: usize = sent.iter().map(|bytes| bytes.div_ceil(MESSAGE_BYTES)).sum();
        let requests = (1 + messages) as f64 * prices.websocket_message;
        Self::of(env, requests + prices.invocation(ms), sent.iter().sum())
    }

    fn of(env: &TestEnvironment, requests: f64, bytes: usize) -> Self {
        let prices = Prices::documented();
        let units: f64 = env
            .take_consumed()
            .iter()
            .map(|one| one.units * if one.is_read() { prices.read_unit } else { prices.write_unit })
            .sum();
        let out = bytes as f64 / 1e9 * 1e6 * prices.gb_out;
        Self { calls: env.take_calls().len(), bytes, dollars: requests + units + out }
    }

    /// Compares it with the row of docs/SECURITY.md whose first cell is `caller`.
    pub fn assert_documented(&self, caller: &str) {
        let (_, table) = SECURITY.split_once(HEADING).expect("the document has the table");
        let cells = cells(table, caller);
        let number = |cell: usize| cells[cell].replace(',', "").parse::<f64>().expect("a number");
        let is_near = |documented: f64, found: f64| (documented - found).abs() <= TOLERANCE * found;
        assert!(
            number(2) == self.calls as f64
                && is_near(number(3), self.bytes as f64)
                && is_near(number(4), self.dollars),
            "{caller}: {} calls, {} bytes, {:.2} dollars; documented: {cells:?}",
            self.calls,
            self.bytes,
            self.dollars,
        );
    }
}
