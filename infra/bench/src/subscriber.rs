//! A subscriber: dials, subscribes, and from then on only hears.

use crate::connection::{Ear, Mouth, Role, dial};
use crate::fleet::Run;
use crate::target::App;
use crate::trouble::Trouble;
use crate::wire::subscribe_frame;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Opens subscriber number `index` of an application. Returns once its subscription stands, with what it speaks
/// through.
pub(crate) async fn open(run: Arc<Run>, index: usize, ws: &str, app: &App) -> Result<Mouth, Trouble> {
    let (mut mouth, stream) = dial(ws, app).await?.split();
    let (sender, subscribed) = oneshot::channel();
    let role = Role::Subscriber { index, subscribed: Some(sender) };
    let patience = run.patience;
    tokio::spawn(Ear { run, role, is_gone: Arc::default() }.listen(stream));
    let frame = Message::text(subscribe_frame(&app.app_id));
    mouth.send(frame).await.map_err(|error| Trouble::of_break(&error))?;
    match timeout(patience, subscribed).await {
        Ok(Ok(outcome)) => outcome.map(|()| mouth),
        Ok(Err(_ear_is_gone)) => Err(Trouble::of_close(None)),
        Err(_) => Err(Trouble::no_answer("subscription", patience)),
    }
}
