//! The dashboard as it is served: one public document with a policy that names the WebSocket of this deployment.
//! infra/dashboard/check tests it in a browser.

use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, VARY,
};
use reqwest::{Method, Response};

use crate::system::harness::{App, Client, Gateway};

/// Largest page, with its scripts, uncompressed.
const PAGE_BYTES_MAX: usize = 150_000;

fn header(response: &Response, name: HeaderName) -> String {
    response.headers()[name].to_str().expect("a header of letters").to_owned()
}

/// The address that the page connects to.
fn websocket_of(page: &str) -> &str {
    let (_, rest) =
        page.split_once("name=\"nsl-websocket\" content=\"").expect("the page names its WebSocket");
    rest.split_once('"').expect("the attribute ends").0
}

#[tokio::test]
async fn page_is_public_and_names_its_websocket() {
    let gateway = Gateway::shared();
    for path in ["/", "/api/logger", "/api/logger/"] {
        let response = gateway.get(path, None).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, CONTENT_TYPE), "text/html; charset=utf-8");
        let policy = header(&response, CONTENT_SECURITY_POLICY);
        let page = response.text().await.expect("a page is text");
        assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
        assert!(policy.contains(&format!("connect-src 'self' {};", gateway.ready().ws)), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        let app = App::create(gateway).await;
        let headers = [("origin", gateway.ready().http.as_str()), ("x-api-key", app.api_key.as_str())];
        let mut viewer =
            Client::open_at(websocket_of(&page), &headers).await.expect("the page's address opens");
        viewer.subscribe(&app).await;
    }
}

#[tokio::test]
async fn cached_page_gets_304() {
    let gateway = Gateway::shared();
    let first = gateway.get("/", None).await;
    let tag = header(&first, ETAG);
    assert_eq!(header(&first, CACHE_CONTROL), "public, max-age=300");
    let again = gateway.http(Method::GET, "/").header(IF_NONE_MATCH, &tag).send().await.expect("an answer");
    assert_eq!((again.status().as_u16(), again.text().await.expect("a body")), (304, String::new()));
}

#[tokio::test]
async fn page_is_compressed_where_accepted() {
    let gateway = Gateway::shared();
    let plain = gateway.get("/", None).await;
    let plain_tag = header(&plain, ETAG);
    let plain_bytes = plain.bytes().await.expect("a body").len();
    let request = gateway.http(Method::GET, "/").header(ACCEPT_ENCODING, "gzip, br");
    let gzip = request.send().await.expect("an answer");
    assert_eq!(
        (header(&gzip, CONTENT_ENCODING), header(&gzip, VARY)),
        ("gzip".into(), "Accept-Encoding".into())
    );
    assert_ne!(header(&gzip, ETAG), plain_tag);
    let bytes = gzip.bytes().await.expect("a body");
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < plain_bytes * 2 / 5, "{} bytes", bytes.len());
}
