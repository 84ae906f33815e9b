//! `nsl token issue` and `nsl token inspect`.

use crate::gateway::{Gateway, SECRET};
use serde_json::{Value, json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn inspect(gateway: &Gateway, token: &str) -> Value {
    let output = gateway.nsl_with("token inspect --json", &[("NSL_TOKEN", token)], "").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn token_has_the_requested_claims_and_is_alone_on_stdout() {
    let gateway = Gateway::start("issue").await;
    let output = gateway.nsl("token issue --app shop,bank --scope both --expires 2h --user bob").await;
    let (token, message) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(token.lines().count(), 1);
    assert!(message.contains("publish for and view shop, bank until"), "{message}");
    assert!(!message.contains(token.trim()), "{message}");
    let document = inspect(&gateway, token.trim()).await;
    let claims = &document["claims"];
    assert_eq!(document["signature"], "valid");
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["scope"], &claims["apps"]),
        (&json!("bob"), &json!("nsl"), &json!("both"), &json!(["shop", "bank"]))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7_200);
    let several = gateway.document("token issue --app shop --scope manage,publish,view --json").await;
    assert_eq!(several["claims"]["scope"], "publish view manage");
    let message =
        text(&gateway.nsl("token issue --app shop --scope publish,manage --scope view").await.stderr);
    assert!(message.contains("for nsl to publish for, view and manage shop until"), "{message}");
    let owners = gateway.document("token issue --owner ann --json").await;
    assert_eq!((&owners["claims"]["owner"], &owners["claims"]["sub"]), (&json!("ann"), &json!("ann")));
    assert_eq!(owners["claims"]["scope"], "view", "the default");
    assert!(owners["claims"]["apps"].as_array().is_none_or(Vec::is_empty), "{owners}");
    let message = text(&gateway.nsl("token issue --owner ann").await.stderr);
    assert!(message.contains("for ann to view every application of ann until 20"), "{message}");
}

#[tokio::test]
async fn token_is_for_applications_or_for_an_owner() {
    let gateway = Gateway::start("token-apps").await;
    for arguments in
        ["token issue --scope view", "token issue --app a --owner b", "token issue --app a --expires 2y"]
    {
        gateway.error(arguments).await;
    }
    let many: Vec<String> = (0..51).map(|index| format!("app-{index}")).collect();
    let error = gateway.error(&format!("token issue --app {}", many.join(","))).await;
    assert!(error.contains("at most 50"), "{error}");
    assert!(gateway.error("token issue --app a#b").await.contains("--app: \"a#b\""));
}

#[tokio::test]
async fn claims_are_marked_as_unchecked_without_the_secret() {
    let gateway = Gateway::start("inspect").await;
    let token = text(&gateway.nsl("token issue --app shop").await.stdout);
    assert_eq!(inspect(&gateway, token.trim()).await["claims"]["sub"], "nsl");
    let forged = token.trim().rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    assert_eq!(inspect(&gateway, &forged).await["signature"], "refused");

    gateway.edit_ready(|ready| ready["secrets"] = json!({}));
    let output = gateway.nsl_with("token inspect", &[], &token).await;
    assert!(text(&output.stdout).contains("not checked"), "{}", text(&output.stdout));
    assert!(!gateway.nsl_with("token inspect", &[], "no token").await.status.success());
}

#[tokio::test]
async fn secret_file_comes_first_and_a_short_secret_is_rejected() {
    let gateway = Gateway::start("secret").await;
    std::fs::write(gateway.folder.join("other"), format!("another {SECRET}\n")).unwrap();
    std::fs::write(gateway.folder.join("short"), "guessable").unwrap();
    let token = text(&gateway.nsl("token issue --app shop --secret-file other").await.stdout);
    assert_eq!(inspect(&gateway, token.trim()).await["signature"], "refused");
    let error = gateway.error("token issue --app shop --secret-file short").await;
    assert!(error.contains("32 bytes") && !error.contains("guessable"), "{error}");
}
