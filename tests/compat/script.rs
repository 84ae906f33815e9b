//! JavaScript's way with values that are not there, by which a model dies where its source does.

use serde_json::Value;

/// What a script throws.
pub(super) type Thrown = String;

/// `of.name`: throws where `of` is undefined or null, undefined where there is no such property.
pub(super) fn property<'a>(of: Option<&'a Value>, name: &str) -> Result<Option<&'a Value>, Thrown> {
    match of {
        None | Some(Value::Null) => Err(format!("cannot read {name} of what is not there")),
        Some(value) => Ok(value.get(name)),
    }
}

/// `of.a.b.c`.
pub(super) fn path<'a>(of: &'a Value, names: &[&str]) -> Result<Option<&'a Value>, Thrown> {
    names.iter().try_fold(Some(of), |value, name| property(value, name))
}

/// The elements that `forEach` and the spread of an array visit; anything but an array throws.
pub(super) fn elements<'a>(of: Option<&'a Value>, what: &str) -> Result<&'a [Value], Thrown> {
    of.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| format!("{what} is no array"))
}

/// `JSON.parse`, then the `type` of what it gives.
pub(super) fn message(text: &str) -> Result<(Value, String), Thrown> {
    let message: Value = serde_json::from_str(text).map_err(|cause| format!("{cause} in {text:?}"))?;
    let kind = property(Some(&message), "type")?.and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((message, kind))
}

/// What both parties read of a command: its kind, and for a switch whether it is on.
pub(super) fn switched(command: Option<&Value>) -> Result<Option<(&str, bool)>, Thrown> {
    let kind = property(command, "type")?.and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "console_toggle" | "encryption_toggle") {
        return Ok(None);
    }
    let enabled = property(property(command, "data")?, "enabled")?;
    Ok(Some((kind, enabled.and_then(Value::as_bool).unwrap_or_default())))
}
