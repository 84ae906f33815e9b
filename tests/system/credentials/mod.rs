//! Every operation with every credential: exactly those of the policy below are allowed.
//! A run prints the table that it found (`cargo test credential -- --nocapture`).

mod cases;
mod expiry;
mod operations;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::system::harness::{App, Client, Gateway, now_ms, nsl, shared_app};
use cases::cases;
use operations::attempt;

/// The places of a credential in the handshake, what that connection may do, the same after an `auth` in the first frame,
/// and HTTP.
///
/// `+` is allowed, a number is the status of a rejected handshake or call. `una`, `for`, `off` and `inv` are the codes
/// `unauthorized`, `forbidden`, `app_inactive` and `invalid_field`, `err` is the dashboard's `auth_error`, `sil` is no
/// reply, and `.` cannot be tried. `own` is an overview without the tested application. A handshake without a credential
/// opens a connection that may only send `auth`.
const POLICY: &str = "
                          handshake by                  and then                      in band  and then                      HTTP
                          header key    subpr query     publi batch subsc since     auth     publi batch subsc since     metri lates  summa series logs  apps
nothing                   +      +      +     +         una   una   una   una       .        una   una   una   una       401   401    401   401    401   401
nonsense                  401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
key                       +      +      +     +         +     for   +     +         +        +     for   +     +         +     +      +     +      +     +
key to publish            +      +      +     +         +     for   for   for       +        +     for   for   for       403   403    403   403    403   403
key to view               +      +      +     +         for   for   +     +         +        for   for   +     +         +     +      +     +      +     +
key to manage             +      +      +     +         for   for   for   for       +        for   for   for   for       403   403    403   403    403   403
key of another app        +      +      +     +         for   for   for   for       una      una   una   una   una       403   403    403   403    403   own
key that was dropped      401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
key that took its place   +      +      +     +         +     for   +     +         +        +     for   +     +         +     +      +     +      +     +
key of inactive app       403    403    403   403       .     .     .     .         off      una   una   una   una       403   403    403   403    403   403
token to view             +      +      +     +         for   for   +     +         +        for   for   +     +         +     +      +     +      +     +
token to publish          +      +      +     +         +     for   for   for       +        +     for   for   for       403   403    403   403    403   403
token for both            +      +      +     +         +     for   +     +         +        +     for   +     +         +     +      +     +      +     +
token to manage           +      +      +     +         for   for   for   for       +        for   for   for   for       403   403    403   403    403   403
token for all             +      +      +     +         +     for   +     +         +        +     for   +     +         +     +      +     +      +     +
token of two apps         +      +      +     +         +     +     +     +         +        +     +     +     +         +     +      +     +      +     +
token of the owner        +      +      +     +         +     for   +     +         +        +     for   +     +         +     +      +     +      +     +
token of another owner    +      +      +     +         for   for   for   for       for      una   una   una   una       403   403    403   403    403   own
token of another app      +      +      +     +         for   for   for   for       for      una   una   una   una       403   403    403   403    403   own
token of inactive app     +      +      +     +         off   off   off   off       off      una   una   una   una       403   403    403   403    403   +
token of an earlier app   +      +      +     +         una   una   una   una       una      una   una   una   una       401   401    401   401    401   401
owner's, from before it   +      +      +     +         +     +     +     +         +        +     +     +     +         +     +      +     +      +     +
key of an earlier app     401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
token that was revoked    +      +      +     +         una   una   una   una       una      una   una   una   una       401   401    401   401    401   401
token of a public key     +      +      +     +         for   for   +     +         +        for   for   +     +         +     +      +     +      +     +
expired                   401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
not yet valid             401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
of another audience       401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
of another secret         401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
with changed claims       401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
alg none                  401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
public key as secret      401    401    401   401       .     .     .     .         una      una   una   una   una       403   403    403   403    403   403
library, key              +      +      +     +         una   una   una   una       +        +     for   +     +         401   401    401   401    401   401
library, key to publish   +      +      +     +         una   una   una   una       +        +     for   for   for       401   401    401   401    401   401
library, key to view      +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
library, another's key    +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
library, empty key        +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
page, key and user        +      +      +     +         una   una   una   una       +        +     for   +     +         401   401    401   401    401   401
library, legacy on        +      +      +     +         una   una   una   una       +        +     for   for   for       401   401    401   401    401   401
library, legacy off       +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
library, another user     +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
library, earlier owner    +      +      +     +         una   una   una   una       sil      una   una   una   una       401   401    401   401    401   401
dashboard, legacy on      +      +      +     +         una   una   una   una       +        for   for   +     +         401   401    401   401    401   401
dashboard, legacy off     +      +      +     +         una   una   una   una       err      una   una   una   una       401   401    401   401    401   401
foreign page, legacy on   +      +      +     +         una   una   una   una       err      una   una   una   una       401   401    401   401    401   401
8 KB and more             401    401    401   401       .     .     .     .         inv      una   una   una   una       403   403    403   403    403   403
key and a NUL             .      .      401   401       .     .     .     .         una      una   una   una   una       .     .      .     .      .     .
two that contradict       401    401    401   401       .     .     .     .         inv      una   una   una   una       +     +      +     +      +     +
";

/// The cells of the policy by credential.
fn expected() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = POLICY.lines().skip(3);
    rows.map(|row| (row[..26].trim(), row[26..].split_whitespace().collect())).collect()
}

/// `found` in the layout of the policy.
fn table(found: &[(&'static str, Vec<String>)]) -> String {
    let mut table: String = POLICY.lines().take(3).map(|line| format!("{line}\n")).collect();
    let positions: Vec<usize> = columns(POLICY.lines().nth(2).expect("a line of headings"));
    for (name, cells) in found {
        let mut line = format!("{name:<26}");
        for (cell, position) in cells.iter().zip(&positions) {
            let _ = write!(line, "{:<1$}{cell}", "", position.saturating_sub(line.len()));
        }
        table.push_str(&line);
        table.push('\n');
    }
    table
}

/// The positions at which words start.
fn columns(line: &str) -> Vec<usize> {
    let starts = |index: &usize| {
        let is_blank = |index: usize| line.as_bytes()[index] == b' ';
        !is_blank(*index) && (*index == 0 || is_blank(*index - 1))
    };
    (0..line.len()).filter(starts).collect()
}

/// The numbers of the reports by application.
type Stored = BTreeMap<String, BTreeSet<u64>>;

async fn stored(gateway: &Gateway, apps: &BTreeSet<String>, since_ms: i64) -> Stored {
    let named = apps.iter().cloned().collect::<Vec<_>>().join(",");
    let token = nsl(gateway, &["token", "issue", "--app", &named]).await["token"].take();
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let mut observer = Client::open_with(gateway, &[("authorization", &bearer)]).await.expect("a observer");
    let mut stored = Stored::new();
    for app in apps {
        let subscribe = json!({"type": "subscribe", "data": {"appId": app, "since": since_ms}});
        observer.send(&subscribe).await;
        let shown = observer.next("subscribed").await["payload"].take();
        assert_eq!((&shown["complete"], &shown["continued"]), (&json!(true), &json!(false)), "{shown}");
        let reports = shown["reports"].as_array().expect("a list of reports");
        let numbers = reports.iter().map(|report| report["metrics"]["n"].as_u64().expect("a number"));
        stored.insert(app.clone(), numbers.collect());
    }
    stored
}

#[tokio::test]
async fn each_credential_allows_exactly_what_the_policy_says() {
    let keys = concat!("TokenKeys=", include_str!("../../fixtures/token-keys.json"));
    let gateway = Gateway::start(&["--memory", "--no-demo", "--parameter", keys]).await;
    let begun_ms = now_ms();
    let (cases, apps) = cases(&gateway).await;
    let mut accepted: Stored = apps.iter().map(|app| (app.clone(), BTreeSet::new())).collect();
    let mut found = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let outcomes = attempt(&gateway, case, index as u64).await;
        for (app, n) in outcomes.accepted {
            accepted.entry(app).or_default().insert(n);
        }
        found.push((case.name, outcomes.cells));
    }
    println!("{}", table(&found));

    let expected = expected();
    let differences: Vec<String> = found
        .iter()
        .filter(|(name, cells)| expected.get(name).is_none_or(|wanted| cells != wanted))
        .map(|(name, cells)| format!("{name}: {cells:?}, but the policy is {:?}", expected.get(name)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(found.len(), expected.len(), "the policy names a credential that was not tried");
    let readable: BTreeSet<String> = apps.into_iter().collect();
    accepted.retain(|app, _| readable.contains(app));
    assert_eq!(stored(&gateway, &readable, begun_ms).await, accepted, "stored is what was accepted, no more");
}

#[tokio::test]
async fn deactivated_app_loses_its_connections_at_once() {
    let (gateway, app) = shared_app().await;
    let other = App::create(gateway).await;
    let key = [("x-api-key", app.api_key.as_str())];
    let mut at_handshake = Client::open_with(gateway, &key).await.expect("a connection");
    at_handshake.publish(&app, 1).await;
    let mut in_band = Client::authenticated(gateway, &app).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut other_client = Client::authenticated(gateway, &other).await;

    let off = nsl(gateway, &["app", "deactivate", &app.app_id]).await;
    assert_eq!((&off["status"], &off["closed"]), (&json!("inactive"), &json!(3)));
    for client in [&mut at_handshake, &mut in_band, &mut viewer] {
        client.close_code().await;
    }
    assert_eq!(other_client.publish(&other, 1).await["accepted"], 1);
    let rejected = Client::open_with(gateway, &key).await.err().map(|error| error.to_string());
    assert!(rejected.is_some_and(|rejected| rejected.contains("403")));

    nsl(gateway, &["app", "activate", &app.app_id]).await;
    Client::open_with(gateway, &key).await.expect("a connection after the app is on again");
}

#[tokio::test]
async fn rotated_keys_overlap_until_the_old_is_dropped() {
    let (gateway, app) = shared_app().await;
    let new = nsl(gateway, &["app", "rotate-key", &app.app_id]).await["apiKey"].take();
    let new = new.as_str().expect("a key").to_owned();
    for key in [&app.api_key, &new] {
        Client::open_with(gateway, &[("x-api-key", key)]).await.expect("both are valid");
    }
    nsl(gateway, &["app", "rotate-key", &app.app_id, "--drop-old"]).await;
    let old = Client::open_with(gateway, &[("x-api-key", &app.api_key)]).await;
    assert!(old.err().is_some_and(|error| error.to_string().contains("401")));
    Client::open_with(gateway, &[("x-api-key", &new)]).await.expect("the newer one is valid");
}

#[tokio::test]
async fn a_deleted_app_is_unknown_and_its_reports_are_gone() {
    let gateway = Gateway::shared();
    let app = App::create_with(gateway, &["--owner", "passing"]).await;
    Client::authenticated(gateway, &app).await.publish(&app, 1).await;
    let deleted = nsl(gateway, &["app", "delete", &app.app_id, "--yes", "--settle", "0"]).await;
    assert_eq!(deleted["deleted"], true);
    assert!(deleted["erased"].as_u64().is_some_and(|rows| rows >= 1), "{deleted}");
    let rejected = Client::open_with(gateway, &[("x-api-key", &app.api_key)]).await;
    assert!(rejected.err().is_some_and(|error| error.to_string().contains("401")));
    let again = ["--app-id", app.app_id.as_str(), "--owner", "passing"];
    let reborn = App::create_with(gateway, &again).await;
    let mut viewer = Client::authenticated(gateway, &reborn).await;
    assert_eq!(viewer.subscribe(&reborn).await["reports"], Value::Array(Vec::new()));
}
