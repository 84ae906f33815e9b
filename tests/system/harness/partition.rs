//! A gateway that uses another gateway's engine through a proxy, and is reached through a proxy: both connections can be
//! cut. It can be restarted while clients keep their address and the tables their rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::{DynamoDbCalls, Gateway, Proxy, scratch_folder};

pub(crate) struct PartitionedGateway {
    engine: Gateway,
    store: Proxy,
    endpoint: Proxy,
    folder: PathBuf,
    arguments: Vec<String>,
    gateway: Option<Gateway>,
}

impl PartitionedGateway {
    /// `arguments` are passed to the gateway.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let engine = Gateway::start(&["--memory", "--no-demo"]).await;
        let store = Proxy::to(&engine.ready().dynamodb).await;
        let folder = scratch_folder("data");
        // The gateway finds the demo application in the engine's tables and needs its key.
        let demo = engine.ready().app.as_ref().expect("the ready file has the demo application");
        fs::write(folder.join("demo-key"), &demo.api_key).expect("the key is written");
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let gateway = Self::start_gateway(&engine, &folder, &store, &arguments).await;
        let endpoint = Proxy::to(&gateway.ready().ws).await;
        Self { engine, store, endpoint, folder, arguments, gateway: Some(gateway) }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("the gateway runs")
    }

    /// The address for clients, which stays the same after a restart.
    pub(crate) fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// Makes DynamoDB unreachable.
    pub(crate) fn cut_dynamodb(&self) {
        self.store.switch_off();
    }

    pub(crate) fn restore_dynamodb(&self) {
        self.store.forward_to(&self.engine.ready().dynamodb);
    }

    /// Cuts the connection of every client; they can reconnect.
    pub(crate) fn cut_clients(&self) {
        self.endpoint.switch_off();
        self.endpoint.forward_to(&self.gateway().ready().ws);
    }

    /// Stops the gateway and starts another at the same address for clients.
    pub(crate) async fn restart(&mut self) {
        self.endpoint.switch_off();
        assert!(self.stop().await.success(), "the gateway exits successfully");
        let gateway = Self::start_gateway(&self.engine, &self.folder, &self.store, &self.arguments).await;
        self.endpoint.forward_to(&gateway.ready().ws);
        self.gateway = Some(gateway);
    }

    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.gateway.take().expect("the gateway runs").interrupt().await
    }

    /// The DynamoDB calls since the last take.
    pub(crate) fn take_calls(&self) -> DynamoDbCalls {
        self.store.take_calls()
    }

    async fn start_gateway(engine: &Gateway, folder: &Path, store: &Proxy, arguments: &[String]) -> Gateway {
        let data = folder.to_str().expect("a path of text");
        let mut all = vec!["--no-demo", "--data", data, "--dynamodb", store.address.as_str()];
        all.extend(arguments.iter().map(String::as_str));
        let access_key = engine.ready().access_key_id.as_deref().expect("the engine's access key");
        Gateway::start_with(&all, &[("NSL_DYNAMODB_ACCESS_KEY", access_key)]).await
    }
}
