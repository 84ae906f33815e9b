//! Compressed answers, and HEAD.

use super::*;

/// The bytes of the hour's JSON are some thousands.
const GZIP: &str = "gzip, deflate, br";

#[tokio::test]
async fn answer_is_compressed_where_accepted() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5}}"#).await;
    for accept in ["application/json", "text/csv"] {
        let plain = service.get(Call { accept, ..metrics("") }).await;
        assert_eq!((plain.coding.as_str(), plain.bytes), ("", plain.text.len()));
        let gzip = service.get(Call { accept, accept_encoding: GZIP, ..metrics("") }).await;
        assert_eq!((gzip.status, gzip.coding.as_str()), (200, "gzip"));
        assert_eq!((&gzip.text, &gzip.media_type), (&plain.text, &plain.media_type));
        assert!(gzip.bytes < plain.bytes / 3, "{} of {}", gzip.bytes, plain.bytes);
        assert_ne!(gzip.tag, plain.tag);
        let again = Call { accept, accept_encoding: GZIP, if_none_match: &gzip.tag, ..metrics("") };
        let again = service.get(again).await;
        assert_eq!((again.status, again.bytes, again.coding.as_str()), (304, 0, ""));
    }
    for accept_encoding in ["gzip;q=0", "br", "identity", "gzip;q=0.1, identity", "*;q=0"] {
        let answer = service.get(Call { accept_encoding, ..metrics("") }).await;
        assert_eq!(answer.coding, "", "{accept_encoding}");
    }
}

#[tokio::test]
async fn short_answer_is_compressed_only_on_demand() {
    let service = TestService::start().await;
    for (accept_encoding, coding) in [(GZIP, ""), ("gzip, identity;q=0", "gzip"), ("*;q=0, gzip", "gzip")] {
        for call in [call(SERIES), metrics("timeRange=year")] {
            let answer = service.get(Call { accept_encoding, ..call }).await;
            assert_eq!(answer.coding, coding, "{accept_encoding}");
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let service = TestService::start().await;
    service.store("shop", "web-1", -500, r#"{"cpu":{"usage":61.5}}"#).await;
    for route in [METRICS, SUMMARY, SERIES, LATEST, LOGS, APPS, "GET /health"] {
        let head = route.replace("GET ", "HEAD ");
        for (query, accept_encoding) in [("", ""), ("", GZIP), ("year=2026", "")] {
            let asked = Call { query, accept_encoding, ..call(route) };
            let full = service.get(asked.clone()).await;
            let answer = service.get(Call { route: &head, ..asked.clone() }).await;
            assert_eq!((answer.bytes, answer.length), (0, full.bytes.to_string()), "{head}");
            assert_eq!(
                (answer.status, answer.media_type, answer.tag, answer.cache_control, answer.coding),
                (full.status, full.media_type, full.tag.clone(), full.cache_control, full.coding),
                "{head}"
            );
            if !full.tag.is_empty() {
                let again = Call { route: &head, if_none_match: &full.tag, ..asked };
                let again = service.get(again).await;
                assert_eq!((again.status, again.length.as_str()), (304, ""), "{head}");
            }
        }
    }
    let forbidden = Call { app: "bank", ..call("HEAD /apps/{appId}/metrics") };
    assert_eq!(service.get(forbidden).await.status, 403);
    assert_eq!(service.get(call("POST /apps/{appId}/metrics")).await.status, 404);
}
