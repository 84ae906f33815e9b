//! A TCP proxy that can be switched off and pointed at another target, and that counts DynamoDB calls.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::dynamodb_calls::{DynamoDbCalls, Reader};

/// Size of the read buffer.
const CHUNK_BYTES: usize = 16 * 1024;

pub(crate) struct Proxy {
    pub(crate) address: String,
    route: watch::Sender<Route>,
    calls: Arc<Mutex<DynamoDbCalls>>,
}

/// The current target.
#[derive(Clone, Default)]
struct Route {
    /// Number of changes so far, so that setting the same target again also cuts connections.
    changes: u64,
    /// `None` while switched off.
    target: Option<String>,
}

impl Proxy {
    /// Forwards to `target`, an address of the form `http://host:port` or `ws://host:port`.
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (scheme, _) = target.split_once("://").expect("an address with a scheme");
        let address = format!("{scheme}://{}", listener.local_addr().expect("a bound address"));
        let (route, state) = watch::channel(Route { changes: 0, target: Some(host_of(target)) });
        let calls = Arc::new(Mutex::new(DynamoDbCalls::default()));
        let counted = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, state.clone(), Arc::clone(&counted)));
            }
        });
        Self { address, route, calls }
    }

    /// Cuts every connection and drops new ones.
    pub(crate) fn switch_off(&self) {
        self.set_target(None);
    }

    /// Forwards to `target` from now on and cuts existing connections.
    pub(crate) fn forward_to(&self, target: &str) {
        self.set_target(Some(host_of(target)));
    }

    fn set_target(&self, target: Option<String>) {
        self.route.send_modify(|route| *route = Route { changes: route.changes + 1, target });
    }

    /// The DynamoDB calls since the last take.
    pub(crate) fn take_calls(&self) -> DynamoDbCalls {
        std::mem::take(&mut *self.calls.lock().expect("no counter panics"))
    }
}

fn host_of(address: &str) -> String {
    let (_, rest) = address.split_once("://").expect("an address with a scheme");
    rest.trim_end_matches('/').to_owned()
}

async fn forward(mut client: TcpStream, mut state: watch::Receiver<Route>, calls: Arc<Mutex<DynamoDbCalls>>) {
    let Route { changes, target: Some(target) } = state.borrow().clone() else { return };
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = relay(&mut client, &mut server, &calls) => {}
        _ = state.wait_for(|route| route.changes != changes) => {}
    }
}

/// Copies both directions until either side ends, and counts the requests of the client.
async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    calls: &Mutex<DynamoDbCalls>,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let length = client.read(&mut chunk).await?;
    server.write_all(&chunk[..length]).await?;
    if !Reader::is_dynamodb(&chunk[..length]) {
        return copy_bidirectional(client, server).await.map(drop);
    }
    let mut reader = Reader::default();
    let mut length = length;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let asking = async {
        while length > 0 {
            reader.read(&chunk[..length], &mut calls.lock().expect("no counter panics"));
            length = from_client.read(&mut chunk).await?;
            to_server.write_all(&chunk[..length]).await?;
        }
        to_server.shutdown().await
    };
    tokio::try_join!(asking, copy(&mut from_server, &mut to_client)).map(drop)
}
