//! Receives the frames of one connection and records them in the delivery log, until the connection or the run ends.

use crate::failure::Failure;
use crate::reports::{Delivery, ReportRange};
use crate::run::Run;
use crate::target::App;
use nsl_client::frame::ServiceFrame;
use nsl_client::socket::{self, Receiver, Sender, SocketError, escaped};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Connects as an app. The key is sent in a header, which no log contains.
pub(crate) async fn connect(ws: &str, app: &App) -> Result<(Sender, Receiver), SocketError> {
    socket::connect(ws, &[("x-api-key", app.api_key.as_str())]).await
}

/// The side of a connection.
#[derive(Debug)]
pub(crate) enum Role {
    /// A publisher. Each reply adds a permit to `replies`, which is closed once the connection has ended.
    Publisher { index: usize, replies: Arc<Semaphore> },
    /// A subscriber. `subscribed` is resolved once, by the reply to `subscribe`.
    Subscriber { index: usize, subscribed: Option<oneshot::Sender<Result<(), Failure>>> },
}

/// Listens on one connection.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) run: Arc<Run>,
    pub(crate) role: Role,
}

impl Listener {
    /// Listens until the connection ends.
    pub(crate) async fn listen(mut self, mut receiver: Receiver) {
        let end = loop {
            match receiver.next().await {
                Ok(text) => self.record(&text),
                Err(end) => break end,
            }
        };
        if let Role::Publisher { replies, .. } = &self.role {
            replies.close();
        }
        if !self.run.is_ending() {
            self.fail(end.into());
        }
    }

    fn record(&mut self, text: &str) {
        let now = Instant::now();
        match (ServiceFrame::parse(text), &mut self.role) {
            (ServiceFrame::Ack(ack), Role::Publisher { index, replies }) => {
                let Some(range) = ReportRange::of_ack(&ack) else { return self.fail(malformed(text)) };
                self.run.log().acknowledge(*index, range, &ack.rejected, now);
                replies.add_permits(1);
            }
            (ServiceFrame::Error(rejection), Role::Publisher { index, replies }) => {
                let range = rejection.id.as_deref().and_then(ReportRange::of_id);
                self.run.log().reject(*index, range, &rejection.code, now);
                replies.add_permits(1);
            }
            (ServiceFrame::Metrics(payload), Role::Subscriber { index, .. }) => {
                let Some(delivery) = Delivery::parse(payload.get()) else {
                    return self.fail(malformed(text));
                };
                self.run.log().receive(*index, &delivery, now);
            }
            (ServiceFrame::Subscribed(_), Role::Subscriber { subscribed, .. }) => {
                // The subscriber may have timed out.
                let _ = subscribed.take().map(|subscribed| subscribed.send(Ok(())));
            }
            (ServiceFrame::Error(rejection), Role::Subscriber { .. }) => {
                self.fail(Failure::refused(format!("a subscription with {}", escaped(&rejection.code))));
            }
            (ServiceFrame::Metrics(_), Role::Publisher { .. }) => {
                self.fail(Failure::wrong("a report was sent to a publisher without a subscription"));
            }
            (ServiceFrame::Ack(_), Role::Subscriber { .. })
            | (ServiceFrame::Subscribed(_), Role::Publisher { .. }) => {
                self.fail(Failure::wrong("a reply without a request"));
            }
            (ServiceFrame::GatewayError(message), _) => {
                self.fail(Failure::wrong(format!("API Gateway reported an error: {}", escaped(&message))));
            }
            (ServiceFrame::Malformed, _) => self.fail(malformed(text)),
            (
                ServiceFrame::AuthSuccess
                | ServiceFrame::Replay(_)
                | ServiceFrame::Pong
                | ServiceFrame::Other,
                _,
            ) => {}
        }
    }

    /// Reports a failure to the subscriber that waits for its subscription, else to the log.
    fn fail(&mut self, failure: Failure) {
        let waiting = match &mut self.role {
            Role::Subscriber { subscribed, .. } => subscribed.take(),
            Role::Publisher { .. } => None,
        };
        match waiting {
            // A subscriber that has timed out has counted that itself.
            Some(waiting) => drop(waiting.send(Err(failure))),
            None => self.run.log().fail(failure),
        }
    }
}

fn malformed(text: &str) -> Failure {
    Failure::wrong(format!("a malformed frame: {}", escaped(text)))
}
