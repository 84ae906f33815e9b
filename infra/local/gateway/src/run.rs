//! One gateway from startup to shutdown.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access_key::AccessKey;
use crate::api_servers::{ApiServers, Listeners};
use crate::console::Console;
use crate::demo::{DemoTool, TOOL};
use crate::dynamodb::{Engine, create_tables};
use crate::endpoints::Endpoints;
use crate::json::extended;
use crate::lambda::Invoker;
use crate::management::ManagementApi;
use crate::options::Options;
use crate::ready::{self, ReadyFile};
use crate::settings::Settings;
use crate::state::{LOG_FILE, READY_FILE, StateDir};
use crate::streams::Streams;
use crate::template::{self, Plan};
use crate::{secrets, welcome};

/// How long functions may take to end after their last invocation before they are killed.
const FUNCTIONS_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the gateway until `shutdown` resolves, then drains it.
pub async fn run(
    options: Options,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut plan = template::read(&options.template, &options.overrides(), &settings.region)?;
    let functions = functions_directory(&options, &settings)?;
    check_binaries(&plan, &functions, options.lambda_endpoint.is_none())?;
    let state = StateDir::open((!options.memory).then_some(options.data.as_path()))?;
    for path in options.ready_file.iter().chain([&state.file(READY_FILE)]) {
        ready::remove_stale(path)?;
    }
    secrets::resolve(&mut plan, &state)?;
    let console = Arc::new(Console::new(options.verbose, &state.file(LOG_FILE))?);
    tokio::pin!(shutdown);

    let start = Gateway::start(&options, &settings, plan, functions, state, &console);
    let gateway = tokio::select! {
        gateway = start => gateway?,
        () = &mut shutdown => return Ok(()),
    };
    shutdown.await;
    gateway.drain().await;
    Ok(())
}

fn functions_directory(options: &Options, settings: &Settings) -> anyhow::Result<PathBuf> {
    let beside = settings.program.as_deref().and_then(Path::parent);
    match options.functions.as_deref().or(beside) {
        Some(directory) => Ok(directory.to_path_buf()),
        None => {
            bail!("cannot find this program's own directory: name that of the functions with --functions DIR")
        }
    }
}

fn check_binaries(plan: &Plan, directory: &Path, with_functions: bool) -> anyhow::Result<()> {
    let functions = plan.functions.values().filter(|_| with_functions);
    let needed =
        functions.map(|function| (format!("function {}", function.logical_id), function.binary.as_str()));
    for (user, binary) in needed.chain([("the demo app".to_owned(), TOOL)]) {
        let binary = directory.join(binary);
        if !binary.is_file() {
            bail!(
                "{user} has no binary {}: run `cargo build --workspace --bins`, or name the directory of the \
                 binaries with --functions DIR",
                binary.display()
            );
        }
    }
    Ok(())
}

/// A new secret for the embedded DynamoDB; for another one the key that its owner names.
fn access_key(options: &Options, settings: &Settings) -> AccessKey {
    match (&options.dynamodb, &settings.dynamodb_access_key) {
        (None, _) => AccessKey::generate(),
        (Some(_), None) => AccessKey::shared(),
        (Some(_), Some(access_key)) => access_key.clone(),
    }
}

/// Everything that runs.
struct Gateway {
    servers: ApiServers,
    management: ManagementApi,
    streams: Streams,
    invoker: Arc<Invoker>,
    engine: Option<Engine>,
    agent: Option<Agent>,
    console: Arc<Console>,
    ready: Vec<ReadyFile>,
    _state: StateDir,
}

/// The demo agent's task, and the token that ends it.
struct Agent {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Gateway {
    async fn start(
        options: &Options,
        settings: &Settings,
        plan: Plan,
        functions: PathBuf,
        state: StateDir,
        console: &Arc<Console>,
    ) -> anyhow::Result<Self> {
        let region = &settings.region;
        let listeners = Listeners::bind(options).await?;
        let access_key = access_key(options, settings);
        let (engine, dynamodb) = Engine::start(options, &state, &access_key).await?;
        create_tables(&dynamodb, region, access_key.as_str(), &plan.tables).await?;
        let endpoints = Endpoints::new(&plan, region, listeners.addresses(), dynamodb, access_key);
        let management = ManagementApi::start(listeners.management, &endpoints);
        let invoker = Invoker::start(options, settings, &plan, &functions, &endpoints, console).await?;
        let invoker = Arc::new(invoker);
        let mut servers = ApiServers::default();
        let registry = &management.registry;
        servers.serve_websocket(listeners.websocket, &plan, options, region, &invoker, registry);
        servers.serve_http(listeners.http, &plan, options, region, &invoker);
        let streams = Streams::start(&plan, options, &endpoints, &state, &invoker, console)?;

        let tool = DemoTool {
            binary: functions.join(TOOL),
            settings: settings.clone(),
            endpoints: endpoints.clone(),
            console: Arc::clone(console),
        };
        let mut document = ready::document(&plan, &endpoints);
        let without_app = ReadyFile::write(&state.file("starting.json"), &document)?;
        let app = tool.create_app(&state, without_app.path()).await?;
        drop(without_app);
        document = extended(document, json!({ "app": app }));
        if options.lambda_endpoint.is_some() {
            document = extended(document, json!({ "functions": ready::functions(&plan, &endpoints) }));
        }
        let path = state.file(READY_FILE);
        let mut ready = vec![ReadyFile::write(&path, &document)?];
        if let Some(path) = &options.ready_file {
            ready.push(ReadyFile::write(path, &document)?);
        }
        welcome::print(console, options, &plan, &document, &state, &functions);
        let agent = (!options.no_demo).then(|| {
            let stop = CancellationToken::new();
            Agent { task: tool.start_agent(&path, stop.clone()), stop }
        });
        let console = Arc::clone(console);
        Ok(Self { servers, management, streams, invoker, engine, agent, console, ready, _state: state })
    }

    /// Stops clients, then invocations, then functions, then what functions need, so that nothing is lost.
    async fn drain(mut self) {
        self.ready.clear();
        // The agent goes first: it would reconnect when its connection closes.
        if let Some(agent) = self.agent {
            agent.stop.cancel();
            drop(agent.task.await);
        }
        self.streams.cancel();
        let clients_ended = self.servers.drain().await;
        let batches_ended = self.streams.stop().await;
        let functions_ended = timeout(FUNCTIONS_TIMEOUT, self.invoker.stop()).await.is_ok();
        if !(clients_ended && batches_ended && functions_ended) {
            self.console.warn("some connections, batches or functions did not end in time and were cut off");
        }
        self.management.stop();
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
}
