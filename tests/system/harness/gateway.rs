//! Starts the gateway as a child process on free ports and stops it, however the test ends.
//!
//! A child outlives a test process that is killed. So a watcher beside it reads a pipe whose only writer is the test
//! process: when the pipe closes, the watcher interrupts the gateway.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::{App, DEADLINE, settings};

/// Limits for starting, with tables to create, and for stopping.
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Limit for history to include what was sent: hundreds of rollups on a busy machine.
const SETTLE_DEADLINE: Duration = Duration::from_secs(90);
/// Interval at which a file or process is polled.
const POLL: Duration = Duration::from_millis(20);
/// How long the files of a finished run are kept.
const LOGS_KEPT: Duration = Duration::from_secs(3600);
/// Lines of the gateway's log that a failed start reports.
const LOG_LINES: usize = 40;

/// `$$` in the watcher is the process id of the shell, which `exec` turns into the gateway.
const WITH_WATCHER: &str =
    "exec 3<&0; (read -r _ <&3; kill -INT $$) 2>/dev/null & exec \"$@\" 3<&- </dev/null";

pub(crate) struct Gateway {
    /// `None` if the tests run against a deployed service.
    child: Option<Child>,
    watcher_pipe: Option<ChildStdin>,
    folder: PathBuf,
    ready: Ready,
}

#[derive(Deserialize)]
pub(crate) struct Ready {
    pub(crate) ws: String,
    pub(crate) http: String,
    pub(crate) dynamodb: String,
    #[serde(rename = "accessKeyId", default)]
    pub(crate) access_key_id: Option<String>,
    pub(crate) management: String,
    pub(crate) region: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) app: Option<App>,
}

impl Gateway {
    /// The gateway of all tests that need no other isolation than their own application.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Gateway, String>> = OnceLock::new();
        // Without a window, so that no test waits until a stream batch is complete.
        let arguments = ["--memory", "--no-demo", "--stream-window", "0"].map(str::to_owned);
        let started = SHARED.get_or_init(|| match settings::ready_file() {
            Some(file) => Self::deployed(&file),
            None => Self::try_start(&arguments, &[]),
        });
        started.as_ref().unwrap_or_else(|fault| panic!("the shared gateway does not start: {fault}"))
    }

    /// Starts a gateway for one test with additional `arguments`.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    /// Starts a gateway with additional environment `variables`.
    pub(crate) async fn start_with(arguments: &[&str], variables: &[(&'static str, &str)]) -> Self {
        let variables: Vec<_> = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        // The starting gateway may need a proxy that runs on the test's runtime.
        let starting = tokio::task::spawn_blocking(move || Self::try_start(&arguments, &variables));
        let started = starting.await.expect("starting does not panic");
        started.unwrap_or_else(|fault| panic!("the gateway does not start: {fault}"))
    }

    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The folder of its log and, by default, of its data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ready_file(&self) -> PathBuf {
        self.folder.join("ready.json")
    }

    /// Sends GET `path` to the HTTP API with `key` as bearer token.
    pub(crate) async fn get(&self, path: &str, key: Option<&str>) -> reqwest::Response {
        let request = self.http(reqwest::Method::GET, path);
        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
        request.send().await.unwrap_or_else(|cause| panic!("GET {path}: {cause}"))
    }

    /// The JSON of GET `path` with the key of `app`.
    pub(crate) async fn json(&self, path: &str, app: &App) -> Value {
        let response = self.get(path, Some(&app.api_key)).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.expect("the answer is JSON")
    }

    /// The response to GET `path`, repeated until it fits.
    pub(crate) async fn json_where(&self, path: &str, app: &App, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + SETTLE_DEADLINE;
        loop {
            let answer: Value =
                self.get(path, Some(&app.api_key)).await.json().await.expect("an answer in JSON");
            if fits(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path} never answered as awaited: {answer}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// A request to the HTTP API, not sent yet.
    pub(crate) fn http(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let address = format!("{}{path}", self.ready.http.trim_end_matches('/'));
        reqwest::Client::new().request(method, address).timeout(DEADLINE)
    }

    /// Interrupts the gateway and waits for its exit without blocking the test's runtime.
    pub(crate) async fn interrupt(mut self) -> ExitStatus {
        let ended = tokio::task::spawn_blocking(move || self.end());
        ended.await.expect("ending does not panic").expect("a gateway that the test started")
    }

    /// The deployed service of a ready file.
    fn deployed(file: &Path) -> Result<Self, String> {
        let folder = scratch_folder("deployed");
        let text = fs::read(file).map_err(|cause| format!("{}: {cause}", file.display()))?;
        fs::write(folder.join("ready.json"), &text).map_err(|cause| cause.to_string())?;
        let ready = serde_json::from_slice(&text).map_err(|cause| format!("{}: {cause}", file.display()))?;
        Ok(Self { child: None, watcher_pipe: None, folder, ready })
    }

    fn try_start(arguments: &[String], variables: &[(&'static str, String)]) -> Result<Self, String> {
        let folder = scratch_folder("gateway");
        let ready_file = folder.join("ready.json");
        let log = File::create(folder.join("gateway.log")).map_err(|cause| cause.to_string())?;
        let mut command = Command::new("sh");
        command.args(["-c", WITH_WATCHER, "sh"]).arg(binary("nsl-gateway"));
        command.arg("--template").arg(root().join("template.yaml")).arg("--functions").arg(binaries());
        command.args(["--ws", "127.0.0.1:0", "--http", "127.0.0.1:0"]).arg("--ready-file").arg(&ready_file);
        use_dynamodb(&mut command, arguments);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.args(arguments).current_dir(&folder).stdin(Stdio::piped());
        command.stderr(log.try_clone().map_err(|cause| cause.to_string())?).stdout(log);
        let mut child = command.spawn().map_err(|cause| cause.to_string())?;
        let watcher_pipe = child.stdin.take();
        match await_ready(&mut child, &ready_file) {
            Ok(ready) => Ok(Self { child: Some(child), watcher_pipe, folder, ready }),
            Err(fault) => {
                drop(watcher_pipe);
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("{fault}\n{}", last_lines(&folder.join("gateway.log"))))
            }
        }
    }

    fn end(&mut self) -> Option<ExitStatus> {
        drop(self.watcher_pipe.take());
        let child = self.child.as_mut()?;
        let began = Instant::now();
        while began.elapsed() < STOP_DEADLINE {
            if let Some(status) = child.try_wait().expect("the child can be waited for") {
                return Some(status);
            }
            std::thread::sleep(POLL);
        }
        let _ = child.kill();
        Some(child.wait().expect("a killed child ends"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.watcher_pipe.is_some() {
            self.end();
        }
    }
}

/// The number of values of a series in a history.
pub(crate) fn counted(history: &Value, series: &str) -> u64 {
    let counts = history["series"][series]["count"].as_array();
    counts.into_iter().flatten().filter_map(Value::as_u64).sum()
}

/// A new folder of this test process, below cargo's folder for temporary files of tests.
pub(crate) fn scratch_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nsl-tests");
        remove_old(&runs);
        runs.join(std::process::id().to_string())
    });
    let folder = run.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&folder).unwrap_or_else(|cause| panic!("creating {}: {cause}", folder.display()));
    folder
}

/// Removes the folders of older runs; recent ones may have the logs of a failure.
fn remove_old(runs: &Path) {
    for run in fs::read_dir(runs).into_iter().flatten().flatten() {
        let modified = run.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        if age > LOGS_KEPT {
            let _ = fs::remove_dir_all(run.path());
        }
    }
}

/// One of the workspace's binaries.
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// Where cargo puts the workspace's binaries: above the folder of the test binary.
fn binaries() -> PathBuf {
    let test = std::env::current_exe().expect("this executable has a path");
    test.parent().and_then(Path::parent).expect("this executable is below the binaries' folder").to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace")
}

/// Uses the embedded engine; or, if the environment names another DynamoDB and the gateway needs no data folder, that one
/// in a region of its own: DynamoDB Local separates the tables by region.
fn use_dynamodb(command: &mut Command, arguments: &[String]) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    match settings::dynamodb_url().filter(|_| has("--memory")) {
        Some(url) => {
            let region = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            command.args(["--dynamodb", &url]).env("AWS_REGION", region);
        }
        None if has("--dynamodb") => {}
        None => {
            command.args(["--dynamodb-addr", "127.0.0.1:0"]);
        }
    }
}

fn await_ready(child: &mut Child, ready_file: &Path) -> Result<Ready, String> {
    let began = Instant::now();
    while began.elapsed() < START_DEADLINE {
        // An incomplete file is not JSON.
        let ready = fs::read(ready_file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(ready) = ready {
            return Ok(ready);
        }
        if let Some(status) = child.try_wait().map_err(|cause| cause.to_string())? {
            return Err(format!("it ended with {status}"));
        }
        std::thread::sleep(POLL);
    }
    Err(format!("it wrote no complete {} in {START_DEADLINE:?}", ready_file.display()))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
