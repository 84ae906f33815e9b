//! Tokens: signed with the ready file's secret, alone on stdout, and read without being believed.

use crate::gateway::{Gateway, SECRET};
use serde_json::{Value, json};
use std::process::Output;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn inspect(gateway: &Gateway, token: &str) -> Value {
    let output = gateway.nsl_with("token inspect --json", &[("NSL_TOKEN", token)], "").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_token_says_what_it_was_asked_to_and_is_alone_on_stdout() {
    let gateway = Gateway::start("issue").await;
    let output = gateway.nsl("token issue --app shop,bank --scope both --expires 2h --user bob").await;
    let (token, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(token.lines().count(), 1);
    assert!(told.contains("publish for and view shop, bank until") && !told.contains(token.trim()), "{told}");
    let document = inspect(&gateway, token.trim()).await;
    let claims = &document["claims"];
    assert_eq!(document["signature"], "valid");
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["scope"], &claims["apps"]),
        (&json!("bob"), &json!("nsl"), &json!("both"), &json!(["shop", "bank"]))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7_200);
    let owners = gateway.documents("token issue --owner ann --json").await.remove(0);
    assert_eq!((&owners["claims"]["owner"], &owners["claims"]["sub"]), (&json!("ann"), &json!("ann")));
    assert_eq!(owners["claims"]["scope"], "view", "the least, where nothing is asked");
}

#[tokio::test]
async fn a_token_is_for_applications_or_for_an_owner() {
    let gateway = Gateway::start("reach").await;
    for arguments in
        ["token issue --scope view", "token issue --app a --owner b", "token issue --app a --expires 2y"]
    {
        gateway.complaint(arguments).await;
    }
    let many: Vec<String> = (0..51).map(|index| format!("app-{index}")).collect();
    let complaint = gateway.complaint(&format!("token issue --app {}", many.join(","))).await;
    assert!(complaint.contains("at most 50"), "{complaint}");
}

#[tokio::test]
async fn a_tokens_claims_are_told_as_unproved_where_nobody_can_check_them() {
    let gateway = Gateway::start("inspect").await;
    let token = text(&gateway.nsl("token issue --app shop").await.stdout);
    let nowhere = |stdin: &'static str| async move {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_nsl"));
        command.args(["token", "inspect"]).env_clear().stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes())
            .await
            .unwrap();
        child.wait_with_output().await.unwrap()
    };
    let output: Output = nowhere(Box::leak(token.clone().into_boxed_str())).await;
    assert!(text(&output.stdout).contains("not checked"), "{}", text(&output.stdout));
    assert!(!nowhere("no token").await.status.success());

    let forged = token.trim().rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
    assert_eq!(inspect(&gateway, &forged).await["signature"], "refused");
}

#[tokio::test]
async fn the_secret_of_a_file_goes_before_the_ready_files_and_a_short_one_signs_nothing() {
    let gateway = Gateway::start("secret").await;
    std::fs::write(gateway.folder.join("other"), format!("another {SECRET}\n")).unwrap();
    std::fs::write(gateway.folder.join("short"), "guessable").unwrap();
    let token = text(&gateway.nsl("token issue --app shop --secret-file other").await.stdout);
    assert_eq!(inspect(&gateway, token.trim()).await["signature"], "refused");
    let complaint = gateway.complaint("token issue --app shop --secret-file short").await;
    assert!(complaint.contains("32 bytes") && !complaint.contains("guessable"), "{complaint}");
}
