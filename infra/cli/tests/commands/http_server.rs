//! An HTTP server with one fixed response per path.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// The server. It accepts one request per connection, and records its head.
pub(crate) struct HttpServer {
    pub(crate) address: String,
    requests: Arc<Mutex<String>>,
}

impl HttpServer {
    /// Responds with status and body of the first entry with which the path starts. An entry of status 429 responds
    /// once, and allows the call again at once.
    pub(crate) async fn start(mut responses: Vec<(&'static str, u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(String::new()));
        let recorded = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert!(stream.read_line(&mut head).await.unwrap() > 0, "the request ended early");
                }
                let path = head.split(' ').nth(1).unwrap();
                let entry = responses.iter().position(|(start, ..)| path.starts_with(start)).unwrap();
                let (_, status, body) = responses[entry].clone();
                let limited = if status == 429 { "retry-after: 0\r\n" } else { "" };
                if status == 429 {
                    responses.remove(entry);
                }
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\n{limited}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                recorded.lock().unwrap().push_str(&head.to_lowercase());
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self { address, requests }
    }

    /// The heads of the requests so far, in lower case.
    pub(crate) fn requests(&self) -> String {
        self.requests.lock().unwrap().clone()
    }
}
