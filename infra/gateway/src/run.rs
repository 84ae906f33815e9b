//! One gateway from start to end: bind, create, start, tell, wait, drain.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::addresses::Addresses;
use crate::bind::bind;
use crate::console::Console;
use crate::demo::Tool;
use crate::dynamodb::{Engine, create_tables};
use crate::http::Front;
use crate::lambda::Invoker;
use crate::ready::{self, ReadyFile};
use crate::serve::serve;
use crate::settings::Settings;
use crate::state::StateDir;
use crate::template::{self, Plan};
use crate::websocket::{Gate, Lifetimes, Registry};
use crate::{Options, http, management, secrets, websocket, welcome};

/// The ports that the library and the dashboard have compiled in.
const WEBSOCKET_PORT: u16 = 8087;
const HTTP_PORT: u16 = 2798;
/// How long connections and requests may take to end.
const CLIENTS_LIMIT: Duration = Duration::from_secs(15);
/// How long functions may take to end after that, before they are killed.
const FUNCTIONS_LIMIT: Duration = Duration::from_secs(5);

/// Runs the gateway until `shutdown` resolves, then drains it.
pub async fn run(
    options: Options,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut plan = template::read(&options.template, &options.overrides(), &settings.region)?;
    let functions = functions_dir(&options, &settings)?;
    if options.lambda_endpoint.is_none() {
        check_binaries(&plan, &functions)?;
    }
    let state = StateDir::open((!options.memory).then_some(options.data.as_path()))?;
    secrets::fill(&mut plan, &state)?;
    let log = state.file("functions.log");
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

/// Makes the demo app and writes the ready files, which name it.
async fn announce(
    tool: &Tool,
    plan: &Plan,
    addresses: &Addresses,
    state: &StateDir,
    also: Option<&Path>,
) -> anyhow::Result<(Vec<ReadyFile>, Json)> {
    let mut document = ready::document(plan, addresses);
    let starting = ReadyFile::write(&state.file("starting.json"), &document)?;
    let app = tool.create_app(state, starting.path()).await?;
    if let Some(document) = document.as_object_mut() {
        document.insert("app".into(), app);
    }
    let mut ready = vec![ReadyFile::write(&state.file("ready.json"), &document)?];
    if let Some(path) = also {
        ready.push(ReadyFile::write(path, &document)?);
    }
    Ok((ready, document))
}

fn functions_dir(options: &Options, settings: &Settings) -> anyhow::Result<PathBuf> {
    let beside = settings.program.as_deref().and_then(Path::parent);
    match options.functions.as_deref().or(beside) {
        Some(directory) => Ok(directory.to_path_buf()),
        None => bail!("--functions DIR is needed: this program's own directory is not known"),
    }
}

fn check_binaries(plan: &Plan, directory: &Path) -> anyhow::Result<()> {
    for function in plan.functions.values() {
        let binary = directory.join(&function.binary);
        if !binary.is_file() {
            bail!(
                "function {} has no binary {}: run `cargo build --workspace --bins`, or say where it is with \
                 --functions DIR",
                function.logical_id,
                binary.display()
            );
        }
    }
    Ok(())
}

/// Everything that runs.
struct Gateway {
    gate: Option<Arc<Gate>>,
    front: Option<Arc<Front>>,
    invoker: Arc<Invoker>,
    engine: Option<Engine>,
    /// Stops accepting and closes connections.
    stop: CancellationToken,
    /// Stops what functions need until they have ended.
    last: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    agent: Option<JoinHandle<()>>,
    console: Arc<Console>,
    // Removed in this order: the ready files, then the directory that one is in.
    _ready: Vec<ReadyFile>,
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
        let ws = bind("--ws", options.ws.as_deref(), WEBSOCKET_PORT).await?;
        let web = bind("--http", options.http.as_deref(), HTTP_PORT).await?;
        let desk = bind("", Some("127.0.0.1:0"), 0).await?;
        let (engine, dynamodb) = Engine::start(options, &state).await?;
        create_tables(&dynamodb, &settings.region, &plan.tables).await?;
        let addresses =
            Addresses::new(&plan, &settings.region, ws.address, web.address, desk.address, dynamodb);
        let invoker = Invoker::start(options, settings, &plan, &functions, &addresses, console).await?;
        let invoker = Arc::new(invoker);
        let (stop, last) = (CancellationToken::new(), CancellationToken::new());
        let registry = Arc::new(Registry::default());

        let mut servers = Vec::new();
        let region = &settings.region;
        let gate = plan.websocket.clone().map(|plan| {
            let lifetimes = Lifetimes::of(options);
            Arc::new(Gate::new(plan, region, lifetimes, &invoker, &registry, &stop))
        });
        if let Some(gate) = &gate {
            servers.extend(serve(ws.listeners, &websocket::router(Arc::clone(gate)), &stop));
        }
        let front = plan.http.clone().map(|plan| {
            let base = options.http_base_path.trim_end_matches('/');
            Arc::new(Front::new(plan, region, base, &invoker))
        });
        if let Some(front) = &front {
            servers.extend(serve(web.listeners, &http::router(Arc::clone(front)), &stop));
        }
        let stage = addresses.stage.clone().unwrap_or_default();
        let desk_router = management::router(Arc::new(management::Desk { registry, stage }));
        serve(desk.listeners, &desk_router, &last);

        let tool = Tool::new(&functions, settings, &addresses, console);
        let (ready, document) =
            announce(&tool, &plan, &addresses, &state, options.ready_file.as_deref()).await?;
        welcome::print(console, options, &plan, &addresses, &document, &state);
        let agent = match ready.first() {
            Some(file) if !options.no_demo => Some(tool.start_agent(file.path(), stop.clone())),
            _ => None,
        };
        let console = Arc::clone(console);
        Ok(Self {
            gate,
            front,
            invoker,
            engine,
            stop,
            last,
            servers,
            agent,
            console,
            _ready: ready,
            _state: state,
        })
    }

    /// Stops in the order in which nothing is lost: clients, invocations, functions, then what those need.
    async fn drain(self) {
        let Self { gate, front, invoker, engine, stop, last, servers, agent, console, _ready, _state } = self;
        stop.cancel();
        let clients = async {
            if let Some(agent) = agent {
                drop(agent.await);
            }
            for server in servers {
                drop(server.await);
            }
            let trackers = gate.iter().map(|gate| &gate.tasks).chain(front.iter().map(|front| &front.tasks));
            for tasks in trackers {
                tasks.close();
                tasks.wait().await;
            }
        };
        let all_left = timeout(CLIENTS_LIMIT, clients).await.is_ok();
        let all_ended = timeout(FUNCTIONS_LIMIT, invoker.stop()).await.is_ok();
        if !(all_left && all_ended) {
            console.warn("not everything ended in time");
        }
        last.cancel();
        if let Some(engine) = engine {
            engine.stop().await;
        }
    }
}
