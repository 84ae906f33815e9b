//! Closes every connection that names an application: its publishers and its viewers.

use crate::clock;
use crate::console::Console;
use crate::progress::Progress;
use crate::store::Live;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nsl_domain::ids::AppId;

/// Connections that are closed at a time.
const CONCURRENT_CLOSES: usize = 16;

/// Closes them and tells how many there were. Their rows go with their `$disconnect`.
pub(crate) async fn close_all(live: &Live, app: &AppId, console: &Console) -> anyhow::Result<usize> {
    let connected = live.publishers.connected(app, clock::now_ms()).await?;
    let progress = Progress::start(console, "closing", connected.len());
    let closing = stream::iter(&connected).map(|connection| async {
        let closed = live.courier.close(connection).await;
        progress.step();
        closed
    });
    closing.buffer_unordered(CONCURRENT_CLOSES).try_collect::<Vec<()>>().await?;
    Ok(connected.len())
}
