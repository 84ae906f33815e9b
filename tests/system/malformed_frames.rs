//! Malformed frames get an error, close the connection only where API Gateway's would, and disturb no other client:
//! background traffic must lose no report.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::system::harness::{App, BackgroundTraffic, Client, Gateway, shared_app};

const FRAME_BYTES: usize = 32 * 1024;
const MESSAGE_BYTES: usize = 128 * 1024;

fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn leaves(count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|n| format!("\"s{n}\":{n}")).collect();
    format!("{{{}}}", numbers.join(","))
}

fn padded(bytes: usize) -> String {
    format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - "{\"text\":\"\"}".len()))
}

fn report(app: &App, metrics: &str) -> String {
    format!(r#"{{"type":"metrics","data":{{"appId":"{}","metrics":{metrics}}}}}"#, app.app_id)
}

/// Text frames and the codes with which they may be rejected.
fn rejected_texts(app: &App) -> Vec<(&'static str, String, &'static [&'static str])> {
    let id = &app.app_id;
    let stamped = |stamp: &str| {
        format!(r#"{{"type":"metrics","data":{{"appId":"{id}","metrics":{{}},"timestamp":{stamp}}}}}"#)
    };
    let data = |data: &str| format!(r#"{{"type":"metrics","data":{data}}}"#);
    let auth = |data: &str| format!(r#"{{"type":"auth","data":{data}}}"#);
    vec![
        ("prose", "hello".into(), &["invalid_json"]),
        ("nothing", String::new(), &["invalid_json"]),
        ("half an object", r#"{"type":"metrics""#.into(), &["invalid_json"]),
        ("an array", "[1,2]".into(), &["invalid_json"]),
        ("a number", "7".into(), &["invalid_json"]),
        ("null", "null".into(), &["invalid_json"]),
        ("a NUL", "{\"type\":\"ping\u{0}\"}".into(), &["invalid_json"]),
        ("no type", r#"{"data":{}}"#.into(), &["missing_field"]),
        ("a type of a number", r#"{"type":7}"#.into(), &["invalid_field", "unknown_type"]),
        ("a type of an object", r#"{"type":{}}"#.into(), &["invalid_field", "unknown_type"]),
        ("an unknown type", r#"{"type":"nonsense"}"#.into(), &["unknown_type"]),
        ("a type in capitals", r#"{"type":"Metrics"}"#.into(), &["unknown_type"]),
        ("a route of the gateway", r#"{"type":"$connect"}"#.into(), &["unknown_type"]),
        ("no payload", r#"{"type":"metrics"}"#.into(), &["missing_field"]),
        ("a payload of text", data(r#""x""#), &["invalid_field"]),
        ("an empty batch", data("[]"), &["invalid_field", "missing_field"]),
        ("a batch of numbers", data("[1]"), &["invalid_field"]),
        ("no application", data(r#"{"metrics":{}}"#), &["missing_field"]),
        ("an application of a number", data(r#"{"appId":1,"metrics":{}}"#), &["invalid_field"]),
        ("an application with a hash", data(r##"{"appId":"a#b","metrics":{}}"##), &["invalid_field"]),
        (
            "an unknown application",
            data(r#"{"appId":"unknown","metrics":{}}"#),
            &["unauthorized", "forbidden"],
        ),
        ("no metrics", data(&format!(r#"{{"appId":"{id}"}}"#)), &["missing_field"]),
        ("metrics of a list", report(app, "[1]"), &["invalid_field"]),
        ("metrics of text", report(app, r#""x""#), &["invalid_field"]),
        ("a number beyond all", report(app, r#"{"cpu":1e999}"#), &["invalid_field", "invalid_json"]),
        ("NaN bare", report(app, r#"{"cpu":NaN}"#), &["invalid_json"]),
        ("a stamp of 1970", stamped("0"), &["timestamp_out_of_range"]),
        ("a stamp of 2999", stamped(r#""2999-01-01T00:00:00Z""#), &["timestamp_out_of_range"]),
        ("a stamp beyond all", stamped("1e300"), &["invalid_field", "timestamp_out_of_range"]),
        ("a stamp in the last hours of 9999", stamped("253402300799999"), &["invalid_field"]),
        ("a stamp in microseconds", stamped("1795352461387000"), &["invalid_field"]),
        ("a stamp twice", stamped("1,\"timestamp\":2"), &["invalid_field"]),
        ("a trailing comma", r#"{"type":"metrics","data":{},}"#.into(), &["invalid_json"]),
        ("a byte order mark", "\u{feff}{\"type\":\"ping\"}".into(), &["invalid_json"]),
        ("two numbers of one name", report(app, r#"{"a.b":1,"a":{"b":2}}"#), &["invalid_field"]),
        ("a stamp of prose", stamped(r#""yesterday""#), &["invalid_field"]),
        ("nine levels", report(app, &nested(9)), &["too_deep"]),
        ("two thousand levels", report(app, &nested(2000)), &["too_deep"]),
        ("a name without end", report(app, &format!(r#"{{"{}":1}}"#, "k".repeat(300))), &["invalid_field"]),
        ("513 series", report(app, &leaves(513)), &["too_many_series"]),
        ("a report of 15 KB", report(app, &padded(15 * 1024)), &["too_large"]),
        (
            "brackets to the frame's end",
            data(&deepest_brackets()),
            &["too_deep", "invalid_field", "too_large"],
        ),
        ("auth without an application", auth(r#"{"apiKey":"k"}"#), &["missing_field"]),
        ("auth without a key", auth(r#"{"appId":"a"}"#), &["missing_field"]),
        ("auth for a number", auth(r#"{"appId":7,"apiKey":"k"}"#), &["invalid_field"]),
        ("auth by an object", auth(r#"{"appId":"a","apiKey":{}}"#), &["invalid_field"]),
        ("auth for an id with spaces", auth(r#"{"appId":"no spaces","apiKey":"k"}"#), &["invalid_field"]),
        ("auth of a list", auth("[]"), &["invalid_field"]),
        ("subscribe to nothing", r#"{"type":"subscribe"}"#.into(), &["missing_field"]),
        ("a stray answer", r#"{"type":"auth_success","payload":{}}"#.into(), &["unknown_type"]),
    ]
}

/// As many brackets as fit into one frame.
fn deepest_brackets() -> String {
    format!("{}{}", "[".repeat(16_000), "]".repeat(16_000))
}

fn part(text: &[u8], code: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message(text.to_vec(), OpCode::Data(code), is_last))
}

/// The message in frames of the largest size.
fn in_parts(text: &str) -> Vec<Message> {
    let chunks: Vec<&[u8]> = text.as_bytes().chunks(FRAME_BYTES).collect();
    let code = |index| if index == 0 { Data::Text } else { Data::Continue };
    chunks
        .iter()
        .enumerate()
        .map(|(index, chunk)| part(chunk, code(index), index + 1 == chunks.len()))
        .collect()
}

#[tokio::test]
async fn every_malformed_frame_gets_its_error() {
    let gateway = Gateway::shared();
    let background = BackgroundTraffic::start(gateway).await;
    let app = App::create(gateway).await;
    let mut viewer = Client::viewer(gateway, &app).await;
    let mut client = Client::authenticated(gateway, &app).await;
    for (what, text, codes) in rejected_texts(&app) {
        client.send_text(&text).await;
        let rejection = client.error().await;
        let code = rejection["code"].as_str().unwrap_or_default();
        assert!(codes.contains(&code), "{what} was rejected with {rejection} and not with {codes:?}");
        assert_eq!(rejection["retryable"], false, "{what}: {rejection}");
    }
    client.publish(&app, 1).await;
    viewer.next_report(1).await;
    assert_eq!(viewer.remaining("metrics"), 0, "a rejected report was delivered");
    assert_eq!(client.remaining("error"), 0, "something was rejected twice");
    background.finish().await;
}

#[tokio::test]
async fn documents_at_the_limits_are_accepted() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::viewer(gateway, &app).await;
    for metrics in [nested(8), leaves(512), padded(14 * 1024), r#"{"cpu":"NaN"}"#.into(), "{}".into()] {
        client.send_text(&report(&app, &metrics)).await;
        let shown = client.next("metrics").await["payload"]["metrics"].take();
        assert_eq!(shown, serde_json::from_str::<serde_json::Value>(&metrics).unwrap());
    }
    assert_eq!(client.remaining("error"), 0);
}

#[tokio::test]
async fn oversized_and_binary_messages_close_only_their_connection() {
    let gateway = Gateway::shared();
    let background = BackgroundTraffic::start(gateway).await;
    let app = App::create(gateway).await;
    let cases: [(&str, Vec<Message>, u16); 5] = [
        ("a frame of 33 KB", vec![Message::text("x".repeat(33 * 1024))], 1009),
        ("a message of 129 KB", in_parts(&"x".repeat(MESSAGE_BYTES + 1024)), 1009),
        ("a message of 1 MB", in_parts(&"x".repeat(1024 * 1024)), 1009),
        ("a binary frame", vec![Message::binary(vec![1, 2, 3])], 1003),
        ("text that is no UTF-8", vec![part(&[0xff, 0xfe, 0xfd], Data::Text, true)], 1007),
    ];
    for (what, messages, code) in cases {
        let mut client = Client::authenticated(gateway, &app).await;
        for message in messages {
            if !client.try_send_message(message).await {
                break;
            }
        }
        assert_eq!(client.close_code().await, code, "{what}");
    }
    background.finish().await;
}

#[tokio::test]
async fn a_large_message_in_small_frames_is_one_message() {
    let (gateway, app) = shared_app().await;
    let mut client = Client::authenticated(gateway, &app).await;
    for message in in_parts(&report(&app, &padded(MESSAGE_BYTES - 1024))) {
        client.send_message(message).await;
    }
    assert_eq!(client.error().await["code"], "too_large");
    client.send(&json!({"type": "ping"})).await;
    client.next("pong").await;
}
