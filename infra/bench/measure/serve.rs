//! A loopback HTTP server, plain or TLS, which records when its first connection was opened.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Handles the requests of a server.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The response to `request`.
    fn handle(&self, request: Request<Bytes>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A running server, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    first_connection: Arc<OnceLock<Instant>>,
    task: AbortHandle,
}

impl Server {
    /// Serves `handler` on a free port.
    pub(crate) async fn start(handler: Arc<impl Handler>, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let first_connection = Arc::new(OnceLock::new());
        let seen = Arc::clone(&first_connection);
        let accept = async move {
            // Aborted with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = seen.set(Instant::now());
                let _ = stream.set_nodelay(true);
                let (handler, tls) = (Arc::clone(&handler), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, handler).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, handler).await;
                            }
                        }
                    }
                });
            }
        };
        Ok(Self { address, first_connection, task: tokio::spawn(accept).abort_handle() })
    }

    /// When the first connection was opened, if there was one.
    pub(crate) fn first_connection(&self) -> Option<Instant> {
        self.first_connection.get().copied()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send, handler: Arc<impl Handler>) {
    let service = service_fn(|request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (parts, body) = request.into_parts();
            // A client that disconnects within its request does not read the response.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok::<_, Infallible>(handler.handle(Request::from_parts(parts, body)).await)
        }
    });
    // A client may disconnect at any time.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
