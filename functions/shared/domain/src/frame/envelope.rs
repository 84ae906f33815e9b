//! What every inbound frame has: a `type`, perhaps an `id`, perhaps `data`.
//!
//! Owns the first look at a caller's text. Refuses to read `data`, which stays raw until its type is known.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields;
use crate::rejection::{Code, Rejection};

/// Longest frame id in bytes.
pub const MAX_FRAME_ID_BYTES: usize = 128;

/// The caller's own name for a frame, a string or a whole number, given back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FrameId {
    /// A string of at most [`MAX_FRAME_ID_BYTES`].
    Text(String),
    /// A whole number.
    Number(i64),
}

/// A frame whose `data` has not been looked at.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The `type`.
    pub kind: Cow<'a, str>,
    /// The `id`, where the caller wants to know what became of the frame.
    pub id: Option<FrameId>,
    /// The `data`, as it was sent.
    pub data: Option<&'a RawValue>,
    /// The library's wish for the type of its answer.
    pub(crate) sent_config: Option<&'a RawValue>,
}

/// A refusal of a frame together with the frame's id, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedFrame {
    /// Why.
    pub rejection: Rejection,
    /// Which frame.
    pub id: Option<FrameId>,
}

impl From<Rejection> for RejectedFrame {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, id: None }
    }
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "ws_sent_config")]
    sent_config: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of `text`.
    ///
    /// # Errors
    /// `invalid_json` when it is no JSON object; `missing_field` or `invalid_field` for `type` and `id`.
    pub fn read(text: &'a str) -> Result<Self, RejectedFrame> {
        let raw: RawEnvelope<'a> = fields::object(text)
            .ok_or_else(|| Rejection::new(Code::InvalidJson, "the message is no JSON object"))?;
        let id = raw.id.map(frame_id).transpose()?;
        let read_kind = || {
            let kind = raw.kind.ok_or_else(|| Rejection::missing("type"))?;
            fields::text("type", kind)
        };
        match read_kind() {
            Ok(kind) => Ok(Self { kind, id, data: raw.data, sent_config: raw.sent_config }),
            Err(rejection) => Err(RejectedFrame { rejection, id }),
        }
    }

    /// The refusal of this frame's type.
    pub fn unknown_type(&self) -> Rejection {
        // The type is the caller's own text: a long one is not sent back whole.
        let shown: String = self.kind.chars().take(40).collect();
        Rejection::new(Code::UnknownType, format!("there is no message of type {shown:?}")).at("type")
    }
}

fn frame_id(raw: &RawValue) -> Result<FrameId, Rejection> {
    let demand = format!("must be a string of at most {MAX_FRAME_ID_BYTES} bytes or a whole number");
    if let Ok(number) = serde_json::from_str(raw.get()) {
        return Ok(FrameId::Number(number));
    }
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) if text.len() <= MAX_FRAME_ID_BYTES => Ok(FrameId::Text(text)),
        _ => Err(Rejection::invalid("id", demand)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Code {
        Envelope::read(text).unwrap_err().rejection.code
    }

    #[test]
    fn text_that_is_no_json_object_is_invalid_json() {
        for text in
            ["", "hello", "{", "[1]", "7", "null", "\"metrics\"", "[\"ping\",null,null]", "{\"type\":}"]
        {
            assert_eq!(refusal(text), Code::InvalidJson, "{text:?}");
        }
    }

    #[test]
    fn a_type_that_is_no_string_is_told_with_the_frames_id() {
        assert_eq!(refusal("{}"), Code::MissingField);
        assert_eq!(refusal("{\"type\":null}"), Code::MissingField);
        assert_eq!(refusal("{\"type\":7}"), Code::InvalidField);
        assert_eq!(Envelope::read("{\"id\":7}").unwrap_err().id, Some(FrameId::Number(7)));
    }

    #[test]
    fn an_id_is_a_short_string_or_a_whole_number() {
        let id =
            |text: &str| Envelope::read(&format!("{{\"type\":\"x\",\"id\":{text}}}")).map(|frame| frame.id);
        assert_eq!(id("\"a\"").unwrap(), Some(FrameId::Text("a".into())));
        assert_eq!(id("-3").unwrap(), Some(FrameId::Number(-3)));
        assert_eq!(id("null").unwrap(), None);
        for wrong in ["1.5", "[]", "{}", "true", &format!("\"{}\"", "x".repeat(MAX_FRAME_ID_BYTES + 1))] {
            assert_eq!(id(wrong).unwrap_err().rejection.code, Code::InvalidField, "{wrong}");
        }
    }

    #[test]
    fn nesting_beyond_any_stack_is_read_without_one() {
        let deep = format!("{{\"type\":\"metrics\",\"data\":{}{}}}", "[".repeat(16_000), "]".repeat(16_000));
        assert_eq!(Envelope::read(&deep).unwrap().kind, "metrics");
    }
}
