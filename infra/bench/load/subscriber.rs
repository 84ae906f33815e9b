//! Opens a subscriber, which then only receives.

use crate::failure::Failure;
use crate::listener::{Listener, Role, connect};
use crate::run::Run;
use crate::target::App;
use nsl_client::frame::{ClientFrame, Subscription};
use nsl_client::socket::Sender;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Opens subscriber number `index` of an app and waits until it is subscribed.
pub(crate) async fn open(run: Arc<Run>, index: usize, ws: &str, app: &App) -> Result<Sender, Failure> {
    let (mut sender, receiver) = connect(ws, app).await?;
    let (subscribed, outcome) = oneshot::channel();
    let limit = run.timeout;
    let role = Role::Subscriber { index, subscribed: Some(subscribed) };
    tokio::spawn(Listener { run, role }.listen(receiver));
    let frame = ClientFrame::Subscribe { data: Subscription { app_id: &app.app_id, since: None } };
    let text = serde_json::to_string(&frame).map_err(|error| Failure::wrong(error.to_string()))?;
    sender.send(text, limit).await?;
    match timeout(limit, outcome).await {
        Ok(Ok(outcome)) => outcome.map(|()| sender),
        Ok(Err(_listener_ended)) => Err(Failure::wrong("the connection ended before the subscription")),
        Err(_) => Err(Failure::timed_out("subscription", limit)),
    }
}
