//! A TCP proxy that can be switched off and led elsewhere: what is behind it is then unreachable, or another.
//! It can count what a store behind it is asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::dynamodb_calls::{DynamoDbCalls, Reader};

/// What is read of a connection at once.
const CHUNK_BYTES: usize = 16 * 1024;

pub(crate) struct Proxy {
    pub(crate) address: String,
    way: watch::Sender<Way>,
    calls: Arc<Mutex<DynamoDbCalls>>,
}

/// Where it leads.
#[derive(Clone, Default)]
struct Way {
    /// Changes with every order, so that a connection is cut by one that leads to where it leads already.
    orders: u64,
    /// Nowhere while it is switched off.
    target: Option<String>,
}

impl Proxy {
    /// Forwards to `target`, an address of the form `http://host:port` or `ws://host:port`.
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (scheme, _) = target.split_once("://").expect("an address with a scheme");
        let address = format!("{scheme}://{}", listener.local_addr().expect("a bound address"));
        let (way, state) = watch::channel(Way { orders: 0, target: Some(host_of(target)) });
        let calls = Arc::new(Mutex::new(DynamoDbCalls::default()));
        let counted = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, state.clone(), Arc::clone(&counted)));
            }
        });
        Self { address, way, calls }
    }

    /// Cuts every connection and drops each new one at once.
    pub(crate) fn switch_off(&self) {
        self.turn(None);
    }

    /// Leads to `target` from here on, and cuts what led elsewhere.
    pub(crate) fn lead_to(&self, target: &str) {
        self.turn(Some(host_of(target)));
    }

    fn turn(&self, target: Option<String>) {
        self.way.send_modify(|way| *way = Way { orders: way.orders + 1, target });
    }

    /// What the store behind it was asked since the last time that this was asked.
    pub(crate) fn take_calls(&self) -> DynamoDbCalls {
        std::mem::take(&mut *self.calls.lock().expect("no counter panics"))
    }
}

fn host_of(address: &str) -> String {
    let (_, rest) = address.split_once("://").expect("an address with a scheme");
    rest.trim_end_matches('/').to_owned()
}

async fn forward(mut client: TcpStream, mut state: watch::Receiver<Way>, calls: Arc<Mutex<DynamoDbCalls>>) {
    let Way { orders, target: Some(target) } = state.borrow().clone() else { return };
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = relay(&mut client, &mut server, &calls) => {}
        _ = state.wait_for(|way| way.orders != orders) => {}
    }
}

/// Carries both ways until either side ends, and reads along what the client asks.
async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    calls: &Mutex<DynamoDbCalls>,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let length = client.read(&mut chunk).await?;
    server.write_all(&chunk[..length]).await?;
    if !Reader::understands(&chunk[..length]) {
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
