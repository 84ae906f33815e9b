//! The operations that are tried with a credential, and their outcomes as cells of the table.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::cases::{Case, Sent};
use super::tokens::base64url;
use crate::system::harness::{Client, DEADLINE, Gateway, now_ms};

/// Time without a frame after which there is no reply.
const SILENCE: Duration = Duration::from_secs(1);
/// The reports of each credential have this many numbers to use.
const REPORTS_OF_CASE: u64 = 100;
const NOT_TRIED: &str = ".";
/// The only call without an application.
const OVERVIEW: &str = "/apps";

/// The place of a credential in the handshake.
#[derive(Clone, Copy)]
enum Place {
    Authorization,
    ApiKey,
    Subprotocol,
    Query,
}

const PLACES: [Place; 4] = [Place::Authorization, Place::ApiKey, Place::Subprotocol, Place::Query];

/// An operation of a connection.
#[derive(Clone, Copy)]
enum Operation {
    Publish,
    Batch,
    Subscribe,
    SubscribeSince,
}

const OPERATIONS: [Operation; 4] =
    [Operation::Publish, Operation::Batch, Operation::Subscribe, Operation::SubscribeSince];

/// The outcome of each operation, and the acknowledged reports by application and number.
pub(super) struct Outcomes {
    pub(super) cells: Vec<String>,
    pub(super) accepted: Vec<(String, u64)>,
}

/// Tries every operation with the credential of `case`; `number` is its index.
pub(super) async fn attempt(gateway: &Gateway, case: &Case, number: u64) -> Outcomes {
    let mut outcomes = Outcomes { cells: Vec::new(), accepted: Vec::new() };
    let mut opened = None;
    for place in PLACES {
        let (cell, client) = handshake(gateway, case, place).await;
        outcomes.cells.push(cell);
        opened = opened.or(client);
    }
    match opened {
        Some(mut client) => outcomes.operate(&mut client, case, number * REPORTS_OF_CASE).await,
        None => outcomes.cells.extend(OPERATIONS.map(|_| NOT_TRIED.to_owned())),
    }
    let mut client = open(gateway, case, &[]).await.expect("a connection without a credential opens");
    outcomes.cells.push(authenticate(&mut client, case).await);
    outcomes.operate(&mut client, case, number * REPORTS_OF_CASE + REPORTS_OF_CASE / 2).await;
    for path in ["metrics?timeRange=hour", "metrics/latest", "summary", "series", "logs"] {
        outcomes.cells.push(get(gateway, case, &format!("/apps/{}/{path}", case.app)).await);
    }
    outcomes.cells.push(get(gateway, case, OVERVIEW).await);
    outcomes
}

impl Outcomes {
    async fn operate(&mut self, client: &mut Client, case: &Case, first: u64) {
        for (operation, n) in OPERATIONS.into_iter().zip(first..) {
            let (frame, apps) = operation.frame(case, n);
            client.send(&frame).await;
            let answer = client.reply_within(&["ack", "subscribed", "error"], DEADLINE).await;
            let answer = answer.unwrap_or_else(|| panic!("{}: no reply to {frame}", case.name));
            let whole = answer["payload"]["accepted"] == apps.len();
            let cell = match answer["type"].as_str() {
                Some("ack") if whole => "+".to_owned(),
                Some("subscribed") => "+".to_owned(),
                // The second subscription comes too soon for a replay, which is checked only if the viewer may have it.
                Some("error") if answer["payload"]["code"] == "rate_limited" => "+".to_owned(),
                Some("error") => short(&answer["payload"]["code"]),
                // To the library, which is sent no error.
                Some("ack") => short(&answer["payload"]["rejected"][0]["code"]),
                _ => answer["payload"].to_string(),
            };
            if cell == "+" {
                self.accepted.extend(apps.into_iter().map(|app| (app, n)));
            }
            self.cells.push(cell);
        }
    }
}

impl Operation {
    /// The frame, and the applications of its reports.
    fn frame(self, case: &Case, n: u64) -> (Value, Vec<String>) {
        let report = |app: &String| json!({"appId": app, "metrics": {"n": n}});
        let batch = [&case.app, &case.other];
        match self {
            Self::Publish => {
                (json!({"type": "metrics", "id": n, "data": report(&case.app)}), vec![case.app.clone()])
            }
            Self::Batch => (
                json!({"type": "metrics", "id": n, "data": batch.map(report)}),
                batch.map(String::clone).to_vec(),
            ),
            Self::Subscribe => (json!({"type": "subscribe", "data": {"appId": case.app}}), Vec::new()),
            Self::SubscribeSince => {
                let since = now_ms() - 1_000;
                (json!({"type": "subscribe", "data": {"appId": case.app, "since": since}}), Vec::new())
            }
        }
    }
}

/// Opens a connection with the credential in `place`.
async fn handshake(gateway: &Gateway, case: &Case, place: Place) -> (String, Option<Client>) {
    let (text, second) = match &case.shown {
        Sent::Nothing => return outcome(open(gateway, case, &[]).await),
        Sent::One(text) => (text, None),
        Sent::Two(text, second) => (text, Some(second)),
    };
    let bearer = |text: &String| ("authorization", format!("Bearer {text}"));
    let subprotocol = format!("nsl.v1, key.{}", base64url(text));
    let mut headers = match place {
        Place::Authorization => vec![bearer(text)],
        Place::ApiKey => vec![("x-api-key", text.clone())],
        Place::Subprotocol => vec![("sec-websocket-protocol", subprotocol)],
        Place::Query => Vec::new(),
    };
    headers.extend(second.map(|second| match place {
        Place::Authorization => ("x-api-key", second.clone()),
        _ => bearer(second),
    }));
    if headers.iter().any(|(_, value)| HeaderValue::from_str(value).is_err()) {
        return (NOT_TRIED.to_owned(), None);
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match place {
        Place::Query => {
            let mut address: reqwest::Url = gateway.ready().ws.parse().expect("an address");
            let name = if text.starts_with("eyJ") { "token" } else { "apiKey" };
            address.query_pairs_mut().append_pair(name, text);
            outcome(Client::open_at(address.as_str(), &headers).await)
        }
        _ => outcome(open(gateway, case, &headers).await),
    }
}

async fn open(gateway: &Gateway, case: &Case, headers: &[(&str, &str)]) -> Result<Client, Box<Error>> {
    let origin = case.origin.map(|origin| ("origin", origin));
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain(origin).collect();
    Client::open_with(gateway, &headers).await
}

fn outcome(opened: Result<Client, Box<Error>>) -> (String, Option<Client>) {
    match opened.map_err(|error| *error) {
        Ok(client) => ("+".to_owned(), Some(client)),
        Err(Error::Http(response)) => (response.status().as_u16().to_string(), None),
        Err(error) => (error.to_string(), None),
    }
}

async fn authenticate(client: &mut Client, case: &Case) -> String {
    let Some(proof) = &case.in_band else { return NOT_TRIED.to_owned() };
    let mut proof = proof.clone();
    proof["appId"] = json!(case.app);
    client.send(&json!({"type": "auth", "data": proof})).await;
    let limit = if case.may_be_silent() { SILENCE } else { DEADLINE };
    let answer = client.reply_within(&["auth_success", "auth_error", "error"], limit).await;
    match answer.as_ref().map(|answer| (answer["type"].as_str(), &answer["payload"]["code"])) {
        None => "sil".to_owned(),
        Some((Some("auth_success"), _)) => "+".to_owned(),
        Some((Some("auth_error"), _)) => "err".to_owned(),
        Some((_, code)) => short(code),
    }
}

async fn get(gateway: &Gateway, case: &Case, path: &str) -> String {
    let (text, second) = match &case.shown {
        Sent::Nothing => (None, None),
        Sent::One(text) => (Some(text), None),
        Sent::Two(text, second) => (Some(text), Some(second)),
    };
    let mut request = gateway.http(reqwest::Method::GET, path);
    if let Some(text) = text {
        let Ok(value) = HeaderValue::from_str(&format!("Bearer {text}")) else { return NOT_TRIED.to_owned() };
        request = request.header("authorization", value);
    }
    if let Some(second) = second {
        request = request.header("x-api-key", second);
    }
    let answer = request.send().await.expect("an answer");
    match answer.status().as_u16() {
        200 if path == OVERVIEW && !lists(&answer.json().await.expect("a list in JSON"), &case.app) => {
            "own".to_owned()
        }
        200 => "+".to_owned(),
        status => status.to_string(),
    }
}

/// Whether an overview has `app`.
fn lists(overview: &Value, app: &str) -> bool {
    let shown = overview["apps"].as_array().expect("a list of applications");
    shown.iter().any(|shown| shown["appId"] == app)
}

/// The abbreviation of a rejection code in the table.
fn short(code: &Value) -> String {
    let code = code.as_str().unwrap_or_default();
    let shorts =
        [("unauthorized", "una"), ("forbidden", "for"), ("app_inactive", "off"), ("invalid_field", "inv")];
    let short = shorts.iter().find(|(long, _)| *long == code);
    short.map_or_else(|| code.to_owned(), |(_, short)| (*short).to_owned())
}
