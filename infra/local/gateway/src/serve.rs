//! Routers on listeners, until told to stop.

use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
    // Frames are small and must not wait for each other's acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    // Accepting goes on after faults, so it ends only when told to.
    drop(server.await);
}
