//! A small HTTP server on a free loopback port whose connections can be cut off, as those of a real endpoint can.

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

/// Largest request that is taken, in bytes: more than any call of AWS may have.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    open: watch::Sender<bool>,
    _server: JoinSet<()>,
}

impl TestServer {
    /// Answers every request with what `answer` says; `None` drops the connection instead.
    pub(crate) async fn open<A, F>(answer: A) -> Self
    where
        A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Option<Response<Body>>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (open, is_open) = watch::channel(true);
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::new(answer), is_open));
        Self { address, open, _server: server }
    }

    /// Cuts off every connection and drops later ones as they come.
    pub(crate) fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub(crate) fn reopen(&self) {
        self.open.send_replace(true);
    }
}

async fn accept<A, F>(listener: TcpListener, answer: Arc<A>, is_open: watch::Receiver<bool>)
where
    A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, mut is_open) = (Arc::clone(&answer), is_open.clone());
        connections.spawn(async move {
            tokio::select! {
                () = serve(stream, answer) => {}
                _ = is_open.wait_for(|is_open| !is_open) => {}
            }
        });
    }
}

async fn serve<A, F>(stream: TcpStream, answer: Arc<A>)
where
    A: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(Body::new(body), MAX_REQUEST_BYTES).await;
            let request = Request::from_parts(head, body.map_err(io::Error::other)?);
            answer(request).await.ok_or_else(|| io::Error::other("the connection is dropped"))
        }
    });
    // A client that ends its connection is no fault of the server's.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}
