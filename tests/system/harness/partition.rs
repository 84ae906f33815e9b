//! A gateway whose store is another gateway's engine, with cables that can be pulled: one to the store, one to the
//! clients. It can be stopped and started anew while its clients keep their address and its store what it holds.

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
    /// The gateway gets these arguments besides.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let engine = Gateway::start(&["--memory", "--no-demo"]).await;
        let store = Proxy::to(&engine.ready().dynamodb).await;
        let folder = scratch_folder("data");
        // It is given the demo application's key, since it finds the engine's record of it.
        let demo = engine.ready().app.as_ref().expect("the demo application is told");
        fs::write(folder.join("demo-key"), &demo.api_key).expect("the key is written");
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let gateway = Self::start_gateway(&folder, &store, &arguments).await;
        let endpoint = Proxy::to(&gateway.ready().ws).await;
        Self { engine, store, endpoint, folder, arguments, gateway: Some(gateway) }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("the gateway runs")
    }

    /// Where clients connect, whichever gateway runs.
    pub(crate) fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// Makes the store unreachable.
    pub(crate) fn unplug(&self) {
        self.store.switch_off();
    }

    pub(crate) fn plug_in(&self) {
        self.store.lead_to(&self.engine.ready().dynamodb);
    }

    /// Ends every client's connection as a broken line does, and lets them come back.
    pub(crate) fn hang_up(&self) {
        self.endpoint.switch_off();
        self.endpoint.lead_to(&self.gateway().ready().ws);
    }

    /// Stops the gateway and starts another, which clients reach once it runs.
    pub(crate) async fn restart(&mut self) {
        self.endpoint.switch_off();
        assert!(self.stop().await.success(), "the gateway ends well");
        let gateway = Self::start_gateway(&self.folder, &self.store, &self.arguments).await;
        self.endpoint.lead_to(&gateway.ready().ws);
        self.gateway = Some(gateway);
    }

    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.gateway.take().expect("the gateway runs").interrupt().await
    }

    /// What the store was asked since the last time that this was asked.
    pub(crate) fn take_calls(&self) -> DynamoDbCalls {
        self.store.take_calls()
    }

    async fn start_gateway(folder: &Path, store: &Proxy, arguments: &[String]) -> Gateway {
        let data = folder.to_str().expect("a path of text");
        let mut all = vec!["--no-demo", "--data", data, "--dynamodb", store.address.as_str()];
        all.extend(arguments.iter().map(String::as_str));
        Gateway::start(&all).await
    }
}
