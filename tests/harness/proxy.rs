//! A TCP proxy that can be switched off: the store behind it is then unreachable, and back when switched on.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    pub(crate) address: String,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// Forwards to `target`, an address of the form `http://host:port`.
    pub(crate) async fn to(target: &str) -> Self {
        let target = target.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("a bound address"));
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() {
                    tokio::spawn(forward(client, target.clone(), state.clone()));
                }
            }
        });
        Self { address, open }
    }

    /// Cuts every connection and drops each new one at once.
    pub(crate) fn switch_off(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn switch_on(&self) {
        self.open.send_replace(true);
    }
}

async fn forward(mut client: TcpStream, target: String, mut open: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
