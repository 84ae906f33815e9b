//! CloudFormation and Secrets Manager, as far as `--stack` uses them: the stack `prod`, whose tables are those of a gateway.

use crate::gateway::{Gateway, SECRET};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The running services.
pub(crate) struct FakeAws {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
    refusal: Arc<Mutex<Option<(u16, String)>>>,
}

impl FakeAws {
    /// Describes `prod` with the tables and addresses of `gateway`.
    pub(crate) async fn start(gateway: &Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (requests, refusal) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(None)));
        let description = description(&gateway.ready());
        let (recorded, refuses) = (Arc::clone(&requests), Arc::clone(&refusal));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let request = read(&mut stream).await;
                let refusal: Option<(u16, String)> = refuses.lock().unwrap().clone();
                let (status, body) = refusal.unwrap_or_else(|| answer(&request, &description));
                recorded.lock().unwrap().push(request);
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self { address, requests, refusal }
    }

    /// Answers everything with this from now on.
    pub(crate) fn refuse(&self, status: u16, body: &str) {
        *self.refusal.lock().unwrap() = Some((status, body.to_owned()));
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// A request with its headers in lower case.
async fn read(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "the request ended early");
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
    let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    format!("{head}{}", String::from_utf8(body).unwrap())
}

fn answer(request: &str, description: &str) -> (u16, String) {
    if request.contains("secretsmanager.getsecretvalue") {
        return (200, json!({"SecretString": SECRET}).to_string());
    }
    if request.ends_with("Action=DescribeStacks&Version=2010-05-15&StackName=prod") {
        return (200, description.to_owned());
    }
    if request.contains("Action=ListStacks&") {
        let stack = |name, status| {
            format!("<member><StackStatus>{status}</StackStatus><StackName>{name}</StackName></member>")
        };
        let stacks = stack("prod", "UPDATE_COMPLETE") + &stack("old", "DELETE_COMPLETE");
        return (200, format!("<R><StackSummaries>{stacks}</StackSummaries></R>"));
    }
    (400, error("ValidationError", "Stack with id test does not exist"))
}

/// An error as CloudFormation returns it.
pub(crate) fn error(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}

/// A stack in this state without outputs.
pub(crate) fn without_outputs(status: &str) -> String {
    let stack = format!("<member><StackName>prod</StackName><StackStatus>{status}</StackStatus></member>");
    format!("<R><Stacks>{stack}</Stacks></R>")
}

fn description(ready: &Value) -> String {
    let output = |name: &str, value: &str| {
        format!("<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let tables = ready["outputs"].as_object().unwrap().iter();
    let mut outputs: String = tables.map(|(name, value)| output(name, value.as_str().unwrap())).collect();
    outputs += &output("ManagementEndpoint", ready["management"].as_str().unwrap());
    outputs += &output("HttpAddress", "https://a1b2c3.execute-api.eu-west-1.amazonaws.com");
    outputs += &output("WebSocketAddress", "wss://d4e5f6.execute-api.eu-west-1.amazonaws.com/live");
    outputs +=
        &output("TokenSecret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:TokenSecret-Ab12Cd");
    let status = "<StackName>prod</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>";
    format!("<R><Stacks><member>{status}<Outputs>{outputs}</Outputs></member></Stacks></R>")
}
