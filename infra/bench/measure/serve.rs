//! A loopback HTTP server, plain or TLS, which records when its first connection was opened.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A running server, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    first_connection: Arc<OnceLock<Instant>>,
    task: AbortHandle,
}

impl Server {
    /// Serves `router` on a free port.
    pub(crate) async fn start(router: Router, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
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
                let (router, tls) = (router.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, router).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, router).await;
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

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let (stream, service) = (TokioIo::new(stream), TowerToHyperService::new(router));
    // A client may disconnect at any time.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
}
