//! A small HTTP server on a free loopback port whose connections can be cut, as those of a real endpoint can.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Largest accepted request: more than any AWS call may have.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    online: watch::Sender<bool>,
    _accept_loop: JoinSet<()>,
}

impl TestServer {
    /// Responds to every request with what `respond` returns; `None` drops the connection.
    pub(crate) async fn start<R, F>(respond: R) -> Self
    where
        R: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Option<Response<Body>>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (online, is_online) = watch::channel(true);
        let mut accept_loop = JoinSet::new();
        accept_loop.spawn(accept(listener, Arc::new(respond), is_online));
        Self { address, online, _accept_loop: accept_loop }
    }

    /// While offline, every connection is cut, new ones at once.
    pub(crate) fn set_online(&self, online: bool) {
        self.online.send_replace(online);
    }
}

async fn accept<R, F>(listener: TcpListener, respond: Arc<R>, is_online: watch::Receiver<bool>)
where
    R: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (respond, mut is_online) = (Arc::clone(&respond), is_online.clone());
        connections.spawn(async move {
            tokio::select! {
                () = serve(stream, respond) => {}
                _ = is_online.wait_for(|is_online| !is_online) => {}
            }
        });
    }
}

async fn serve<R, F>(stream: TcpStream, respond: Arc<R>)
where
    R: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let respond = Arc::clone(&respond);
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(Body::new(body), MAX_REQUEST_BYTES).await;
            let request = Request::from_parts(head, body.map_err(io::Error::other)?);
            respond(request).await.ok_or_else(|| io::Error::other("the connection is dropped"))
        }
    });
    // A client that closes its connection causes no error here.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}
