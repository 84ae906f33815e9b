//! Where everything listens, and AWS's endpoints rewritten to these places.

use std::net::SocketAddr;

use crate::api_servers::Listeners;
use crate::template::{Plan, URL_SUFFIX};

/// The endpoints of one running gateway.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) region: String,
    pub(crate) websocket: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) management: SocketAddr,
    /// A URL without a path.
    pub(crate) dynamodb: String,
    /// The stage of the WebSocket API, a path segment of the management endpoint.
    pub(crate) stage: Option<String>,
    /// What AWS's endpoints start with, and what stands there locally.
    rewrites: Vec<(String, String)>,
}

impl Endpoints {
    pub(crate) fn new(plan: &Plan, region: &str, sockets: &Listeners, dynamodb: String) -> Self {
        let websocket = sockets.websocket.address;
        let (http, management) = (sockets.http.address, sockets.management.address);
        Self::at(plan, region, [websocket, http, management], dynamodb)
    }

    /// The endpoints for listeners at `[websocket, http, management]`.
    pub(crate) fn at(plan: &Plan, region: &str, at: [SocketAddr; 3], dynamodb: String) -> Self {
        let [websocket, http, management] = at;
        let mut rewrites = Vec::new();
        let host = |api: &str| format!("{api}.execute-api.{region}.{URL_SUFFIX}");
        if let Some(api) = &plan.websocket {
            rewrites.push((format!("wss://{}", host(&api.api_id)), format!("ws://{websocket}")));
            rewrites.push((format!("https://{}", host(&api.api_id)), format!("http://{management}")));
        }
        if let Some(api) = &plan.http {
            rewrites.push((format!("https://{}", host(&api.api_id)), format!("http://{http}")));
        }
        let stage = plan.websocket.as_ref().map(|api| api.stage.clone());
        Self { region: region.to_owned(), websocket, http, management, dynamodb, stage, rewrites }
    }

    /// The endpoint that functions post to connections through, stage included.
    pub(crate) fn management_endpoint(&self) -> String {
        match &self.stage {
            Some(stage) => format!("http://{}/{stage}", self.management),
            None => format!("http://{}", self.management),
        }
    }

    /// `text` with the local address wherever it names one that the template's APIs would have on AWS.
    pub(crate) fn rewrite_to_local(&self, text: &str) -> String {
        let rewrite = |text: String, (there, here): &(String, String)| text.replace(there, here);
        self.rewrites.iter().fold(text.to_owned(), rewrite)
    }
}
