//! Refuses requests that a web page may have sent, before any handler sees them.
//!
//! A page reaches a loopback listener directly, which its `Origin` shows, or under a name that its own DNS server
//! resolves to this machine (DNS rebinding), which `Host` shows.
//! The port in `Host` is not compared: a page cannot choose it, and a forwarded port has another number.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

/// The hosts under which a listener may be addressed.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts {
    address: IpAddr,
    /// Names other than `localhost`.
    names: Vec<String>,
}

impl AllowedHosts {
    /// Those of a listener at `address`: `localhost`, every loopback address, and `address` itself. If that stands for
    /// all interfaces, every address is allowed, because no DNS server is asked for one.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self { address: address.ip().to_canonical(), names: Vec::new() }
    }

    pub(crate) fn and_names<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.names.extend(names.into_iter().map(str::to_ascii_lowercase));
        self
    }

    fn allow(&self, host: &str) -> bool {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match literal.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address) => address.is_loopback() || address == self.address || self.address.is_unspecified(),
            Err(_) => {
                let name = host.to_ascii_lowercase();
                name == "localhost" || self.names.contains(&name)
            }
        }
    }
}

/// The pages from which a listener accepts requests. Programs send no `Origin`.
#[derive(Clone, Debug)]
pub(crate) enum AllowedPages {
    None,
    /// Those that the listener serves itself and those of these origins.
    Own(Vec<String>),
    /// The functions decide, as on AWS.
    Any,
}

/// What a listener accepts.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) hosts: AllowedHosts,
    pub(crate) pages: AllowedPages,
}

impl Guard {
    /// `router` behind this guard.
    pub(crate) fn protect(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(Arc::new(self), check))
    }

    /// Why a request with these headers is refused.
    fn refusal(&self, headers: &HeaderMap) -> Option<&'static str> {
        let Some(host) = single_host(headers).filter(|host| self.hosts.allow(host.host())) else {
            return Some("the Host header names another host; --allow-host NAME allows one");
        };
        let mut origins = headers.get_all(ORIGIN).iter();
        let is_allowed = match &self.pages {
            AllowedPages::Any => true,
            AllowedPages::None => origins.next().is_none(),
            AllowedPages::Own(others) => origins.all(|origin| {
                let own = origin.as_bytes().strip_prefix(b"http://");
                own == Some(host.as_str().as_bytes()) || others.iter().any(|other| origin == other)
            }),
        };
        (!is_allowed).then_some("pages of this origin are not allowed")
    }
}

/// The host of a request that names exactly one.
fn single_host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    Authority::try_from(host.as_bytes()).ok().filter(|host| !host.as_str().contains('@'))
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.refusal(request.headers()) {
        Some(reason) => {
            let body = Json(json!({ "message": format!("Forbidden: {reason}") }));
            (StatusCode::FORBIDDEN, body).into_response()
        }
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn hosts(address: &str) -> AllowedHosts {
        AllowedHosts::of(address.parse().unwrap())
    }

    fn is_refused(guard: &Guard, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_str(origin).unwrap())));
        guard.refusal(&headers).is_some()
    }

    #[test]
    fn loopback_listener_refuses_every_foreign_host() {
        let guard = Guard { hosts: hosts("127.0.0.1:2798"), pages: AllowedPages::Any };
        for host in ["localhost", "LOCALHOST:2798", "127.0.0.1:2798", "[::1]:9", "[::ffff:127.0.0.1]"] {
            assert!(!is_refused(&guard, host, None), "{host}");
        }
        for host in [
            "evil.example:2798",
            "localhost.evil.example",
            "evil.localhost",
            "localhost.",
            "127.0.0.1.nip.example:2798",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1:2798",
            "0.0.0.0:2798",
            "[::]:2798",
            "192.168.0.7:2798",
            "2130706433",
            "localhost, evil.example",
            "",
        ] {
            assert!(is_refused(&guard, host, None), "{host}");
        }
    }

    #[test]
    fn request_without_one_host_is_refused() {
        let guard = Guard { hosts: hosts("127.0.0.1:1"), pages: AllowedPages::Any };
        let mut headers = HeaderMap::new();
        assert!(guard.refusal(&headers).is_some());
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(guard.refusal(&headers).is_none());
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(guard.refusal(&headers).is_some());
    }

    #[test]
    fn listener_on_all_interfaces_allows_addresses_and_given_names() {
        let all = hosts("0.0.0.0:80").and_names(["Gateway.test"]);
        let guard = Guard { hosts: all, pages: AllowedPages::None };
        for host in ["192.168.0.7:80", "[2001:db8::1]", "gateway.TEST", "localhost:8080"] {
            assert!(!is_refused(&guard, host, None), "{host}");
        }
        assert!(is_refused(&guard, "evil.example", None));
        let bridge = Guard { hosts: hosts("172.17.0.1:80"), pages: AllowedPages::None };
        assert!(!is_refused(&bridge, "172.17.0.1:80", None));
        assert!(is_refused(&bridge, "192.168.0.7:80", None));
    }

    #[test]
    fn pages_are_allowed_by_origin() {
        let guard = |pages| Guard { hosts: hosts("127.0.0.1:2798"), pages };
        let own = guard(AllowedPages::Own(vec!["http://one.test".to_owned()]));
        let host = "localhost:2798";
        for origin in ["http://one.test", "http://localhost:2798"] {
            assert!(!is_refused(&own, host, Some(origin)), "{origin}");
            assert!(is_refused(&guard(AllowedPages::None), host, Some(origin)), "{origin}");
        }
        for origin in ["http://evil.example", "null", "", "http://localhost:1", "http://one.test.evil"] {
            assert!(is_refused(&own, host, Some(origin)), "{origin}");
            assert!(!is_refused(&guard(AllowedPages::Any), host, Some(origin)), "{origin}");
        }
    }
}
