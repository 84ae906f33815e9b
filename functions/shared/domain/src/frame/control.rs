//! Frames other than reports: `auth`, `subscribe`, `unsubscribe`, `ping`, and the types of the library.

use serde::Deserialize;

use super::envelope::{Envelope, FrameId, RejectedFrame};
use super::fields::Field;
use crate::dialect::Dialect;
use crate::epoch_unit::EpochUnit;
use crate::grant::Role;
use crate::ids::{AppId, MalformedAppId, MalformedId, UserId};
use crate::legacy::frames::{LegacyAuth, LegacyRequest};
use crate::rejection::Rejection;
use crate::time::{MINUTE_MS, MalformedTimestamp, TimestampMs};

/// Longest credential in bytes; API Gateway's own limit of a header is close to it.
pub const MAX_CREDENTIAL_BYTES: usize = 8 * 1024;

/// Largest `minInterval` of a subscription, in milliseconds.
pub const MAX_MIN_INTERVAL_MS: i64 = 10 * MINUTE_MS;

/// Types whose route answers with the body of the function's result, as declared in the template. That body must never
/// be empty, because an empty message ends a process that runs the library: so none of these is a type of the library.
pub const ANSWERED_BY_ROUTE: [&str; 3] = ["subscribe", "unsubscribe", "ping"];

/// A credential as it was meant: pasted text often ends with a newline. Every place of a credential is read through this,
/// so that one text is accepted in all of them or in none.
pub fn trimmed(credential: &str) -> &str {
    credential.trim_ascii()
}

/// What a client authenticates with.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    ApiKey(String),
    /// A JSON web token.
    Token(String),
    /// The owner's id, which the library sends and which is not a secret.
    LegacyUser(UserId),
}

/// Hides secrets.
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
    /// Authenticate.
    Auth {
        /// The app to act on.
        app: AppId,
        /// The proof.
        credential: Credential,
        /// Legacy with a `userId`, which only the library and its dashboard send.
        dialect: Dialect,
    },
    /// Receive the reports of an app.
    Subscribe {
        /// The app.
        app: AppId,
        /// The timestamp of the newest report that the viewer has.
        since: Option<TimestampMs>,
        /// Shortest time between two live frames, in milliseconds; 0 for every report.
        min_interval_ms: i64,
    },
    /// Stop receiving the reports of an app.
    Unsubscribe {
        /// The app.
        app: AppId,
    },
    /// Keep the connection open.
    Ping,
    /// A type that only the library or its dashboard sends.
    Legacy(LegacyRequest),
}

impl Request {
    /// The request as a client of `role` means it. The published dashboard sends no key, so a page with one is a viewer of
    /// this protocol, whatever ids it sends beside it.
    #[must_use]
    pub fn sent_by(self, role: Role) -> Self {
        match self {
            Self::Auth {
                app,
                credential: credential @ (Credential::ApiKey(_) | Credential::Token(_)),
                ..
            } if role != Role::Program => Self::Auth { app, credential, dialect: Dialect::Modern },
            request => request,
        }
    }

    /// Whether it is of the library or its dashboard: one of their types, or an `auth` with a `userId`.
    pub fn is_legacy(&self) -> bool {
        match self {
            Self::Legacy(_) => true,
            Self::Auth { dialect, .. } => *dialect == Dialect::Legacy,
            Self::Subscribe { .. } | Self::Unsubscribe { .. } | Self::Ping => false,
        }
    }
}

/// A control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFrame {
    /// The client's id of the frame.
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

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthFields {
    app_id: Field<AppId>,
    api_key: Field<String>,
    token: Field<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SubscribeFields {
    app_id: Field<AppId>,
    since: Field<TimestampMs>,
    min_interval: Field<i64>,
}

fn read_request(envelope: &Envelope<'_>) -> Result<Request, Rejection> {
    match envelope.kind.as_str() {
        "ping" => Ok(Request::Ping),
        "auth" => read_auth(envelope),
        "subscribe" => read_subscribe(envelope.fields()?),
        "unsubscribe" => {
            let SubscribeFields { app_id, .. } = envelope.fields()?;
            Ok(Request::Unsubscribe { app: required_app(app_id)? })
        }
        _ => LegacyRequest::read(envelope).map(Request::Legacy).ok_or_else(|| envelope.unknown_type()),
    }
}

fn required_app(app_id: Field<AppId>) -> Result<AppId, Rejection> {
    app_id.required("data.appId", MalformedAppId)
}

fn read_auth(envelope: &Envelope<'_>) -> Result<Request, Rejection> {
    let AuthFields { app_id, api_key, token } = envelope.fields()?;
    let LegacyAuth { app_id: app, user_id: user } = envelope.fields()?;
    if user.is_present() {
        let read = read_library_auth(app, user, given(api_key), given(token));
        return Ok(read.unwrap_or_else(|rejection| Request::Legacy(LegacyRequest::MalformedAuth(rejection))));
    }
    let (app, dialect) = (required_app(app_id)?, Dialect::Modern);
    Ok(Request::Auth { app, credential: read_secret(api_key, token)?, dialect })
}

/// An `auth` with a `userId`. With a key or token, that is the proof, and the user is not read.
fn read_library_auth(
    app: Field<AppId>,
    user: Field<UserId>,
    api_key: Field<String>,
    token: Field<String>,
) -> Result<Request, Rejection> {
    let app = required_app(app)?;
    let credential = if api_key.is_present() || token.is_present() {
        read_secret(api_key, token)?
    } else {
        Credential::LegacyUser(user.required("data.userId", MalformedId)?)
    };
    Ok(Request::Auth { app, credential, dialect: Dialect::Legacy })
}

/// The field, absent if its text is blank, as that of an application's configuration without a key.
fn given(secret: Field<String>) -> Field<String> {
    match secret {
        Field::Valid(secret) if trimmed(&secret).is_empty() => Field::Absent,
        secret => secret,
    }
}

fn read_secret(api_key: Field<String>, token: Field<String>) -> Result<Credential, Rejection> {
    Ok(if !token.is_present() {
        Credential::ApiKey(required_secret(api_key, "data.apiKey")?)
    } else if !api_key.is_present() {
        Credential::Token(required_secret(token, "data.token")?)
    } else {
        return Err(Rejection::invalid("data.token", "cannot be combined with data.apiKey"));
    })
}

fn required_secret(field: Field<String>, name: &str) -> Result<String, Rejection> {
    let is_short = |secret: &String| trimmed(secret).len() <= MAX_CREDENTIAL_BYTES;
    let demand = format_args!("must be a string of at most {MAX_CREDENTIAL_BYTES} bytes");
    let secret = field.filter(is_short).required(name, demand)?;
    Ok(trimmed(&secret).to_owned())
}

fn read_subscribe(fields: SubscribeFields) -> Result<Request, Rejection> {
    let app = required_app(fields.app_id)?;
    let since = fields.since.optional("data.since", MalformedTimestamp)?;
    if let Some(unit) = since.and_then(|since| EpochUnit::guess(since.ms() as f64)) {
        return Err(Rejection::invalid("data.since", unit.demand()));
    }
    let min_interval = fields.min_interval.filter(|ms| (0..=MAX_MIN_INTERVAL_MS).contains(ms));
    let demand = format_args!("must be 0 to {MAX_MIN_INTERVAL_MS} milliseconds");
    let min_interval_ms = min_interval.optional("data.minInterval", demand)?.unwrap_or(0);
    Ok(Request::Subscribe { app, since, min_interval_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(data: &str) -> (String, Credential) {
        match ControlFrame::read(&format!(r#"{{"type":"auth","data":{data}}}"#)).unwrap().request {
            Request::Auth { app, credential, .. } => (app.into(), credential),
            other => panic!("{other:?}"),
        }
    }

    /// The credential and the dialect of an `auth` of `role`.
    fn auth_of(role: Role, data: &str) -> (Credential, Dialect) {
        let frame = ControlFrame::read(&format!(r#"{{"type":"auth","data":{data}}}"#)).unwrap();
        match frame.request.sent_by(role) {
            Request::Auth { credential, dialect, .. } => (credential, dialect),
            other => panic!("{other:?}"),
        }
    }

    fn legacy_user(user: &str) -> Credential {
        Credential::LegacyUser(UserId::new(user).unwrap())
    }

    #[test]
    fn library_authenticates_with_its_owners_id() {
        let credential = legacy_user("nehonix_1");
        assert_eq!(auth(r#"{"userId":"nehonix_1","appId":"shop"}"#), ("shop".into(), credential));
        assert_eq!(auth(r#"{"userId":7,"appId":42}"#), ("42".into(), legacy_user("7")));
    }

    #[test]
    fn key_beside_a_user_is_the_proof_of_the_library() {
        let key = || Credential::ApiKey("k".into());
        for user in [r#""u""#, "7", r#""""#, r#""a user""#, "{}"] {
            let data = format!(r#"{{"userId":{user},"appId":"shop","apiKey":"k"}}"#);
            assert_eq!(auth_of(Role::Program, &data), (key(), Dialect::Legacy), "{data}");
            for role in [Role::Page, Role::ForeignPage] {
                assert_eq!(auth_of(role, &data), (key(), Dialect::Modern), "{data}");
            }
        }
        let token = auth_of(Role::Program, r#"{"userId":"u","appId":42,"token":"t"}"#);
        assert_eq!(token, (Credential::Token("t".into()), Dialect::Legacy));
        for data in [r#"{"appId":"shop","apiKey":"k"}"#, r#"{"userId":null,"appId":"shop","apiKey":"k"}"#] {
            assert_eq!(auth_of(Role::Program, data), (key(), Dialect::Modern), "{data}");
        }
    }

    #[test]
    fn blank_key_of_a_library_is_absent() {
        for blank in ["null", r#""""#, r#""  ""#] {
            for role in [Role::Program, Role::Page] {
                let data = format!(r#"{{"userId":"u","appId":"shop","apiKey":{blank},"token":{blank}}}"#);
                assert_eq!(auth_of(role, &data), (legacy_user("u"), Dialect::Legacy), "{data}");
            }
        }
        assert_eq!(auth(r#"{"appId":"shop","apiKey":""}"#).1, Credential::ApiKey(String::new()));
    }

    #[test]
    fn blanks_around_a_credential_are_no_part_of_it() {
        let key = Credential::ApiKey("k".into());
        assert_eq!(auth(r#"{"appId":"shop","apiKey":" k\r\n"}"#), ("shop".into(), key));
        let long = "t".repeat(MAX_CREDENTIAL_BYTES);
        let token = Credential::Token(long.clone());
        assert_eq!(auth(&format!(r#"{{"appId":"shop","token":"\t{long}\n"}}"#)), ("shop".into(), token));
    }

    #[test]
    fn credentials_are_not_shown_by_debug() {
        for field in ["apiKey", "token"] {
            let shown = format!("{:?}", auth(&format!(r#"{{"appId":"shop","{field}":"secret"}}"#)));
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
