//! What can be wrong with a template, and where.
//!
//! Every message names the logical id and the property, because that is what the author has to find again.

use std::fmt;
use std::path::{Path, PathBuf};

use super::filter_pattern::PatternError;

/// A template that cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("cannot read the template {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the template is no YAML: {0}")]
    Syntax(#[from] yaml_serde::Error),
    #[error("the template has no {0}")]
    NoSection(&'static str),
    #[error("parameter {0} has no default: pass --parameter {0}=VALUE")]
    NoDefault(String),
    #[error("--parameter {0}: the template has no such parameter")]
    UnknownParameter(String),
    #[error("--parameter {name}={value}: must be one of {}", allowed.join(", "))]
    NotAllowed { name: String, value: String, allowed: Vec<String> },
    #[error("{place}: {kind}")]
    At { place: PropertyPath, kind: PropertyError },
}

/// What is wrong with one property.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PropertyError {
    #[error("is missing")]
    Missing,
    #[error("must be {0}")]
    MustBe(&'static str),
    #[error("`{0}` names no parameter and no resource of this template")]
    NoSuchName(String),
    #[error("the gateway does not understand the intrinsic {0}")]
    UnknownIntrinsic(String),
    #[error("the intrinsic {0} is not written as CloudFormation expects it")]
    MalformedIntrinsic(&'static str),
    #[error("the condition {0} does not exist")]
    NoSuchCondition(String),
    #[error("intrinsics are nested too deeply, or conditions refer to each other in a circle")]
    TooDeep,
    #[error("`{0}` is no attribute that the gateway can give a value")]
    UnknownAttribute(String),
    #[error("`{0}` is no function of this template")]
    NoSuchFunction(String),
    #[error("`{0}` is no integration of this API")]
    NoSuchIntegration(String),
    #[error("`{0}` is no authorizer of this API")]
    NoSuchAuthorizer(String),
    #[error("route keys `{first}` and `{second}` both become the logical id {id}: AWS would keep only one")]
    Collision { first: String, second: String, id: String },
    #[error("route key `{0}` must be alphanumeric: SAM refuses it (write an AWS::ApiGatewayV2::Route)")]
    RouteKey(String),
    #[error("route key `{0}` is declared twice")]
    DoubleRoute(String),
    #[error("the gateway serves one API of this type, and {0} is another")]
    SecondApi(String),
    #[error("{0} is not supported by the gateway")]
    Unsupported(&'static str),
    #[error("must be a whole number from {least} to {most}")]
    OutOfRange { least: i64, most: i64 },
    #[error("`{0}` is no table of this template")]
    NoSuchTable(String),
    #[error("the table `{0}` has no StreamSpecification")]
    NoStream(String),
    #[error("the pattern {0}")]
    Pattern(PatternError),
}

/// A property of a resource, for messages.
#[derive(Clone, Debug)]
pub(crate) struct PropertyPath {
    logical_id: String,
    property: String,
}

impl PropertyPath {
    pub(crate) fn new(logical_id: impl Into<String>, property: impl Into<String>) -> Self {
        Self { logical_id: logical_id.into(), property: property.into() }
    }

    /// The place of a part of this property.
    pub(crate) fn child(&self, name: impl fmt::Display) -> Self {
        let property =
            if self.property.is_empty() { name.to_string() } else { format!("{}.{name}", self.property) };
        Self { logical_id: self.logical_id.clone(), property }
    }

    pub(crate) fn wrong(&self, kind: PropertyError) -> TemplateError {
        TemplateError::At { place: self.clone(), kind }
    }
}

impl fmt::Display for PropertyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.property.is_empty() {
            return write!(f, "{}", self.logical_id);
        }
        write!(f, "{}: {}", self.logical_id, self.property)
    }
}

impl TemplateError {
    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { path: path.to_path_buf(), source }
    }
}
