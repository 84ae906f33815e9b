//! AWS's own Lambda runtime emulator around a function's own binary, against a test environment.
//!
//! It comes inside the SAM CLI's Python package, which `infra/checks/run` installs; where it is not, a test is skipped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::environment::TestEnvironment;
use crate::function_binary::Variables;
use crate::settings::skip;

/// The emulator's name where a test requires it.
const TOOL: &str = "aws-lambda-rie";
/// Where the project's own scripts install the SAM CLI.
const ENVIRONMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/sam/lib");
/// How often a start is looked at, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: usize = 200;

/// A running emulator; dropping it ends it and the function.
#[derive(Debug)]
pub struct Emulator {
    _process: Child,
    url: String,
}

impl Emulator {
    /// Starts `program` under it with these variables, those of the test environment and Lambda's own.
    /// `None` where the emulator is not installed.
    ///
    /// # Panics
    /// Where it is required and not installed, or does not start.
    pub(crate) async fn start(program: &str, env: &TestEnvironment, variables: &Variables) -> Option<Self> {
        let Some(tool) = installed() else {
            skip(TOOL);
            return None;
        };
        let (api, front) = (free_address(), free_address());
        let mut command = Command::new(tool);
        command.args(["--runtime-api-address", &api, "--runtime-interface-emulator-address", &front]);
        command.arg(program).env_clear().envs(variables.iter().cloned());
        command
            .env("AWS_ENDPOINT_URL_DYNAMODB", env.dynamodb.url())
            .env("AWS_REGION", TestEnvironment::REGION);
        command.env("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", env.connections.url());
        command.env("AWS_ACCESS_KEY_ID", "LOCALGATEWAY").env("AWS_SECRET_ACCESS_KEY", "local");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("the emulator starts");
        wait_for(&front).await;
        Some(Self {
            _process: process,
            url: format!("http://{front}/2015-03-31/functions/function/invocations"),
        })
    }

    /// What the function answers to `event`.
    pub async fn invoke(&self, event: &Value) -> Value {
        let call = reqwest::Client::new().post(&self.url).body(event.to_string()).send().await;
        let answer = call.expect("the emulator answers").bytes().await.expect("the answer ends");
        serde_json::from_slice(&answer).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer)))
    }
}

/// The emulator for this machine's processor, inside whichever Python's packages.
fn installed() -> Option<PathBuf> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let inside = format!("site-packages/samcli/local/rapid/{TOOL}-{architecture}");
    let pythons = std::fs::read_dir(Path::new(ENVIRONMENTS)).ok()?.flatten();
    pythons.map(|python| python.path().join(&inside)).find(|path| path.is_file())
}

/// An address that nobody listens at: the emulator does not tell which one it chose.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    listener.local_addr().expect("it has an address").to_string()
}

async fn wait_for(address: &str) {
    for _ in 0..LOOKS {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("the emulator does not listen at {address}");
}
