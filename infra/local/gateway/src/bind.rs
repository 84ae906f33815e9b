//! Listening sockets: both loopback endpoints where `localhost` is meant, and busy ports told in one line.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, anyhow, bail};
use tokio::net::{TcpListener, lookup_host};

/// The listeners of one service; the first one's address is the service's own.
#[derive(Debug)]
pub(crate) struct BoundListeners {
    pub(crate) address: SocketAddr,
    pub(crate) listeners: Vec<TcpListener>,
}

/// Listens at `wanted`, which the flag `flag` gave, else at `localhost:default_port`.
///
/// Clients that have `localhost` compiled in may try IPv6 first, so `localhost` means both loopback endpoints.
pub(crate) async fn bind(
    flag: &str,
    wanted: Option<&str>,
    default_port: u16,
) -> anyhow::Result<BoundListeners> {
    let local_port = match wanted {
        None => Some(default_port),
        Some(text) => match text.strip_prefix("localhost:") {
            Some(port) => Some(port.parse().with_context(|| format!("{flag} {text}: no port"))?),
            None => None,
        },
    };
    if let Some(port) = local_port {
        return both_loopbacks(flag, port).await;
    }
    let text = wanted.unwrap_or_default();
    let mut found =
        lookup_host(text).await.with_context(|| format!("{flag} {text}: no address host:port"))?;
    let address = found.next().ok_or_else(|| anyhow!("{flag} {text}: no such host"))?;
    let listener = listen(flag, address).await?;
    Ok(BoundListeners { address: listener.local_addr()?, listeners: vec![listener] })
}

async fn both_loopbacks(flag: &str, port: u16) -> anyhow::Result<BoundListeners> {
    let first = listen(flag, (Ipv4Addr::LOCALHOST, port).into()).await?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    let second = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    match TcpListener::bind(second).await {
        Ok(listener) => listeners.push(listener),
        // A port that was chosen for IPv4 may be taken on IPv6; nobody has it compiled in.
        Err(fault) if fault.kind() == ErrorKind::AddrInUse && port != 0 => return Err(busy(flag, second)),
        // A machine without IPv6.
        Err(_) => {}
    }
    Ok(BoundListeners { address, listeners })
}

async fn listen(flag: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(fault) if fault.kind() == ErrorKind::AddrInUse => Err(busy(flag, address)),
        Err(fault) => bail!("cannot listen at {address} ({flag}): {fault}"),
    }
}

fn busy(flag: &str, address: SocketAddr) -> anyhow::Error {
    anyhow!("{address} is in use: stop what listens there, or choose another address with {flag} ADDR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_names_the_flag() {
        let taken = bind("--ws", Some("127.0.0.1:0"), 0).await.unwrap();
        let fault = bind("--ws", Some(&taken.address.to_string()), 0).await.unwrap_err().to_string();
        assert!(fault.contains("is in use") && fault.contains("--ws ADDR"), "{fault}");
    }

    #[tokio::test]
    async fn localhost_means_both_families_on_one_port() {
        let bound = bind("--ws", Some("localhost:0"), 0).await.unwrap();
        assert_eq!(bound.address.ip(), Ipv4Addr::LOCALHOST);
        for listener in &bound.listeners {
            assert_eq!(listener.local_addr().unwrap().port(), bound.address.port());
        }
        assert!(bind("--http", Some("nonsense"), 0).await.is_err());
    }
}
