//! What ends a connection: message sizes, kinds of frames, time, a client that reads too slowly.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Client, Gateway};

const KB: usize = 1024;

/// The `$disconnect` event with this code.
async fn disconnected(gateway: &Gateway, code: u64) -> Value {
    gateway.recorded(|event| event["requestContext"]["disconnectStatusCode"] == code).await
}

/// Sends `text` in frames of at most `frame_bytes`.
async fn send_in_frames(client: &mut Client, text: &str, frame_bytes: usize) {
    let chunks: Vec<&[u8]> = text.as_bytes().chunks(frame_bytes).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        let kind = if index == 0 { Data::Text } else { Data::Continue };
        let last = index + 1 == chunks.len();
        let frame = Frame::message(chunk.to_vec(), OpCode::Data(kind), last);
        // The gateway may have closed already; the close code is what counts.
        drop(client.socket.send(Message::Frame(frame)).await);
    }
}

fn frame_of(bytes: usize) -> String {
    let head = r#"{"type":"ask","do":"pid","fill":""#;
    format!(r#"{head}{}"}}"#, "x".repeat(bytes - head.len() - 2))
}

#[tokio::test]
async fn oversized_messages_and_frames_close_with_1009() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    client.send(frame_of(32 * KB)).await;
    assert!(client.text().await.parse::<u32>().is_ok(), "32 KB in one frame pass");
    send_in_frames(&mut client, &frame_of(100 * KB), 32 * KB).await;
    assert!(client.text().await.parse::<u32>().is_ok(), "100 KB in frames of 32 KB pass");
    send_in_frames(&mut client, &frame_of(128 * KB), 32 * KB).await;
    assert!(client.text().await.parse::<u32>().is_ok(), "128 KB pass");

    client.send(frame_of(32 * KB + 1)).await;
    assert_eq!(client.close_code().await, 1009);
    disconnected(&gateway, 1009).await;
    let mut client = gateway.connect().await;
    send_in_frames(&mut client, &frame_of(129 * KB), 16 * KB).await;
    assert_eq!(client.close_code().await, 1009);
    let mut client = gateway.connect().await;
    drop(client.socket.send(Message::text("x".repeat(4 * KB * KB))).await);
    assert_eq!(client.close_code().await, 1009, "the close frame arrives after 4 MB of unread messages");
}

#[tokio::test]
async fn binary_frames_and_invalid_utf8_are_rejected() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.close_code().await, 1003);
    disconnected(&gateway, 1003).await;
    let mut client = gateway.connect().await;
    let broken = Frame::message(vec![b'a', 0xff], OpCode::Data(Data::Text), true);
    client.socket.send(Message::Frame(broken)).await.unwrap();
    assert_eq!(client.close_code().await, 1007);
    disconnected(&gateway, 1007).await;
}

#[tokio::test]
async fn disconnect_event_has_the_close_code() {
    let gateway = Gateway::start(&[]);
    let mut client = gateway.connect().await;
    let frame =
        tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 4000.into(), reason: "mine".into() };
    client.socket.close(Some(frame)).await.unwrap();
    assert_eq!(client.close_code().await, 4000, "the close is answered");
    assert_eq!(disconnected(&gateway, 4000).await["requestContext"]["disconnectReason"], "mine");
    let client = gateway.connect().await;
    drop(client);
    disconnected(&gateway, 1006).await;
    for limit in ["--idle-timeout", "--max-duration"] {
        let gateway = Gateway::start(&[limit, "1"]);
        assert_eq!(gateway.connect().await.close_code().await, 1001, "{limit}");
        disconnected(&gateway, 1001).await;
    }
}

#[tokio::test]
async fn slow_client_is_disconnected() {
    let gateway = Gateway::start(&[]);
    let mut slow = gateway.connect().await;
    let mut other = gateway.connect().await;
    let target = slow.connection_id().await;
    // Far more than fits into its queue and the socket's buffers; it reads nothing.
    let flood = json!({ "type": "ask", "do": "flood", "to": target, "count": 2000, "bytes": 100_000 });
    other.send(flood.to_string()).await;
    other.send(r#"{"type":"ask","do":"pid"}"#).await;
    // Both are answered, in any order, although the slow client reads nothing.
    let answers = [other.text().await, other.text().await];
    let flood = answers.iter().find(|answer| answer.starts_with("flood ended with 410 after"));
    assert!(flood.is_some(), "{answers:?}");
    assert!(answers.iter().any(|answer| answer.parse::<u32>().is_ok()), "{answers:?}");
    disconnected(&gateway, 1008).await;
}
