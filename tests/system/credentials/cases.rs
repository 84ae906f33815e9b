//! The credentials under test, each with the application that it is used on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::tokens::{altered, claims, signed, signed_with_private_key, unsigned, with};
use crate::system::harness::{App, DASHBOARD, FOREIGN_ORIGIN, Gateway, now_ms, nsl};

/// More than the bytes that a credential may have.
const TOO_LONG: usize = 8 * 1024 + 1;

/// What is sent in a handshake and over HTTP.
#[derive(Clone)]
pub(super) enum Sent {
    Nothing,
    One(String),
    /// One in the tested place, another elsewhere.
    Two(String, String),
}

/// One credential.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) app: String,
    /// Another application, for a batch of two.
    pub(super) other: String,
    pub(super) shown: Sent,
    /// The fields of `auth` beside the application's id.
    pub(super) in_band: Option<Value>,
    pub(super) origin: Option<&'static str>,
}

impl Case {
    /// Whether its rejected `auth` may get no reply.
    pub(super) fn may_be_silent(&self) -> bool {
        self.in_band.as_ref().is_some_and(|proof| proof["userId"].is_string())
    }
}

/// Creates the applications and credentials; also returns the ids of the active applications. Keys and tokens are revoked
/// before their first use, because a cached app is valid for up to a minute.
pub(super) async fn cases(gateway: &Gateway) -> (Vec<Case>, BTreeSet<String>) {
    let apps = Apps::make(gateway).await;
    let mut cases = by_key(gateway, &apps).await;
    cases.extend(by_token(gateway, &apps).await);
    cases.extend(of_an_earlier_app(gateway, &apps).await);
    cases.extend(by_flawed_token(gateway, &apps));
    cases.extend(by_user(&apps));
    cases.extend(by_odd_text(&apps));
    let apps =
        [&apps.shop, &apps.bank, &apps.writer, &apps.reader, &apps.library].map(|app| app.app_id.clone());
    (cases, apps.into_iter().collect())
}

struct Apps {
    shop: App,
    bank: App,
    writer: App,
    reader: App,
    manager: App,
    rotated: App,
    closed: App,
    library: App,
}

impl Apps {
    async fn make(gateway: &Gateway) -> Self {
        let make = async |arguments: &[&str]| App::create_with(gateway, arguments).await;
        Self {
            shop: make(&["--owner", "ann"]).await,
            bank: make(&["--owner", "bob"]).await,
            writer: make(&["--owner", "ann", "--scope", "publish"]).await,
            reader: make(&["--owner", "ann", "--scope", "view"]).await,
            manager: make(&["--owner", "ann", "--scope", "manage"]).await,
            rotated: make(&["--owner", "ann"]).await,
            closed: make(&["--owner", "ann"]).await,
            library: make(&["--owner", "ann", "--legacy"]).await,
        }
    }

    fn case(&self, name: &'static str, app: &App, shown: Sent, in_band: Option<Value>) -> Case {
        let (app, other) = (app.app_id.clone(), self.bank.app_id.clone());
        Case { name, app, other, shown, in_band, origin: None }
    }

    fn key(&self, name: &'static str, app: &App, key: &str) -> Case {
        self.case(name, app, Sent::One(key.to_owned()), Some(json!({"apiKey": key})))
    }

    fn token(&self, name: &'static str, app: &App, token: &str) -> Case {
        self.case(name, app, Sent::One(token.to_owned()), Some(json!({"token": token})))
    }
}

async fn by_key(gateway: &Gateway, apps: &Apps) -> Vec<Case> {
    let id = apps.rotated.app_id.as_str();
    let new = nsl(gateway, &["app", "rotate-key", id]).await;
    nsl(gateway, &["app", "rotate-key", id, "--drop-old"]).await;
    nsl(gateway, &["app", "deactivate", &apps.closed.app_id]).await;
    vec![
        apps.case("nothing", &apps.shop, Sent::Nothing, None),
        apps.key("nonsense", &apps.shop, "open sesame"),
        apps.key("key", &apps.shop, &apps.shop.api_key),
        apps.key("key to publish", &apps.writer, &apps.writer.api_key),
        apps.key("key to view", &apps.reader, &apps.reader.api_key),
        apps.key("key to manage", &apps.manager, &apps.manager.api_key),
        apps.key("key of another app", &apps.shop, &apps.reader.api_key),
        apps.key("key that was dropped", &apps.rotated, &apps.rotated.api_key),
        apps.key("key that took its place", &apps.rotated, new["apiKey"].as_str().expect("a key")),
        apps.key("key of inactive app", &apps.closed, &apps.closed.api_key),
    ]
}

async fn by_token(gateway: &Gateway, apps: &Apps) -> Vec<Case> {
    let revoked = App::create_with(gateway, &["--owner", "ann"]).await;
    let issue = async |arguments: &[&str]| {
        let issued = nsl(gateway, &[&["token", "issue"], arguments].concat()).await;
        issued["token"].as_str().expect("a token").to_owned()
    };
    let (shop, bank) = (apps.shop.app_id.as_str(), apps.bank.app_id.as_str());
    let both_apps = format!("{shop},{bank}");
    let taken_back = issue(&["--app", &revoked.app_id, "--scope", "both"]).await;
    nsl(gateway, &["app", "update", &revoked.app_id, "--revoke-tokens"]).await;
    let of_public_key = signed_with_private_key(&claims(shop, now_ms() / 1000));
    let token = |name, app, token: &str| apps.token(name, app, token);
    vec![
        token("token to view", &apps.shop, &issue(&["--app", shop]).await),
        token("token to publish", &apps.shop, &issue(&["--app", shop, "--scope", "publish"]).await),
        token("token for both", &apps.shop, &issue(&["--app", shop, "--scope", "both"]).await),
        token("token to manage", &apps.shop, &issue(&["--app", shop, "--scope", "manage"]).await),
        token("token for all", &apps.shop, &issue(&["--app", shop, "--scope", "publish,view,manage"]).await),
        token("token of two apps", &apps.shop, &issue(&["--app", &both_apps, "--scope", "both"]).await),
        token("token of the owner", &apps.shop, &issue(&["--owner", "ann", "--scope", "both"]).await),
        token("token of another owner", &apps.shop, &issue(&["--owner", "bob", "--scope", "both"]).await),
        token("token of another app", &apps.shop, &issue(&["--app", bank, "--scope", "both"]).await),
        token(
            "token of inactive app",
            &apps.closed,
            &issue(&["--app", &apps.closed.app_id, "--scope", "both"]).await,
        ),
        token("token that was revoked", &revoked, &taken_back),
        token("token of a public key", &apps.shop, &of_public_key),
    ]
}

/// The credentials of an app of `ann` that was deleted, used on the one of `bob` that has its id now.
async fn of_an_earlier_app(gateway: &Gateway, apps: &Apps) -> Vec<Case> {
    let earlier = App::create_with(gateway, &["--owner", "ann", "--legacy"]).await;
    let id = earlier.app_id.as_str();
    let issue = async |reach: &[&str]| {
        let issued = nsl(gateway, &[&["token", "issue", "--scope", "both"], reach].concat()).await;
        issued["token"].as_str().expect("a token").to_owned()
    };
    let (token, of_owner) = (issue(&["--app", id]).await, issue(&["--owner", "bob"]).await);
    nsl(gateway, &["app", "delete", id, "--yes", "--settle", "0"]).await;
    let reborn = App::create_with(gateway, &["--app-id", id, "--owner", "bob", "--legacy"]).await;
    let by_user = apps.case("library, earlier owner", &reborn, Sent::Nothing, Some(json!({"userId": "ann"})));
    vec![
        apps.token("token of an earlier app", &reborn, &token),
        apps.token("owner's, from before it", &reborn, &of_owner),
        apps.key("key of an earlier app", &reborn, &earlier.api_key),
        by_user,
    ]
}

fn by_flawed_token(gateway: &Gateway, apps: &Apps) -> Vec<Case> {
    let secret = gateway.ready().secrets["TokenSecret"].as_str();
    let now = now_ms() / 1000;
    let right = claims(&apps.shop.app_id, now);
    let but = |changed: Value| with(right.clone(), changed);
    let forged = altered(&signed(&right, secret), &but(json!({"scope": "both"})));
    let public_key = include_str!("../../fixtures/token-keys.json");
    let token = |name, token: String| apps.token(name, &apps.shop, &token);
    vec![
        token("expired", signed(&but(json!({"iat": now - 7_200, "exp": now - 1})), secret)),
        token("not yet valid", signed(&but(json!({"nbf": now + 3_000})), secret)),
        token("of another audience", signed(&but(json!({"aud": "billing"})), secret)),
        token("of another secret", signed(&right, "thirty-two bytes of a wrong secret")),
        token("with changed claims", forged),
        token("alg none", unsigned(&right)),
        token("public key as secret", signed(&right, public_key)),
    ]
}

fn by_user(apps: &Apps) -> Vec<Case> {
    let case = |name, app: &App, user: &str, origin| {
        let proof = Some(json!({"userId": user}));
        Case { origin, ..apps.case(name, app, Sent::Nothing, proof) }
    };
    let with_key = |name, app: &App, key: &str, origin| {
        let proof = Some(json!({"userId": "carol", "apiKey": key}));
        Case { origin, ..apps.case(name, app, Sent::Nothing, proof) }
    };
    let key = apps.shop.api_key.as_str();
    vec![
        with_key("library, key", &apps.shop, key, None),
        with_key("library, key to publish", &apps.writer, &apps.writer.api_key, None),
        with_key("library, key to view", &apps.reader, &apps.reader.api_key, None),
        with_key("library, another's key", &apps.bank, key, None),
        with_key("library, empty key", &apps.shop, "", None),
        with_key("page, key and user", &apps.shop, key, Some(FOREIGN_ORIGIN)),
        case("library, legacy on", &apps.library, "ann", None),
        case("library, legacy off", &apps.shop, "ann", None),
        case("library, another user", &apps.library, "bob", None),
        case("dashboard, legacy on", &apps.library, "ann", Some(DASHBOARD)),
        case("dashboard, legacy off", &apps.shop, "ann", Some(DASHBOARD)),
        case("foreign page, legacy on", &apps.library, "ann", Some(FOREIGN_ORIGIN)),
    ]
}

fn by_odd_text(apps: &Apps) -> Vec<Case> {
    let (key, another) = (&apps.shop.api_key, &apps.reader.api_key);
    let contradicting = Sent::Two(key.clone(), another.clone());
    let both = json!({"apiKey": key, "token": another});
    vec![
        apps.key("8 KB and more", &apps.shop, &"x".repeat(TOO_LONG)),
        apps.key("key and a NUL", &apps.shop, &format!("{key}\0")),
        apps.case("two that contradict", &apps.shop, contradicting, Some(both)),
    ]
}
