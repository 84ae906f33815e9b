//! Routers on listeners, until told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long open requests are waited for once a server stops.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Serves `router` on each of the listeners; the tasks end some time after `stop`, with the last open request.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    router: &Router,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    listeners
        .into_iter()
        .map(|listener| tokio::spawn(serve_one(listener, router.clone(), stop.clone())))
        .collect()
}

async fn serve_one(listener: TcpListener, router: Router, stop: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        // Accepting goes on after faults, so it ends only when told to.
        _ = server => {}
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_LIMIT).await;
        } => {}
    }
}
