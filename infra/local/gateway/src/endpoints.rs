//! The local addresses of the gateway's services, and the replacement of the template's AWS addresses by them.

use std::net::SocketAddr;

use crate::access_key::AccessKey;
use crate::template::{Plan, URL_SUFFIX};

/// Where the gateway's HTTP servers listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenAddresses {
    pub(crate) websocket: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) management: SocketAddr,
}

/// The addresses of one running gateway.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) region: String,
    pub(crate) listen: ListenAddresses,
    /// A URL without a path.
    pub(crate) dynamodb: String,
    /// With which requests to DynamoDB and to `@connections` are signed.
    pub(crate) access_key: AccessKey,
    /// The stage of the WebSocket API, a path segment of the management endpoint.
    pub(crate) stage: Option<String>,
    rewrites: Vec<Rewrite>,
}

/// The start of an address on AWS, and its local replacement.
#[derive(Clone, Debug)]
struct Rewrite {
    aws: String,
    local: String,
}

impl Endpoints {
    pub(crate) fn new(
        plan: &Plan,
        region: &str,
        listen: ListenAddresses,
        dynamodb: String,
        access_key: AccessKey,
    ) -> Self {
        let ListenAddresses { websocket, http, management } = listen;
        let mut rewrites = Vec::new();
        let mut add = |scheme: &str, api: &str, local: String| {
            let aws = format!("{scheme}://{api}.execute-api.{region}.{URL_SUFFIX}");
            rewrites.push(Rewrite { aws, local });
        };
        if let Some(api) = &plan.websocket {
            add("wss", &api.api_id, format!("ws://{websocket}"));
            add("https", &api.api_id, format!("http://{management}"));
        }
        if let Some(api) = &plan.http {
            add("https", &api.api_id, format!("http://{http}"));
        }
        let stage = plan.websocket.as_ref().map(|api| api.stage.clone());
        Self { region: region.to_owned(), listen, dynamodb, access_key, stage, rewrites }
    }

    /// The endpoint through which functions post to connections, stage included.
    pub(crate) fn management_endpoint(&self) -> String {
        let management = self.listen.management;
        match &self.stage {
            Some(stage) => format!("http://{management}/{stage}"),
            None => format!("http://{management}"),
        }
    }

    /// `text` with the AWS addresses of the template's APIs replaced by the local ones.
    pub(crate) fn rewrite_to_local(&self, text: &str) -> String {
        self.rewrites.iter().fold(text.to_owned(), |text, rewrite| text.replace(&rewrite.aws, &rewrite.local))
    }
}
