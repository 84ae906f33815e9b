//! Listening sockets: both loopback addresses for `localhost`, and a clear error for a port in use.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, anyhow, bail};
use tokio::net::{TcpListener, lookup_host};

use crate::guard::AllowedHosts;

/// The listeners of one service; `address` is that of the first.
#[derive(Debug)]
pub(crate) struct BoundListeners {
    pub(crate) address: SocketAddr,
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) hosts: AllowedHosts,
}

impl BoundListeners {
    pub(crate) fn of(listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { address, listeners: vec![listener], hosts: AllowedHosts::of(address) })
    }
}

/// Listens at `wanted`, the value of the flag `flag`, or else at `localhost:default_port`. Clients may address it by the
/// host of `wanted` and by `host_names`.
///
/// Clients with `localhost` compiled in may try IPv6 first, so `localhost` means both loopback addresses.
pub(crate) async fn bind(
    flag: &str,
    wanted: Option<&str>,
    default_port: u16,
    host_names: &[String],
) -> anyhow::Result<BoundListeners> {
    let wanted_host = wanted.and_then(|text| text.rsplit_once(':')).map(|(host, _)| host);
    let mut bound = listen_at(flag, wanted, default_port).await?;
    bound.hosts = bound.hosts.and_names(wanted_host.into_iter().chain(host_names.iter().map(String::as_str)));
    Ok(bound)
}

async fn listen_at(flag: &str, wanted: Option<&str>, default_port: u16) -> anyhow::Result<BoundListeners> {
    let Some(text) = wanted else { return bind_loopbacks(flag, default_port).await };
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().with_context(|| format!("{flag} {text}: not a port number"))?;
        return bind_loopbacks(flag, port).await;
    }
    let mut found = lookup_host(text)
        .await
        .with_context(|| format!("{flag} {text}: not an address of the form HOST:PORT"))?;
    let address = found.next().ok_or_else(|| anyhow!("{flag} {text}: host not found"))?;
    Ok(BoundListeners::of(listen(flag, address).await?)?)
}

async fn bind_loopbacks(flag: &str, port: u16) -> anyhow::Result<BoundListeners> {
    let mut bound = BoundListeners::of(listen(flag, (Ipv4Addr::LOCALHOST, port).into()).await?)?;
    let second = SocketAddr::from((Ipv6Addr::LOCALHOST, bound.address.port()));
    match TcpListener::bind(second).await {
        Ok(listener) => bound.listeners.push(listener),
        // With port 0 the system chose the port for IPv4 only: no client expects it on IPv6.
        Err(error) if error.kind() == ErrorKind::AddrInUse && port != 0 => return Err(in_use(flag, second)),
        // The machine has no IPv6.
        Err(_) => {}
    }
    Ok(bound)
}

async fn listen(flag: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(in_use(flag, address)),
        Err(error) => bail!("cannot listen at {address} ({flag}): {error}"),
    }
}

fn in_use(flag: &str, address: SocketAddr) -> anyhow::Error {
    let port = address.port();
    let find = if cfg!(target_os = "linux") {
        format!("ss -ltnp 'sport = :{port}'")
    } else {
        format!("lsof -nP -iTCP:{port} -sTCP:LISTEN")
    };
    anyhow!(
        "port {port} is in use ({address}): stop the program that listens there (`{find}` shows it), or choose \
         another address with {flag} ADDR, for example {flag} localhost:0 for any free port"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_means_both_families_on_one_port() {
        let bound = bind("--ws", Some("localhost:0"), 0, &[]).await.unwrap();
        assert_eq!(bound.address.ip(), Ipv4Addr::LOCALHOST);
        for listener in &bound.listeners {
            assert_eq!(listener.local_addr().unwrap().port(), bound.address.port());
        }
        assert!(bind("--http", Some("nonsense"), 0, &[]).await.is_err());
    }
}
