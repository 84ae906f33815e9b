//! Rejections: what a caller did wrong, with a stable code that it can act upon. Our own faults appear to callers only
//! as [`Code::Unavailable`].

use serde::Serialize;

/// Why something was refused. The names on the wire never change; docs/PROTOCOL.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The text is not a JSON object.
    InvalidJson,
    /// The `type` is unknown.
    UnknownType,
    /// A field that the frame needs is absent.
    MissingField,
    /// A field has the wrong type or form.
    InvalidField,
    /// A report, a batch or a frame is larger than its limit.
    TooLarge,
    /// A document is nested deeper than its limit.
    TooDeep,
    /// A document has more numeric leaves than its limit.
    TooManySeries,
    /// The timestamp of a report is too far in the past or in the future.
    TimestampOutOfRange,
    /// The caller has no valid credentials.
    Unauthorized,
    /// The caller's credentials do not allow this.
    Forbidden,
    /// The app is inactive.
    AppInactive,
    /// The caller exceeds a limit; the same message may be accepted later.
    RateLimited,
    /// Our fault; the same message should be accepted later.
    Unavailable,
}

impl Code {
    /// Every code, in the order of docs/PROTOCOL.md.
    pub const ALL: [Self; 13] = [
        Self::InvalidJson,
        Self::UnknownType,
        Self::MissingField,
        Self::InvalidField,
        Self::TooLarge,
        Self::TooDeep,
        Self::TooManySeries,
        Self::TimestampOutOfRange,
        Self::Unauthorized,
        Self::Forbidden,
        Self::AppInactive,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// Whether the same message, sent again later, may be accepted.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }

    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::TooManySeries => "too_many_series",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::AppInactive => "app_inactive",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A rejection: its code, a message for a person, and the field that caused it, if any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Rejection {
    /// The stable reason.
    pub code: Code,
    /// What is wrong, for a person; no final period, never a secret.
    pub message: String,
    /// The dotted path of the field that caused it, such as `data.timestamp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// After how many milliseconds the same message may be accepted, where that is known.
    #[serde(rename = "retryAfterMs", skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<i64>,
}

impl Rejection {
    /// A rejection that no single field caused.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None }
    }

    /// The same rejection, caused by `field`.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same rejection of what may be accepted in `wait_ms` milliseconds.
    #[must_use]
    pub fn for_ms(mut self, wait_ms: i64) -> Self {
        self.retry_after_ms = Some(wait_ms);
        self
    }

    /// `field` is absent.
    pub fn missing(field: &str) -> Self {
        Self::new(Code::MissingField, format!("{field} is missing")).at(field)
    }

    /// `field` does not meet `demand`, as in "must be a string".
    pub fn invalid(field: &str, demand: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidField, format!("{field} {demand}")).at(field)
    }

    /// No valid credentials: the same for a wrong key, an unknown app and a foreign one.
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "no valid credentials for this app")
    }

    /// A fault of ours, without its cause.
    pub fn unavailable() -> Self {
        Self::new(Code::Unavailable, "the service cannot do this right now, try again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_serialised_as_its_text() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn rejection_has_a_field_only_where_there_is_one() {
        let json = serde_json::to_value(Rejection::missing("data.appId")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"code": "missing_field", "message": "data.appId is missing", "field": "data.appId"})
        );
        assert!(serde_json::to_value(Rejection::unauthorized()).unwrap().get("field").is_none());
    }
}
