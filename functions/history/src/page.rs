//! The dashboard: one document that contains its styles and scripts, with a policy that allows only those by hash.
//! One document is one invocation, works under any path, and is the same for every caller.

// The build script compiles both too.
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod document;
mod gzip;

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use lambda_http::http::{HeaderMap, HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};

use crate::fingerprint::{Fingerprint, hex};
use crate::negotiate::Codings;
use gzip::Part;

include!(concat!(env!("OUT_DIR"), "/page_parts.rs"));

/// How long a caller, or a cache between, may show the page without asking: a deployment shows after that time.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The page of one stack, which contains the address of its WebSocket API.
#[derive(Debug)]
pub(crate) struct Page {
    websocket: String,
    policy: String,
    gzip: Vec<u8>,
    /// For callers that do not accept gzip, of which there are few.
    text: OnceLock<String>,
}

impl Page {
    /// The page that connects to `websocket`.
    pub(crate) fn new(websocket: &str) -> Self {
        let gzip = gzip::joined(&BEFORE, &attribute(websocket), &AFTER);
        Self { websocket: websocket.to_owned(), policy: policy(websocket), gzip, text: OnceLock::new() }
    }

    /// The page in one of `codings`, or status 304 if `has_etag` of its tag.
    pub(crate) fn answer(&self, codings: Codings, has_etag: impl Fn(&str) -> bool) -> Response<Body> {
        let tag = self.tag(codings);
        let mut response = Response::new(Body::Empty);
        *response.headers_mut() = self.headers(&tag);
        if has_etag(&tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if codings.gzip {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = Body::Binary(self.gzip.clone());
        } else {
            *response.body_mut() = Body::Text(self.text.get_or_init(|| self.decompressed()).clone());
        }
        response
    }

    /// Strong, and so different for each coding.
    fn tag(&self, codings: Codings) -> String {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(CONTENT_HASH);
        fingerprint.add(&self.policy);
        fingerprint.add(&self.websocket);
        fingerprint.add([u8::from(codings.gzip)]);
        format!("\"{}\"", hex(fingerprint.finish()))
    }

    fn headers(&self, tag: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::VARY, "Accept-Encoding"),
            (header::ETAG, tag),
            (header::CONTENT_SECURITY_POLICY, &self.policy),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn decompressed(&self) -> String {
        let mut text = String::new();
        if let Err(error) = GzDecoder::new(&self.gzip[..]).read_to_string(&mut text) {
            tracing::error!(reason = %error, "decompressing the dashboard failed");
        }
        text
    }
}

/// The content security policy: the page runs only its own scripts and connects only to the API that it came from and
/// the WebSocket. No text becomes markup (`require-trusted-types-for`), and no other page may embed it.
fn policy(websocket: &str) -> String {
    format!(
        "default-src 'none'; script-src {SCRIPT_HASHES}; style-src {STYLE_HASH}; connect-src 'self' {}; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        origin(websocket),
    )
}

/// Scheme and authority of an address: a policy with a path would match only that exact path.
fn origin(address: &str) -> &str {
    let authority = address.find("://").map_or(0, |at| at + "://".len());
    let end = address.get(authority..).and_then(|rest| rest.find('/')).map(|at| authority + at);
    address.get(..end.unwrap_or(address.len())).unwrap_or_default()
}

/// `text` escaped as a quoted attribute value.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests;
