//! One gateway from start to end: bind, create, start, tell, wait, drain.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api_servers::{ApiServers, Listeners};
use crate::console::Console;
use crate::demo::{TOOL, Tool};
use crate::dynamodb::{Engine, create_tables};
use crate::endpoints::Endpoints;
use crate::lambda::Invoker;
use crate::management::Management;
use crate::ready::{self, ReadyFile};
use crate::settings::Settings;
use crate::state::StateDir;
use crate::streams::Streams;
use crate::template::{self, Plan};
use crate::{Options, secrets, welcome};

/// The files of the state directory that users and scripts read.
pub(crate) const READY_FILE: &str = "ready.json";
pub(crate) const LOG_FILE: &str = "functions.log";
/// How long functions may take to end once no client is left, before they are killed.
const FUNCTIONS_LIMIT: Duration = Duration::from_secs(5);

/// Runs the gateway until `shutdown` resolves, then drains it.
pub async fn run(
    options: Options,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut plan = template::read(&options.template, &options.overrides(), &settings.region)?;
    let functions = functions_dir(&options, &settings)?;
    check_binaries(&plan, &functions, options.lambda_endpoint.is_none())?;
    let state = StateDir::open((!options.memory).then_some(options.data.as_path()))?;
    // A gateway that was killed left its ready file behind; nobody shall take it for this one's.
    for stale in options.ready_file.iter().chain([&state.file(READY_FILE)]) {
        ready::forget(stale)?;
    }
    secrets::fill(&mut plan, &state)?;
    let log = state.file(LOG_FILE);
    let console = Arc::new(Console::new(options.verbose, Some(&log))?);
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

fn functions_dir(options: &Options, settings: &Settings) -> anyhow::Result<PathBuf> {
    let beside = settings.program.as_deref().and_then(Path::parent);
    match options.functions.as_deref().or(beside) {
        Some(directory) => Ok(directory.to_path_buf()),
        None => bail!("--functions DIR is needed: this program's own directory is not known"),
    }
}

fn check_binaries(plan: &Plan, directory: &Path, with_functions: bool) -> anyhow::Result<()> {
    let functions = plan.functions.values().filter(|_| with_functions);
    let named =
        functions.map(|function| (format!("function {}", function.logical_id), function.binary.as_str()));
    for (whose, binary) in named.chain([("the demo app".to_owned(), TOOL)]) {
        let binary = directory.join(binary);
        if !binary.is_file() {
            bail!(
                "{whose} has no binary {}: run `cargo build --workspace --bins`, or say where it is with \
                 --functions DIR",
                binary.display()
            );
        }
    }
    Ok(())
}

/// Everything that runs.
struct Gateway {
    servers: ApiServers,
    management: Management,
    streams: Streams,
    invoker: Arc<Invoker>,
    engine: Option<Engine>,
    /// The demo agent, and what ends it.
    agent: Option<(JoinHandle<()>, CancellationToken)>,
    console: Arc<Console>,
    ready: Vec<ReadyFile>,
    _state: StateDir,
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
        let sockets = Listeners::bind(options).await?;
        let (engine, dynamodb) = Engine::start(options, &state).await?;
        create_tables(&dynamodb, &settings.region, &plan.tables).await?;
        let endpoints = Endpoints::new(&plan, &settings.region, &sockets, dynamodb);
        let Listeners { websocket, http, management } = sockets;
        let management = Management::open(management, endpoints.stage.as_deref());
        let invoker = Invoker::start(options, settings, &plan, &functions, &endpoints, console).await?;
        let invoker = Arc::new(invoker);
        let registry = &management.registry;
        let servers = ApiServers::open([websocket, http], options, settings, &plan, &invoker, registry);

        let streams = Streams::start(&plan, options, &endpoints, &state, &invoker, console)?;

        let tool = Tool::new(&functions, settings, &endpoints, console);
        let mut document = ready::document(&plan, &endpoints);
        let starting = ReadyFile::write(&state.file("starting.json"), &document)?;
        let app = tool.create_app(&state, starting.path()).await?;
        drop(starting);
        if let Some(document) = document.as_object_mut() {
            document.insert("app".into(), app);
            if options.lambda_endpoint.is_some() {
                document.insert("functions".into(), ready::functions(&plan, &endpoints));
            }
        }
        let path = state.file(READY_FILE);
        let mut ready = vec![ReadyFile::write(&path, &document)?];
        if let Some(path) = &options.ready_file {
            ready.push(ReadyFile::write(path, &document)?);
        }
        welcome::print(console, options, &plan, &endpoints, &document, &state);
        let agent = (!options.no_demo).then(|| {
            let end = CancellationToken::new();
            (tool.start_agent(&path, end.clone()), end)
        });
        Ok(Self {
            servers,
            management,
            streams,
            invoker,
            engine,
            agent,
            console: Arc::clone(console),
            ready,
            _state: state,
        })
    }

    /// Stops in the order in which nothing is lost: clients, invocations, functions, then what those need.
    async fn drain(mut self) {
        self.ready.clear();
        // The agent first: it would take a closed connection for a fault and come back.
        if let Some((agent, end)) = self.agent {
            end.cancel();
            drop(agent.await);
        }
        self.streams.cancel();
        let all_left = self.servers.close_clients().await;
        let all_delivered = self.streams.stop().await;
        let all_ended = timeout(FUNCTIONS_LIMIT, self.invoker.stop()).await.is_ok();
        if !(all_left && all_delivered && all_ended) {
            self.console.warn("not everything ended in time");
        }
        self.management.close();
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
}
