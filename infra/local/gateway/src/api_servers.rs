//! The servers of the WebSocket API and of the HTTP API, started and stopped together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bind::{BoundListeners, bind};
use crate::endpoints::ListenAddresses;
use crate::guard::AllowedPages;
use crate::http::HttpApi;
use crate::lambda::Invoker;
use crate::options::Options;
use crate::serve::serve;
use crate::template::Plan;
use crate::websocket::{Registry, WebSocketApi};

/// The ports that the published library and its dashboard have compiled in.
const WEBSOCKET_PORT: u16 = 8087;
const HTTP_PORT: u16 = 2798;
/// How long open connections and requests may take to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// The listeners, bound before anything that needs their addresses.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) websocket: BoundListeners,
    pub(crate) http: BoundListeners,
    pub(crate) management: BoundListeners,
}

impl Listeners {
    pub(crate) async fn bind(options: &Options) -> anyhow::Result<Self> {
        Ok(Self {
            websocket: bind("--ws", options.ws.as_deref(), WEBSOCKET_PORT, &options.allow_host).await?,
            http: bind("--http", options.http.as_deref(), HTTP_PORT, &options.allow_host).await?,
            management: bind("--management", Some(&options.management), 0, &options.allow_host).await?,
        })
    }

    pub(crate) fn addresses(&self) -> ListenAddresses {
        ListenAddresses {
            websocket: self.websocket.address,
            http: self.http.address,
            management: self.management.address,
        }
    }
}

/// The running servers of the plan's APIs.
#[derive(Debug, Default)]
pub(crate) struct ApiServers {
    servers: Vec<JoinHandle<()>>,
    /// Connections, requests and their invocations.
    tasks: Vec<TaskTracker>,
    /// Stops accepting clients and closes their connections.
    stop: CancellationToken,
}

impl ApiServers {
    pub(crate) fn serve_websocket(
        &mut self,
        bound: BoundListeners,
        plan: &Plan,
        options: &Options,
        region: &str,
        invoker: &Arc<Invoker>,
        registry: &Arc<Registry>,
    ) {
        let Some(plan) = plan.websocket.clone() else { return };
        let api = WebSocketApi::new(plan, region, options, invoker, registry, &self.stop);
        self.tasks.push(api.tasks.clone());
        let router = crate::websocket::router(Arc::new(api));
        self.servers.extend(serve(bound, AllowedPages::Any, router, &self.stop));
    }

    pub(crate) fn serve_http(
        &mut self,
        bound: BoundListeners,
        plan: &Plan,
        options: &Options,
        region: &str,
        invoker: &Arc<Invoker>,
    ) {
        let Some(plan) = plan.http.clone() else { return };
        let origins = plan.cors.as_ref().map(|cors| cors.origins.clone());
        let pages = AllowedPages::Own(origins.unwrap_or_default());
        let base_path = options.http_base_path.trim_end_matches('/');
        let api = HttpApi::new(plan, region, base_path, invoker);
        self.tasks.push(api.tasks.clone());
        let router = crate::http::router(Arc::new(api));
        self.servers.extend(serve(bound, pages, router, &self.stop));
    }

    /// Closes connections and waits for requests and invocations; false if the time limit was reached first.
    pub(crate) async fn drain(self) -> bool {
        self.stop.cancel();
        let ended = async {
            for server in self.servers {
                drop(server.await);
            }
            for tasks in self.tasks {
                tasks.close();
                tasks.wait().await;
            }
        };
        timeout(DRAIN_TIMEOUT, ended).await.is_ok()
    }
}
