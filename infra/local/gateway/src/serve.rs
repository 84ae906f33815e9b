//! Serves a router on guarded listeners until a token is cancelled.

use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bind::BoundListeners;
use crate::guard::{AllowedPages, Guard};

/// Serves `router` on each of the listeners, to programs and to `pages`. After `stop` the tasks end with the last open
/// request.
pub(crate) fn serve(
    bound: BoundListeners,
    pages: AllowedPages,
    router: Router,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let router = Guard { hosts: bound.hosts, pages }.protect(router);
    let serve_one = |listener| tokio::spawn(serve_one(listener, router.clone(), stop.clone()));
    bound.listeners.into_iter().map(serve_one).collect()
}

async fn serve_one(listener: TcpListener, router: Router, stop: CancellationToken) {
    // Frames are small and must not wait for each other's TCP acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    // axum retries failed accepts, so the server ends only when it is stopped.
    drop(server.await);
}
