//! Frames that are no reports: `auth`, `subscribe`, `unsubscribe`, `ping`, and the library's other types.
//!
//! Owns their reading; `legacy` owns that of the library's types. Refuses to decide anything: that is the
//! conversation's matter. Ruled by protocol.md §1 and §2.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{Envelope, FrameId, RejectedFrame};
use super::fields;
use crate::ids::{AppId, UserId};
use crate::legacy::frames::LegacyRequest;
use crate::rejection::Rejection;
use crate::time::{MINUTE_MS, TimestampMs};

/// Longest credential in bytes that is looked at; API Gateway's own limit of a header is near it.
pub const MAX_CREDENTIAL_BYTES: usize = 8 * 1024;

/// Largest `minInterval` of a subscription, in milliseconds.
pub const MAX_MIN_INTERVAL_MS: i64 = 10 * MINUTE_MS;

/// Types whose route answers by itself, with the body of the function's result, which must never be empty: an empty
/// message kills the library, so none of these is a type that it sends. The template declares the same.
pub const ANSWERED_BY_ROUTE: [&str; 3] = ["subscribe", "unsubscribe", "ping"];

/// What a caller offers as proof.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    ApiKey(String),
    /// A JSON web token.
    Token(String),
    /// The library's own `auth`: the owner's id, which is no secret.
    LegacyUser(UserId),
}

/// Never shows a secret.
impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApiKey(_) => formatter.write_str("ApiKey(..)"),
            Self::Token(_) => formatter.write_str("Token(..)"),
            Self::LegacyUser(user) => write!(formatter, "LegacyUser({user})"),
        }
    }
}

/// What a control frame asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Prove who is there.
    Auth {
        /// The application to act on.
        app: AppId,
        /// The proof.
        credential: Credential,
    },
    /// Watch an application.
    Subscribe {
        /// Which.
        app: AppId,
        /// Stamp of the last report that the viewer knows.
        since: Option<TimestampMs>,
        /// Least distance between two live frames, in milliseconds; 0 for every report.
        min_interval_ms: i64,
    },
    /// Watch it no longer.
    Unsubscribe {
        /// Which.
        app: AppId,
    },
    /// Show that the way is open.
    Ping,
    /// A type that only the library or its dashboard sends.
    Legacy(LegacyRequest),
}

impl Request {
    /// Whether it is the library's or its dashboard's: one of their types, or an `auth` without a secret.
    pub fn is_legacy(&self) -> bool {
        match self {
            Self::Legacy(_) => true,
            Self::Auth { credential, .. } => matches!(credential, Credential::LegacyUser(_)),
            _ => false,
        }
    }
}

/// A control frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFrame {
    /// The caller's name for it.
    pub id: Option<FrameId>,
    /// What it asks for.
    pub request: Request,
}

impl ControlFrame {
    /// Reads the text of a frame.
    ///
    /// # Errors
    /// `invalid_json`, `unknown_type`, `missing_field` or `invalid_field`.
    pub fn read(text: &str) -> Result<Self, RejectedFrame> {
        let envelope = Envelope::read(text)?;
        match read_request(&envelope) {
            Ok(request) => Ok(Self { id: envelope.id, request }),
            Err(rejection) => Err(RejectedFrame { rejection, id: envelope.id }),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFields<'a> {
    #[serde(borrow)]
    app_id: Option<&'a RawValue>,
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    api_key: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    since: Option<&'a RawValue>,
    #[serde(borrow)]
    min_interval: Option<&'a RawValue>,
}

impl RawFields<'_> {
    fn app(&self) -> Result<AppId, Rejection> {
        fields::required_id("data.appId", self.app_id)
    }
}

fn read_request(envelope: &Envelope<'_>) -> Result<Request, Rejection> {
    match envelope.kind.as_ref() {
        "ping" => Ok(Request::Ping),
        "auth" => read_auth(&fields_of(envelope)?),
        "subscribe" => read_subscribe(&fields_of(envelope)?),
        "unsubscribe" => Ok(Request::Unsubscribe { app: fields_of(envelope)?.app()? }),
        _ => LegacyRequest::read(envelope).map(Request::Legacy).ok_or_else(|| envelope.unknown_type()),
    }
}

fn fields_of<'a>(envelope: &Envelope<'a>) -> Result<RawFields<'a>, Rejection> {
    let raw = envelope.data.ok_or_else(|| Rejection::missing("data"))?;
    fields::object(raw.get()).ok_or_else(|| Rejection::invalid("data", "must be an object"))
}

fn read_auth(fields: &RawFields<'_>) -> Result<Request, Rejection> {
    if let (None, None, Some(app), Some(user)) = (fields.api_key, fields.token, fields.app_id, fields.user_id)
    {
        let app = fields::id_or_number("data.appId", app)?;
        let credential = Credential::LegacyUser(fields::id_or_number("data.userId", user)?);
        return Ok(Request::Auth { app, credential });
    }
    let app = fields.app()?;
    let credential = match (fields.api_key, fields.token) {
        (Some(_), Some(_)) => {
            return Err(Rejection::invalid("data.token", "and data.apiKey are both there, one is taken"));
        }
        (Some(key), None) => Credential::ApiKey(secret("data.apiKey", key)?),
        (None, Some(token)) => Credential::Token(secret("data.token", token)?),
        (None, None) => return Err(Rejection::missing("data.apiKey")),
    };
    Ok(Request::Auth { app, credential })
}

fn secret(field: &str, raw: &RawValue) -> Result<String, Rejection> {
    let text = fields::text(field, raw)?;
    if text.len() > MAX_CREDENTIAL_BYTES {
        return Err(Rejection::invalid(
            field,
            format_args!("must have at most {MAX_CREDENTIAL_BYTES} bytes"),
        ));
    }
    Ok(text.into_owned())
}

fn read_subscribe(fields: &RawFields<'_>) -> Result<Request, Rejection> {
    let app = fields.app()?;
    let since = fields.since.map(|raw| fields::instant("data.since", raw)).transpose()?;
    let interval =
        fields.min_interval.map(|raw| fields::duration_ms("data.minInterval", raw, MAX_MIN_INTERVAL_MS));
    Ok(Request::Subscribe { app, since, min_interval_ms: interval.transpose()?.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Code;

    fn request(text: &str) -> Result<Request, Code> {
        ControlFrame::read(text).map(|frame| frame.request).map_err(|refused| refused.rejection.code)
    }

    fn shop() -> AppId {
        AppId::new("shop").unwrap()
    }

    #[test]
    fn the_librarys_auth_names_its_owner_and_no_secret() {
        let read = request(r#"{"type":"auth","data":{"userId":"nehonix_1","appId":"shop"}}"#);
        let user = UserId::new("nehonix_1").unwrap();
        assert_eq!(read, Ok(Request::Auth { app: shop(), credential: Credential::LegacyUser(user) }));
    }

    #[test]
    fn the_librarys_ids_may_be_sent_as_numbers_and_no_others() {
        let read = request(r#"{"type":"auth","data":{"userId":7,"appId":42}}"#);
        let user = UserId::new("7").unwrap();
        let app = AppId::new("42").unwrap();
        assert_eq!(read, Ok(Request::Auth { app, credential: Credential::LegacyUser(user) }));
        for wrong in
            [r#"{"userId":true,"appId":"a"}"#, r#"{"userId":"","appId":"a"}"#, r#"{"userId":"u","appId":[]}"#]
        {
            assert_eq!(request(&format!(r#"{{"type":"auth","data":{wrong}}}"#)), Err(Code::InvalidField));
        }
        let by_key = request(r#"{"type":"auth","data":{"appId":42,"apiKey":"k"}}"#);
        assert_eq!(by_key, Err(Code::InvalidField));
    }

    #[test]
    fn a_key_outweighs_a_user_and_two_secrets_contradict() {
        let read = request(r#"{"type":"auth","data":{"userId":"u","appId":"shop","apiKey":"k"}}"#);
        assert_eq!(read, Ok(Request::Auth { app: shop(), credential: Credential::ApiKey("k".into()) }));
        let both = request(r#"{"type":"auth","data":{"appId":"shop","apiKey":"k","token":"t"}}"#);
        assert_eq!(both, Err(Code::InvalidField));
    }

    #[test]
    fn incomplete_and_wrong_frames_are_named() {
        for (text, code) in [
            (r#"{"type":"auth"}"#, Code::MissingField),
            (r#"{"type":"auth","data":{"appId":"shop"}}"#, Code::MissingField),
            (r#"{"type":"auth","data":{"apiKey":"k"}}"#, Code::MissingField),
            (r#"{"type":"auth","data":{"appId":"shop","apiKey":7}}"#, Code::InvalidField),
            (r#"{"type":"subscribe","data":[]}"#, Code::InvalidField),
            (r#"{"type":"subscribe","data":{"appId":"shop","since":"x"}}"#, Code::InvalidField),
            (r#"{"type":"subscribe","data":{"appId":"shop","minInterval":-1}}"#, Code::InvalidField),
            (r#"{"type":"Metrics"}"#, Code::UnknownType),
            (r#"{"type":"constructor"}"#, Code::UnknownType),
        ] {
            assert_eq!(request(text), Err(code), "{text}");
        }
    }

    #[test]
    fn no_credential_is_ever_shown() {
        let read = request(r#"{"type":"auth","data":{"appId":"shop","apiKey":"hush"}}"#).unwrap();
        assert!(!format!("{read:?}").contains("hush"));
    }
}
