//! AWS's own Lambda runtime interface emulator around a function's binary.
//! It is part of the SAM CLI's Python package, which `infra/checks/run` installs; without it a test is skipped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::settings::skip;

const TOOL: &str = "aws-lambda-rie";
/// Where `infra/checks/run` installs the SAM CLI.
const ENVIRONMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/sam/lib");
/// The emulator is started if its port accepts a connection; polled this often, this many times.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const POLLS: usize = 200;

/// A running emulator; dropping it stops it and the function.
#[derive(Debug)]
pub struct Emulator {
    _process: Child,
    url: String,
}

impl Emulator {
    /// Starts `program` with `variables` and Lambda's own; `None` if the emulator is not installed.
    ///
    /// # Panics
    /// If it is required and not installed, or does not start.
    pub(crate) async fn start(program: &str, variables: Vec<(String, String)>) -> Option<Self> {
        let Some(tool) = installed() else {
            skip(TOOL);
            return None;
        };
        let (runtime_api, invoke_api) = (free_address(), free_address());
        let mut command = Command::new(tool);
        command.args(["--runtime-api-address", &runtime_api]);
        command.args(["--runtime-interface-emulator-address", &invoke_api]);
        command.arg(program).env_clear().envs(variables);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("the emulator starts");
        wait_for(&invoke_api).await;
        let url = format!("http://{invoke_api}/2015-03-31/functions/function/invocations");
        Some(Self { _process: process, url })
    }

    /// The function's response to `event`.
    pub async fn invoke(&self, event: &Value) -> Value {
        let call = reqwest::Client::new().post(&self.url).body(event.to_string()).send().await;
        let response = call.expect("the emulator responds").bytes().await.expect("the response ends");
        serde_json::from_slice(&response).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&response)))
    }
}

/// The emulator for this machine's processor, in the packages of any Python version.
fn installed() -> Option<PathBuf> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let inside = format!("site-packages/samcli/local/rapid/{TOOL}-{architecture}");
    let pythons = std::fs::read_dir(Path::new(ENVIRONMENTS)).ok()?.flatten();
    pythons.map(|python| python.path().join(&inside)).find(|path| path.is_file())
}

/// The emulator cannot bind port 0 and report the port, so one that was free a moment ago is given to it.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

async fn wait_for(address: &str) {
    for _ in 0..POLLS {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    panic!("the emulator does not listen at {address}");
}
