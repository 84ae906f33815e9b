//! The APIs behind a proxy: only what has its secret is answered (docs/SECURITY.md, "Behind CloudFront and WAF").

use std::fs;

use reqwest::Method;
use tokio_tungstenite::tungstenite::Error;

use crate::system::harness::{App, Client, Gateway};

const HEADER: &str = "x-origin-verify";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const FORMER: &str = "fedcba9876543210fedcba9876543210";

/// The status of GET `path`, with the key of `app` and perhaps a secret.
async fn status(gateway: &Gateway, path: &str, app: &App, secret: Option<&str>) -> u16 {
    let request = gateway.http(Method::GET, path).bearer_auth(&app.api_key);
    let request = secret.into_iter().fold(request, |request, secret| request.header(HEADER, secret));
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn only_the_proxy_reaches_the_service() {
    let parameter = format!("OriginSecret={SECRET},{FORMER}");
    let arguments = ["--no-demo", "--parameter", &parameter, "--parameter", "LogLevel=TRACE"];
    let gateway = Gateway::start(&arguments).await;
    let app = App::create(&gateway).await;
    let metrics = format!("/apps/{}/metrics?timeRange=hour", app.app_id);
    let key = ("x-api-key", app.api_key.as_str());

    // Neither an accepted nor a refused call changes what the other gets.
    for _ in 0..2 {
        for path in ["/", "/health", &metrics] {
            assert_eq!(status(&gateway, path, &app, None).await, 403, "{path}");
            assert_eq!(status(&gateway, path, &app, Some("x")).await, 403, "{path}");
            assert_eq!(status(&gateway, path, &app, Some(SECRET)).await, 200, "{path}");
            assert_eq!(status(&gateway, path, &app, Some(FORMER)).await, 200, "{path}");
        }
    }
    for headers in [&[key][..], &[], &[key, (HEADER, "x")]] {
        let refused = Client::open_with(&gateway, headers).await.err().map(|error| *error);
        let is_forbidden = matches!(&refused, Some(Error::Http(response)) if response.status() == 403);
        assert!(is_forbidden, "{headers:?}: {refused:?}");
    }
    // Frames and posts to connections need no secret: the handshake had it.
    let mut client = Client::open_with(&gateway, &[key, (HEADER, SECRET)]).await.expect("a connection");
    client.subscribe(&app).await;
    assert_eq!(client.publish(&app, 1).await["accepted"], 1);
    client.next_report(1).await;

    let folder = gateway.folder().to_owned();
    gateway.interrupt().await;
    for log in [folder.join(".nsl/functions.log"), folder.join("gateway.log")] {
        let text = fs::read_to_string(&log).expect("the log can be read");
        assert!(!text.is_empty() && !text.contains(SECRET) && !text.contains(FORMER), "{}", log.display());
    }
}
