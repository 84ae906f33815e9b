//! The function in the test environment: an authorizer's event in, its response out, and what it cost.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nsl_auth::token::{self, Claims, TrustedKeys};
use nsl_aws::counters::Counter;
use nsl_aws::deadline;
use nsl_domain::app::{App, KeyRecord, Status};
use nsl_domain::frame::control::MAX_CREDENTIAL_BYTES;
use nsl_domain::grant::{Grant, GrantedApps};
use nsl_domain::ids::{AppId, Scope, Subject, UserId};
use nsl_test_support::{Failure, TestEnvironment, events, fixtures};
use serde_json::{Value, json};

use crate::handler::Authorize;
use crate::settings::Settings;

const READ_APP: &str = "GetItem AppsTable consistent";
const ATTEMPTS: usize = nsl_aws::retries::MAX_ATTEMPTS as usize;
/// Largest answer of an authorizer, in bytes, that API Gateway takes.
const MAX_ANSWER_BYTES: usize = 8 * 1024;

/// The secret and the audience of trusted tokens.
const TOKEN_SECRET: &str = "thirty-two bytes and a few beyond";
const AUDIENCE: &str = "nsl";
/// Instants that are past and future on any day this runs, in seconds: the years 2023 and 2096.
const PAST_S: i64 = 1_700_000_000;
const FUTURE_S: i64 = 4_000_000_000;

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// One test's service with the app `shop` and the inactive app `old`.
struct World {
    env: TestEnvironment,
    authorize: Authorize,
}

impl World {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// The function with these accepted origin secrets.
    async fn start_with(origin_secrets: &str) -> Self {
        let env = TestEnvironment::start().await;
        for (app, status) in [("shop", Status::Active), ("old", Status::Inactive)] {
            env.register(&registered(app, status)).await;
        }
        let settings = Settings::read(|name| match name {
            "ORIGIN_SECRET" => Some(origin_secrets.to_owned()),
            name => env.variable(name),
        });
        let trusted = TrustedKeys::new(TOKEN_SECRET, "", AUDIENCE).unwrap();
        Self { authorize: Authorize::new(&env.clients, settings.unwrap(), trusted), env }
    }

    /// The response, or the text of the failure: API Gateway makes 401 of `Unauthorized` and 500 of any other.
    async fn check(&self, event: Value) -> Result<Value, String> {
        self.authorize.handle(event).await.map_err(|error| error.to_string())
    }

    /// How many faults were counted.
    fn faults(&self) -> u64 {
        self.authorize.counters.total(Counter::AuthorizeFaults)
    }

    async fn handshake(&self, headers: Pairs<'_>, query: Pairs<'_>) -> Result<Value, String> {
        self.check(events::handshake(headers, query)).await
    }

    async fn http(&self, authorization: &str) -> Result<Value, String> {
        self.check(events::http_authorizer(&[("authorization", authorization)])).await
    }
}

fn registered(app: &str, status: Status) -> App {
    App { status, keys: vec![KeyRecord::of(&key(app), Scope::VIEW)], ..fixtures::app(app) }
}

/// The text of an app's one key, whether the app is registered or not.
fn key(app: &str) -> String {
    let digits: String = app.bytes().cycle().take(32).map(|byte| format!("{byte:02x}")).collect();
    format!("nehonix@{digits}.nsl")
}

/// A token that views `shop`, with the claims that `change` makes of it.
fn token(change: impl Fn(&mut Claims)) -> String {
    let mut claims = Claims {
        sub: Subject::new("eve").unwrap(),
        aud: AUDIENCE.into(),
        iat: PAST_S,
        exp: FUTURE_S,
        nbf: None,
        scope: Scope::VIEW,
        apps: vec![AppId::new("shop").unwrap()],
        owner: None,
    };
    change(&mut claims);
    token::issue(&claims, TOKEN_SECRET).unwrap()
}

fn effect(response: &Result<Value, String>) -> &str {
    let response = response.as_ref().unwrap();
    response["policyDocument"]["Statement"][0]["Effect"].as_str().unwrap()
}

fn granted(context: &Value) -> Grant {
    Grant::from_text(context["grant"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn credential_is_accepted_in_every_place() {
    let world = World::start().await;
    for (credential, principal, until, reads) in
        [(key("shop"), "ann", None, 2), (token(|_| {}), "eve", Some(FUTURE_S), 0)]
    {
        let bearer = format!("Bearer {credential}");
        let lower_case = format!("bearer  {credential}");
        let offered = format!("nsl.v1, key.{}", URL_SAFE_NO_PAD.encode(&credential));
        let places: [(Pairs<'_>, Pairs<'_>); 9] = [
            (&[("Authorization", &bearer)], &[]),
            (&[("authorization", &lower_case)], &[]),
            (&[("AUTHORIZATION", &credential)], &[]),
            (&[("x-api-key", &credential)], &[]),
            (&[("X-Api-Key", &credential)], &[]),
            (&[("Sec-WebSocket-Protocol", &offered)], &[]),
            (&[], &[("apiKey", &credential)]),
            (&[], &[("token", &credential)]),
            (&[("Authorization", &bearer), ("Sec-WebSocket-Protocol", &offered)], &[("apiKey", &credential)]),
        ];
        for (headers, query) in places {
            let response = world.handshake(headers, query).await;
            assert_eq!(effect(&response), "Allow", "{headers:?} {query:?}");
            let response = response.unwrap();
            assert_eq!(response["principalId"], principal);
            assert!(response["context"].as_object().unwrap().values().all(Value::is_string));
            let grant = granted(&response["context"]);
            assert_eq!(grant.reach, GrantedApps::Apps(vec![AppId::new("shop").unwrap()]));
            assert_eq!((grant.scope, grant.until.map(|until| until.seconds())), (Scope::VIEW, until));
            assert_eq!(world.env.take_lines(), vec![READ_APP; reads], "{headers:?} {query:?}");
        }
        assert_eq!(world.http(&bearer).await.unwrap()["isAuthorized"], true);
        assert_eq!(world.env.take_lines(), vec![READ_APP; reads]);
    }
}

#[tokio::test]
async fn expiry_in_milliseconds_is_far_in_the_future() {
    let world = World::start().await;
    for exp in [FUTURE_S * 1_000, 253_402_207_200, 253_402_300_799, i64::MAX] {
        let token = token(|claims| claims.exp = exp);
        let response = world.handshake(&[("x-api-key", &token)], &[]).await;
        assert_eq!(effect(&response), "Allow", "{exp}");
        let until = granted(&response.unwrap()["context"]).until.unwrap();
        assert_eq!(until.to_string(), "9999-12-30T00:00:00.000Z");
        assert_eq!(world.http(&format!("Bearer {token}")).await.unwrap()["isAuthorized"], true, "{exp}");
    }
}

#[tokio::test]
async fn blanks_around_a_credential_are_ignored_in_every_place() {
    let world = World::start().await;
    for credential in [key("shop"), token(|_| {})] {
        for (before, after) in [("", "\n"), (" ", "\r\n"), ("\t\n", " \t")] {
            let padded = format!("{before}{credential}{after}");
            let bearer = format!("{before}BEARER \t {credential}{after}");
            let offered = format!("nsl.v1 ,\tkey.{} ", URL_SAFE_NO_PAD.encode(&padded));
            let places: [(Pairs<'_>, Pairs<'_>); 7] = [
                (&[("Authorization", &bearer)], &[]),
                (&[("Authorization", &padded)], &[]),
                (&[("x-api-key", &padded)], &[]),
                (&[("Sec-WebSocket-Protocol", &offered)], &[]),
                (&[], &[("apiKey", &padded)]),
                (&[], &[("token", &padded)]),
                (&[("x-api-key", &credential), ("Sec-WebSocket-Protocol", &offered)], &[("token", &padded)]),
            ];
            for (headers, query) in places {
                let response = world.handshake(headers, query).await;
                assert!(response.is_ok(), "{headers:?} {query:?}: {response:?}");
                assert_eq!(effect(&response), "Allow", "{headers:?} {query:?}");
            }
            for authorization in [padded, bearer] {
                assert_eq!(world.http(&authorization).await.unwrap()["isAuthorized"], true);
            }
        }
        // Inside, a blank is a part of the text.
        let (start, end) = credential.split_at(20);
        let split = world.handshake(&[("x-api-key", &format!("{start} {end}"))], &[]).await;
        assert_eq!(split, Err("Unauthorized".to_owned()));
    }
}

#[tokio::test]
async fn response_has_the_shape_that_api_gateway_reads() {
    let world = World::start().await;
    let key = key("shop");
    let response = world.handshake(&[("x-api-key", &key)], &[]).await.unwrap();
    assert!(response.to_string().len() < MAX_ANSWER_BYTES);
    assert_eq!(response["principalId"], "ann");
    let statement = &response["policyDocument"]["Statement"][0];
    let method = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/live/$connect";
    assert_eq!(
        (&statement["Action"], &statement["Resource"]),
        (&json!("execute-api:Invoke"), &json!(method))
    );
    let context = response["context"].as_object().unwrap();
    assert_eq!(context.keys().collect::<Vec<_>>(), ["grant", "role", "sourceIp"]);
    assert!(context.values().all(Value::is_string), "{context:?}");
    assert_eq!(context["sourceIp"], "203.0.113.7");
    assert!(!response.to_string().contains(&key), "a response is sent with every event");
}

#[tokio::test]
async fn subject_of_a_token_is_passed_on_unchanged() {
    let world = World::start().await;
    for subject in ["auth0|5f7c8ec7c33c6c004bbafe82", "https://issuer.example/users/7?a=b#c", "Zoë"] {
        let token = token(|claims| claims.sub = Subject::new(subject).unwrap());
        let response = world.handshake(&[("x-api-key", &token)], &[]).await.unwrap();
        assert_eq!(response["principalId"], subject);
        assert_eq!(granted(&response["context"]).user.as_str(), subject);
    }
}

#[tokio::test]
async fn response_to_the_longest_token_is_not_too_large() {
    let world = World::start().await;
    for subject in ["x", "\"", "\\", "é"].map(|character| character.repeat(256 / character.len())) {
        let with_apps = |bytes: usize| {
            token(|claims| {
                claims.sub = Subject::new(subject.as_str()).unwrap();
                let app = |index: usize| AppId::new(format!("{index:0bytes$}")).unwrap();
                claims.apps = (0..50).map(app).collect();
            })
        };
        let longest =
            (2..=128).rev().map(with_apps).find(|token| token.len() <= MAX_CREDENTIAL_BYTES).unwrap();
        let response = world.handshake(&[("x-api-key", &longest)], &[]).await;
        assert_eq!(effect(&response), "Allow");
        let bytes = response.unwrap().to_string().len();
        assert!(bytes < MAX_ANSWER_BYTES, "{bytes} bytes for {subject:?}");
    }
}

#[tokio::test]
async fn handshake_without_credential_is_accepted_without_grant() {
    let world = World::start().await;
    for headers in [&[][..], &[("Sec-WebSocket-Protocol", "nsl.v1")], &[("Origin", "http://localhost:2798")]]
    {
        let response = world.handshake(headers, &[("page", "1")]).await;
        assert_eq!(effect(&response), "Allow");
        assert_eq!(response.unwrap()["context"].get("grant"), None);
    }
    assert_eq!(world.env.take_lines(), [""; 0]);
}

#[tokio::test]
async fn origin_determines_the_role() {
    let world = World::start().await;
    for (headers, role) in [
        (&[][..], "program"),
        (&[("Origin", "http://localhost:2798")], "page"),
        (&[("origin", "https://dashboard.example")], "page"),
        (&[("Origin", "https://dashboard.example.evil")], "foreignpage"),
        (&[("Origin", "null")], "foreignpage"),
        (&[("Origin", "")], "foreignpage"),
    ] {
        let response = world.handshake(headers, &[]).await.unwrap();
        assert_eq!(response["context"]["role"], role, "{headers:?}");
    }
}

#[tokio::test]
async fn wrong_or_contradicting_credential_is_401() {
    let world = World::start().await;
    let (right, other, long) = (key("shop"), key("other"), "x".repeat(9_000));
    let upper_case = right.to_uppercase();
    let encoded = URL_SAFE_NO_PAD.encode(&right);
    let offered = format!("key.{}", URL_SAFE_NO_PAD.encode(&other));
    let two = format!("key.{encoded}, {offered}");
    let undecodable = format!("nsl.v1, key.{encoded}, key.!");
    let wrong: [(Pairs<'_>, Pairs<'_>, usize); 14] = [
        (&[("x-api-key", &other)], &[], 1),
        (&[("x-api-key", "")], &[], 0),
        (&[("x-api-key", "hello")], &[], 0),
        (&[("x-api-key", &long)], &[], 0),
        (&[("x-api-key", &upper_case)], &[], 0),
        (&[("Authorization", "Basic YTpi")], &[], 0),
        (&[("Sec-WebSocket-Protocol", "key.!!!")], &[], 0),
        (&[("Sec-WebSocket-Protocol", "key.")], &[], 0),
        (&[("Sec-WebSocket-Protocol", &two)], &[], 0),
        (&[("Sec-WebSocket-Protocol", &undecodable)], &[], 0),
        (&[("x-api-key", &right), ("Authorization", &other)], &[], 0),
        (&[("x-api-key", &right)], &[("apiKey", &other)], 0),
        (&[("x-api-key", &right), ("Sec-WebSocket-Protocol", &offered)], &[], 0),
        (&[], &[("apiKey", &right), ("token", &other)], 0),
    ];
    for (headers, query, reads) in wrong {
        let response = world.handshake(headers, query).await;
        assert_eq!(response, Err("Unauthorized".to_owned()), "{headers:?} {query:?}");
        assert_eq!(world.env.take_lines(), vec![READ_APP; reads], "{headers:?} {query:?}");
    }
    assert_eq!(world.faults(), 0, "a caller's mistake is no fault");
}

#[tokio::test]
async fn key_of_an_inactive_app_is_403() {
    let world = World::start().await;
    let response = world.handshake(&[("x-api-key", &key("old"))], &[]).await;
    assert_eq!(effect(&response), "Deny");
    assert_eq!(response.unwrap()["context"].get("grant"), None);
    assert_eq!(world.faults(), 0);
}

#[tokio::test]
async fn fault_accepts_no_credential_and_is_not_a_401() {
    let world = World::start().await;
    let key = key("shop");
    world.env.dynamodb.fail("GetItem", Failure::Throttled, ATTEMPTS);
    let failure = world.handshake(&[("x-api-key", &key)], &[]).await.unwrap_err();
    assert_eq!(failure, "the credential cannot be checked");
    world.env.dynamodb.go_offline();
    assert_eq!(world.http(&format!("Bearer {key}")).await.unwrap_err(), failure);
    assert_eq!(effect(&world.handshake(&[], &[]).await), "Allow", "no credential needs no table");
    world.env.dynamodb.go_online();
    assert_eq!(effect(&world.handshake(&[("x-api-key", &key)], &[]).await), "Allow");
    assert_eq!(world.faults(), 2, "each fault is counted");
}

#[tokio::test]
async fn stalled_table_is_a_fault_before_the_function_ends() {
    let world = World::start().await;
    world.env.dynamodb.fail("GetItem", Failure::NoResponse, ATTEMPTS);
    let key = key("shop");
    let failure =
        deadline::within(Duration::from_secs(1), world.handshake(&[("x-api-key", &key)], &[])).await;
    assert_eq!(failure, Err("the credential cannot be checked".to_owned()));
    assert_eq!((world.env.take_lines().len(), world.faults()), (1, 1), "there is no time for a retry");
}

#[tokio::test]
async fn event_that_cannot_be_read_is_a_fault() {
    let world = World::start().await;
    let mut without_arn = events::handshake(&[], &[]);
    without_arn["methodArn"] = Value::Null;
    for event in [json!(7), json!({"headers": 7}), without_arn] {
        let failure = world.check(event).await.unwrap_err();
        assert_ne!(failure, "Unauthorized");
    }
    assert_eq!(world.faults(), 3);
}

#[tokio::test]
async fn http_call_needs_a_valid_grant() {
    let world = World::start().await;
    for scheme in ["Bearer ", "bearer ", ""] {
        let response = world.http(&format!("{scheme}{}", key("shop"))).await.unwrap();
        assert_eq!(response["isAuthorized"], true);
        assert_eq!(granted(&response["context"]).user.as_str(), "ann");
        assert!(response["context"].as_object().unwrap().values().all(Value::is_string));
        assert_eq!(world.env.take_lines(), [READ_APP; 2]);
    }
    let rejected = Ok(json!({"isAuthorized": false}));
    for (authorization, reads) in [
        (format!("Bearer {}", key("nowhere")), 1),
        (format!("Bearer {}", key("old")), 2),
        ("Bearer hello".to_owned(), 0),
        (String::new(), 0),
    ] {
        assert_eq!(world.http(&authorization).await, rejected, "{authorization}");
        assert_eq!(world.env.take_lines(), vec![READ_APP; reads], "{authorization}");
    }
    assert_eq!(world.check(events::http_authorizer(&[])).await, rejected);
    assert_eq!(world.faults(), 0);
}

#[tokio::test]
async fn http_call_is_authenticated_by_authorization_only() {
    let world = World::start().await;
    let key = key("shop");
    // The answer is cached by that header: a key elsewhere would authenticate later callers too.
    let response = world.check(events::http_authorizer(&[("x-api-key", &key)])).await;
    assert_eq!(response, Ok(json!({"isAuthorized": false})));
}

#[tokio::test]
async fn invalid_token_is_401() {
    let world = World::start().await;
    let mut tokens = vec![
        token(|claims| claims.exp = PAST_S + 1),
        token(|claims| claims.iat = FUTURE_S - 1),
        token(|claims| claims.nbf = Some(FUTURE_S - 1)),
        token(|claims| claims.aud = "another".into()),
        token(|claims| claims.apps = Vec::new()),
        token(|claims| claims.owner = Some(UserId::new("ann").unwrap())),
    ];
    let mut cut = token(|_| {});
    cut.pop();
    tokens.push(cut);
    for token in tokens {
        let response = world.handshake(&[("x-api-key", &token)], &[]).await;
        assert_eq!(response, Err("Unauthorized".to_owned()), "{token}");
        assert_eq!(world.http(&format!("Bearer {token}")).await, Ok(json!({"isAuthorized": false})));
    }
    assert_eq!(world.env.take_lines(), [""; 0]);
    assert_eq!(world.faults(), 0);
}

#[tokio::test]
async fn panic_while_a_credential_is_checked_is_a_fault() {
    let world = World::start().await;
    let bearer = format!("Bearer {}", key("shop"));
    world.env.panic_on("GetItem", "", 2);
    let failed = Err("the credential cannot be checked".to_owned());
    assert_eq!(world.handshake(&[("authorization", &bearer)], &[]).await, failed);
    assert_eq!(world.http(&bearer).await, failed);
    assert_eq!(world.faults(), 2);
    assert_eq!(world.http(&bearer).await.unwrap()["isAuthorized"], true);
}

#[tokio::test]
async fn request_around_the_proxy_is_403_before_any_read() {
    let (new, old) = ("n".repeat(32), "o".repeat(32));
    let world = World::start_with(&format!("{new},{old}")).await;
    let bearer = format!("Bearer {}", key("shop"));
    let (cut, both) = ("n".repeat(31), format!("{new},{old}"));
    for sent in [None, Some(""), Some(cut.as_str()), Some(both.as_str())] {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(sent.map(|sent| ("x-origin-verify", sent)));
        let response = world.handshake(&headers, &[]).await;
        assert_eq!(effect(&response), "Deny", "{sent:?}");
        let response = world.check(events::http_authorizer(&headers)).await;
        assert_eq!(response, Ok(json!({"isAuthorized": false})), "{sent:?}");
    }
    // Without a credential, too: otherwise anybody could open connections around the proxy.
    assert_eq!(effect(&world.handshake(&[], &[]).await), "Deny");
    assert_eq!(world.env.take_lines(), [""; 0]);
}

#[tokio::test]
async fn each_accepted_origin_secret_lets_a_request_through() {
    let (new, old) = ("n".repeat(32), "o".repeat(32));
    let world = World::start_with(&format!("{new}, {old}")).await;
    let bearer = format!("Bearer {}", key("shop"));
    for (name, secret) in [("x-origin-verify", &new), ("X-Origin-Verify", &old)] {
        let headers = [("authorization", bearer.as_str()), (name, secret.as_str())];
        let response = world.handshake(&headers, &[]).await;
        assert_eq!(effect(&response), "Allow");
        assert!(!response.unwrap().to_string().contains(secret), "a response is sent with every event");
        assert_eq!(world.check(events::http_authorizer(&headers)).await.unwrap()["isAuthorized"], true);
        assert_eq!(world.env.take_lines(), [READ_APP; 4]);
        // The secret of the proxy is no credential.
        assert_eq!(world.check(events::http_authorizer(&[headers[1]])).await.unwrap()["isAuthorized"], false);
        assert_eq!(effect(&world.handshake(&[headers[1]], &[]).await), "Allow");
    }
}
