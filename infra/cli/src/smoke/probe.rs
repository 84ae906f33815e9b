//! What every check uses: the addresses under test, and how requests are sent, counted and repeated.

use super::report::Failure;
use crate::connection::Connection;
use crate::store::{Live, Store};
use nsl_client::console::Console;
use nsl_client::http::{Answer, Call, HttpClient, HttpError, Method};
use nsl_client::progress::Progress;
use nsl_client::ready_file::ReadyFile;
use nsl_client::socket::SocketError;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest wait for a response: API Gateway allows a function 30 seconds.
pub(crate) const HTTP_TIMEOUT: Duration = Duration::from_secs(35);

/// Longest wait for what the service promises at once, a cold start included.
pub(crate) const PROMPT: Duration = Duration::from_secs(15);

/// Pause between two looks at something that is awaited.
const POLL: Duration = Duration::from_secs(1);

/// The service under test.
pub(crate) struct Probe<'a> {
    pub(crate) site: &'a ReadyFile,
    /// Address of the WebSocket API.
    pub(crate) ws: String,
    /// Address of the HTTP API, which `http` calls.
    pub(crate) http_address: String,
    pub(crate) http: HttpClient,
    pub(crate) store: &'a Store,
    pub(crate) live: &'a Live,
    pub(crate) console: &'a Console,
    /// Longest wait for a rollup.
    pub(crate) rollup_wait: Duration,
    pub(crate) tally: Tally,
}

/// What was sent to the service.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: Cell<u32>,
    pub(crate) handshakes: Cell<u32>,
    pub(crate) frames: Cell<u32>,
}

impl Tally {
    fn count(counter: &Cell<u32>) {
        counter.set(counter.get().saturating_add(1));
    }
}

impl Probe<'_> {
    /// The response to GET, whatever its status.
    pub(crate) async fn get(&self, path: &str, key: Option<&str>) -> Result<Answer, HttpError> {
        let bearer = key.map(|key| format!("Bearer {key}"));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.call(Method::GET, path, &headers).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, HttpError> {
        Tally::count(&self.tally.calls);
        self.http.send(Call { method, path, headers, body: String::new() }).await
    }

    /// A connection whose handshake has these headers.
    pub(crate) async fn connect(&self, headers: &[(&str, &str)]) -> Result<Connection, SocketError> {
        Tally::count(&self.tally.handshakes);
        Connection::connect(&self.ws, headers).await
    }

    /// Sends one frame that the service answers.
    pub(crate) async fn send(&self, connection: &mut Connection, frame: String) -> Result<(), SocketError> {
        Tally::count(&self.tally.frames);
        connection.send_text(frame).await
    }

    /// Repeats `attempt` until it succeeds, for at most `limit`.
    pub(crate) async fn eventually<T, F>(
        &self,
        task: &str,
        limit: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let began = Instant::now();
        let progress = Progress::start(self.console, task, limit.as_secs());
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(failure) if began.elapsed() >= limit => {
                    let got = format!("{}, after {} s", failure.got, began.elapsed().as_secs());
                    return Err(Failure { got, ..failure });
                }
                Err(_) => sleep(POLL).await,
            }
            let elapsed = began.elapsed().as_secs();
            progress.set(elapsed, &format!("{elapsed} of at most {} s", limit.as_secs()));
        }
    }
}

/// The start of a text from the service, for a failure.
pub(crate) fn excerpt(answer: &Answer) -> String {
    const MAX_SHOWN: usize = 160;
    let body: String = answer.body.trim().chars().take(MAX_SHOWN).collect();
    format!("{} {body}", answer.status).trim_end().to_owned()
}
