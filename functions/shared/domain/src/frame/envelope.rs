//! What every inbound frame has: a `type`, optionally an `id` and `data`. `data` stays raw until the type is known.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields::{self, Field, NotRead};
use crate::json_error::invalid_json;
use crate::rejection::{Code, Rejection};

/// Longest frame id in bytes.
pub const MAX_FRAME_ID_BYTES: usize = 128;

/// Characters of an unknown `type` that a rejection repeats.
const MAX_SHOWN_TYPE: usize = 40;

/// The client's id of a frame, which its answer repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FrameId {
    /// A string of at most [`MAX_FRAME_ID_BYTES`].
    Text(String),
    /// A whole number.
    Number(i64),
}

/// A frame whose `data` has not been read.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The `type`.
    pub kind: String,
    /// The `id`.
    pub id: Option<FrameId>,
    /// The `data`, as it was sent.
    pub data: Option<&'a RawValue>,
    /// The library's `ws_sent_config`, which names the type of the answer that it expects.
    pub(crate) sent_config: Option<&'a RawValue>,
}

/// A rejected frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedFrame {
    /// The reason.
    pub rejection: Rejection,
    /// The frame's id, if it could be read.
    pub id: Option<FrameId>,
}

impl From<Rejection> for RejectedFrame {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, id: None }
    }
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(default, rename = "type")]
    kind: Field<String>,
    #[serde(default)]
    id: Field<FrameId>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "ws_sent_config")]
    sent_config: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of `text`.
    ///
    /// # Errors
    /// `invalid_json` if it is not a JSON object; `missing_field` or `invalid_field` for its fields.
    pub fn read(text: &'a str) -> Result<Self, RejectedFrame> {
        let raw: RawEnvelope<'a> = fields::object(text).map_err(|problem| match problem {
            NotRead::NotAnObject => Rejection::new(Code::InvalidJson, "the message is not a JSON object"),
            NotRead::Repeated(name) => fields::repeated(&name),
            NotRead::NotJson(error) => invalid_json("the message", text, &error),
        })?;
        let is_short = |id: &FrameId| !matches!(id, FrameId::Text(text) if text.len() > MAX_FRAME_ID_BYTES);
        let demand = format_args!("must be a string of at most {MAX_FRAME_ID_BYTES} bytes or a whole number");
        let id = raw.id.filter(is_short).optional("id", demand)?;
        match raw.kind.required("type", "must be a string") {
            Ok(kind) => Ok(Self { kind, id, data: raw.data, sent_config: raw.sent_config }),
            Err(rejection) => Err(RejectedFrame { rejection, id }),
        }
    }

    /// The fields of `data`.
    ///
    /// # Errors
    /// `missing_field` or `invalid_field` if there is no `data`, it is not an object, or one of its fields is repeated.
    pub(crate) fn fields<T: Deserialize<'a>>(&self) -> Result<T, Rejection> {
        let data = self.data.ok_or_else(|| Rejection::missing("data"))?;
        fields::object(data.get()).map_err(|problem| {
            problem.into_rejection(data.get(), "data.", Rejection::invalid("data", "must be an object"))
        })
    }

    /// The rejection of this frame's type.
    pub(crate) fn unknown_type(&self) -> Rejection {
        let shown: String = self.kind.chars().take(MAX_SHOWN_TYPE).collect();
        Rejection::new(Code::UnknownType, format!("there is no message of type {shown:?}")).at("type")
    }
}
