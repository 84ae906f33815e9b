//! Small functions on JSON values, for events and results.

use axum::http::StatusCode;
use serde_json::Value as Json;

/// `base` with the fields of `more`; both are objects.
pub(crate) fn extended(mut base: Json, more: Json) -> Json {
    if let (Json::Object(fields), Json::Object(more)) = (&mut base, more) {
        fields.extend(more);
    }
    base
}

/// A string, number or boolean as text.
pub(crate) fn scalar_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The status code of a function's result, a number or text.
pub(crate) fn status_code(value: &Json) -> Option<StatusCode> {
    StatusCode::from_u16(scalar_text(value)?.parse().ok()?).ok()
}
