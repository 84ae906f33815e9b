//! One gateway from start to end: bind, create, start, tell, wait, drain.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::addresses::Addresses;
use crate::bind::bind;
use crate::console::Console;
use crate::demo::Tool;
use crate::dynamodb::{Engine, create_tables};
use crate::http::Front;
use crate::lambda::{Backend, Fleet, Invoker, Launch, PoolLimits, Remote, for_function};
use crate::ready::{self, ReadyFile};
use crate::serve::serve;
use crate::settings::Settings;
use crate::state::StateDir;
use crate::template::{self, ACCOUNT_ID, Plan};
use crate::websocket::{Api, Gate, Lifetimes, Registry};
use crate::{Options, http, management, websocket, welcome};

/// The ports that the library and the dashboard have compiled in.
const WEBSOCKET_PORT: u16 = 8087;
const HTTP_PORT: u16 = 2798;
/// How long a drain may take before what is left is ended.
const DRAIN_LIMIT: Duration = Duration::from_secs(15);

/// Runs the gateway until `shutdown` resolves, then drains it.
pub async fn run(
    options: Options,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let plan = template::read(&options.template, &options.overrides(), &settings.region)?;
    let functions = functions_dir(&options, &settings)?;
    if options.lambda_endpoint.is_none() {
        check_binaries(&plan, &functions)?;
    }
    let state = StateDir::open((!options.memory).then_some(options.data.as_path()))?;
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
        let (engine, dynamodb) = start_dynamodb(options, &state).await?;
        create_tables(&dynamodb, &settings.region, &plan.tables).await?;
        let addresses =
            Addresses::new(&plan, &settings.region, ws.address, web.address, desk.address, dynamodb);
        let invoker = start_functions(options, settings, &plan, &functions, &addresses, console).await?;
        let (stop, last) = (CancellationToken::new(), CancellationToken::new());
        let registry = Arc::new(Registry::default());

        let mut servers = Vec::new();
        let gate = gate(options, settings, &plan, &invoker, &registry, &stop);
        if let Some(gate) = &gate {
            servers.extend(serve(ws.listeners, &websocket::router(Arc::clone(gate)), &stop));
        }
        let front = front(options, settings, &plan, &invoker);
        if let Some(front) = &front {
            servers.extend(serve(web.listeners, &http::router(Arc::clone(front)), &stop));
        }
        let stage = addresses.stage.clone().unwrap_or_default();
        let desk_router = management::router(Arc::new(management::Desk { registry, stage }));
        serve(desk.listeners, &desk_router, &last);

        let tool = Tool::new(&functions, settings, &addresses, console);
        let mut document = ready::document(&plan, &addresses);
        let starting = ReadyFile::write(&state.file("starting.json"), &document)?;
        let app = tool.create_app(&state, starting.path()).await?;
        if let Some(document) = document.as_object_mut() {
            document.insert("app".into(), app);
        }
        drop(starting);
        let mut ready = vec![ReadyFile::write(&state.file("ready.json"), &document)?];
        if let Some(path) = &options.ready_file {
            ready.push(ReadyFile::write(path, &document)?);
        }
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
        let drained = async {
            stop.cancel();
            if let Some(agent) = agent {
                drop(agent.await);
            }
            for server in servers {
                drop(server.await);
            }
            if let Some(gate) = gate {
                gate.tasks.close();
                gate.tasks.wait().await;
            }
            if let Some(front) = front {
                front.tasks.close();
                front.tasks.wait().await;
            }
            invoker.stop().await;
        };
        if tokio::time::timeout(DRAIN_LIMIT, drained).await.is_err() {
            console.warn("not everything ended in time");
        }
        last.cancel();
        if let Some(engine) = engine {
            engine.stop().await;
        }
    }
}

async fn start_dynamodb(options: &Options, state: &StateDir) -> anyhow::Result<(Option<Engine>, String)> {
    if let Some(url) = &options.dynamodb {
        return Ok((None, url.trim_end_matches('/').to_owned()));
    }
    let bound = bind("--dynamodb-addr", Some(&options.dynamodb_addr), 0).await?;
    let listener = bound.listeners.into_iter().next().context("no listener for DynamoDB")?;
    let file = (!options.memory).then(|| state.file("dynamodb.sqlite"));
    let engine = Engine::start(listener, file.as_deref())?;
    let url = format!("http://{}", engine.address);
    Ok((Some(engine), url))
}

async fn start_functions(
    options: &Options,
    settings: &Settings,
    plan: &Plan,
    directory: &Path,
    addresses: &Addresses,
    console: &Arc<Console>,
) -> anyhow::Result<Arc<Invoker>> {
    if let Some(url) = &options.lambda_endpoint {
        let backend = Backend::Remote(Remote::new(url)?);
        return Ok(Arc::new(Invoker { backend, console: Arc::clone(console) }));
    }
    let launches = plan.functions.values().map(|function| Launch {
        binary: directory.join(&function.binary),
        environment: for_function(function, settings, addresses),
        keeper: settings.program.clone(),
        console: Arc::clone(console),
        function: function.clone(),
    });
    let limits = PoolLimits {
        max: usize::from(options.max_concurrency),
        keep: 1,
        idle_for: Duration::from_secs(options.shrink_after),
    };
    let backend = Backend::Processes(Fleet::start(launches.collect(), limits).await?);
    Ok(Arc::new(Invoker { backend, console: Arc::clone(console) }))
}

fn gate(
    options: &Options,
    settings: &Settings,
    plan: &Plan,
    invoker: &Arc<Invoker>,
    registry: &Arc<Registry>,
    stop: &CancellationToken,
) -> Option<Arc<Gate>> {
    let websocket = plan.websocket.clone()?;
    let api = Api {
        region: settings.region.clone(),
        account_id: ACCOUNT_ID.to_owned(),
        api_id: websocket.api_id.clone(),
        stage: websocket.stage.clone(),
    };
    Some(Arc::new(Gate {
        api,
        plan: websocket,
        invoker: Arc::clone(invoker),
        registry: Arc::clone(registry),
        lifetimes: Lifetimes {
            idle: Duration::from_secs(options.idle_timeout),
            total: Duration::from_secs(options.max_duration),
        },
        tasks: TaskTracker::new(),
        stop: stop.clone(),
    }))
}

fn front(options: &Options, settings: &Settings, plan: &Plan, invoker: &Arc<Invoker>) -> Option<Arc<Front>> {
    Some(Arc::new(Front {
        region: settings.region.clone(),
        account_id: ACCOUNT_ID.to_owned(),
        plan: plan.http.clone()?,
        base_path: options.http_base_path.trim_end_matches('/').to_owned(),
        invoker: Arc::clone(invoker),
        cache: Mutex::default(),
        tasks: TaskTracker::new(),
    }))
}
