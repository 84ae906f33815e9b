//! How JavaScript reads missing values, so that a model throws where the original does.

use serde_json::Value;

/// The message of a thrown error.
pub(super) type Thrown = String;

/// `of.name`: throws if `of` is undefined or null; `None` is undefined.
pub(super) fn property<'a>(of: Option<&'a Value>, name: &str) -> Result<Option<&'a Value>, Thrown> {
    match of {
        None | Some(Value::Null) => Err(format!("cannot read {name} of undefined or null")),
        Some(value) => Ok(value.get(name)),
    }
}

/// `of.a.b.c`.
pub(super) fn path<'a>(of: &'a Value, names: &[&str]) -> Result<Option<&'a Value>, Thrown> {
    names.iter().try_fold(Some(of), |value, name| property(value, name))
}

/// The elements of an array, for `forEach` or spread; throws if it is not an array.
pub(super) fn elements<'a>(of: Option<&'a Value>, what: &str) -> Result<&'a [Value], Thrown> {
    of.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| format!("{what} is not an array"))
}

/// `JSON.parse`, and the `type` of the result.
pub(super) fn message(text: &str) -> Result<(Value, String), Thrown> {
    let message: Value = serde_json::from_str(text).map_err(|cause| format!("{cause} in {text:?}"))?;
    let kind = property(Some(&message), "type")?.and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((message, kind))
}

/// The kind and value of a command that is a switch.
pub(super) fn switched(command: Option<&Value>) -> Result<Option<(&str, bool)>, Thrown> {
    let kind = property(command, "type")?.and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "console_toggle" | "encryption_toggle") {
        return Ok(None);
    }
    let enabled = property(property(command, "data")?, "enabled")?;
    Ok(Some((kind, enabled.and_then(Value::as_bool).unwrap_or_default())))
}
