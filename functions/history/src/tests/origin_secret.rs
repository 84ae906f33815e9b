//! Requests that did not come through the proxy in front of the APIs.

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Status and body of a call of `route` by a viewer of `shop` with these headers.
async fn answer(history: &History, route: &str, headers: &[(&str, &str)]) -> (u16, Body) {
    let path = route.split_once(' ').unwrap().1.replace("{appId}", "shop");
    let grant = grant("shop", Scope::VIEW).to_text();
    let attached = [("grant", grant.as_str())];
    let event = events::http_call(route, (&path, ""), &[("appId", "shop")], headers, Some(&attached));
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let response = history.answer(&request, now()).await;
    (response.status().as_u16(), response.into_body())
}

#[tokio::test]
async fn no_route_answers_around_the_proxy() {
    let service = TestService::start().await;
    let settings = Settings::read(|name| match name {
        "ORIGIN_SECRET" => Some(SECRET.to_owned()),
        name => service.env.variable(name),
    });
    let history = History::new(&service.env.clients, &settings.unwrap());
    // A grant that API Gateway cached changes nothing.
    for route in ["GET /", "GET /health", APPS, METRICS, SUMMARY, SERIES, LATEST, LOGS] {
        for headers in [&[][..], &[("x-origin-verify", "")], &[("x-origin-verify", &SECRET[1..])]] {
            let (status, body) = answer(&history, route, headers).await;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((status, &body["code"]), (403, &json!("forbidden")), "{route}");
        }
    }
    assert_eq!(service.env.take_lines(), [""; 0]);
    for route in ["GET /", "GET /health", LATEST] {
        assert_eq!(answer(&history, route, &[("x-origin-verify", SECRET)]).await.0, 200, "{route}");
    }
}
