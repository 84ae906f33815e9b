//! The two servers for clients, opened and closed together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::bind::{BoundListeners, bind};
use crate::http::Front;
use crate::lambda::Invoker;
use crate::serve::serve;
use crate::template::Plan;
use crate::websocket::{Gate, Lifetimes, Registry};
use crate::{Options, Settings};

/// The ports that the library and the dashboard have compiled in.
const WEBSOCKET_PORT: u16 = 8087;
const HTTP_PORT: u16 = 2798;
/// How long connections and requests may take to end.
const CLIENTS_LIMIT: Duration = Duration::from_secs(15);

/// The listeners, bound before anything that has to know their endpoints.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) websocket: BoundListeners,
    pub(crate) http: BoundListeners,
    pub(crate) management: BoundListeners,
}

impl Listeners {
    pub(crate) async fn bind(options: &Options) -> anyhow::Result<Self> {
        Ok(Self {
            websocket: bind("--ws", options.ws.as_deref(), WEBSOCKET_PORT).await?,
            http: bind("--http", options.http.as_deref(), HTTP_PORT).await?,
            management: bind("--management", Some(&options.management), 0).await?,
        })
    }
}

/// What clients talk to.
#[derive(Debug)]
pub(crate) struct ApiServers {
    gate: Option<Arc<Gate>>,
    front: Option<Arc<Front>>,
    servers: Vec<JoinHandle<()>>,
    /// Stops accepting clients and closes their connections.
    stop: CancellationToken,
}

impl ApiServers {
    /// Serves what the plan has.
    pub(crate) fn open(
        [websocket, http]: [BoundListeners; 2],
        options: &Options,
        settings: &Settings,
        plan: &Plan,
        invoker: &Arc<Invoker>,
        registry: &Arc<Registry>,
    ) -> Self {
        let stop = CancellationToken::new();
        let region = &settings.region;
        let mut servers = Vec::new();
        let gate = plan.websocket.clone().map(|plan| {
            let gate = Gate::new(plan, region, Lifetimes::of(options), invoker, registry, &stop);
            Arc::new(gate)
        });
        if let Some(gate) = &gate {
            servers.extend(serve(websocket.listeners, &crate::websocket::router(Arc::clone(gate)), &stop));
        }
        let base_path = options.http_base_path.trim_end_matches('/');
        let front = plan.http.clone().map(|plan| Arc::new(Front::new(plan, region, base_path, invoker)));
        if let Some(front) = &front {
            servers.extend(serve(http.listeners, &crate::http::router(Arc::clone(front)), &stop));
        }
        Self { gate, front, servers, stop }
    }

    /// Closes connections and waits for requests and invocations; tells whether all ended in time.
    pub(crate) async fn close_clients(&mut self) -> bool {
        self.stop.cancel();
        let servers = std::mem::take(&mut self.servers);
        let gate = self.gate.iter().map(|gate| &gate.tasks);
        let trackers = gate.chain(self.front.iter().map(|front| &front.tasks));
        let ended = async {
            for server in servers {
                drop(server.await);
            }
            for tasks in trackers {
                tasks.close();
                tasks.wait().await;
            }
        };
        timeout(CLIENTS_LIMIT, ended).await.is_ok()
    }
}
