//! Errors of a template. Every message names the resource's logical id and the property.

use std::fmt;
use std::path::PathBuf;

use super::filter_pattern::PatternError;

/// A template that the gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("cannot read the template {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot parse the template: {0}")]
    Syntax(#[from] yaml_serde::Error),
    #[error("parameter {0} has no default: pass --parameter {0}=VALUE")]
    NoDefault(String),
    #[error("--parameter {0}: the template has no such parameter")]
    UnknownParameter(String),
    #[error("--parameter {name}={value}: must be one of {}", allowed.join(", "))]
    NotAllowed { name: String, value: String, allowed: Vec<String> },
    #[error("{path}: {error}")]
    Property { path: PropertyPath, error: PropertyError },
}

/// An error of one property.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PropertyError {
    #[error("is missing")]
    Missing,
    #[error("must be {0}")]
    MustBe(&'static str),
    #[error("`{0}` names no parameter and no resource of this template")]
    NoSuchName(String),
    #[error("the gateway does not support the intrinsic function {0}")]
    UnknownIntrinsic(String),
    #[error("{0} has arguments in a form that the gateway does not support")]
    MalformedIntrinsic(String),
    #[error("the condition {0} does not exist")]
    NoSuchCondition(String),
    #[error("intrinsic functions are nested too deeply, or conditions form a circle")]
    TooDeep,
    #[error("the gateway has no value for the attribute `{0}`")]
    UnknownAttribute(String),
    #[error("`{0}` is not a function of this template")]
    NoSuchFunction(String),
    #[error("`{0}` is not the integration of a route of this API")]
    NoSuchIntegration(String),
    #[error("`{0}` is not an authorizer of this API")]
    NoSuchAuthorizer(String),
    #[error("route keys `{first}` and `{second}` both become the logical id {id}: AWS would keep only one")]
    IdCollision { first: String, second: String, id: String },
    #[error("route key `{0}` must be alphanumeric: SAM rejects it (use an AWS::ApiGatewayV2::Route)")]
    RouteKey(String),
    #[error("route key `{0}` is declared twice")]
    DuplicateRoute(String),
    #[error("the gateway runs one API of this type, and {0} is another")]
    SecondApi(String),
    #[error("the template has no AWS::Serverless::HttpApi for this event")]
    NoHttpApi,
    #[error("{0} is not supported by the gateway")]
    Unsupported(&'static str),
    #[error("must be a whole number from {least} to {most}")]
    OutOfRange { least: i64, most: i64 },
    #[error("`{0}` is not a table of this template")]
    NoSuchTable(String),
    #[error("the table `{0}` has no StreamSpecification")]
    NoStream(String),
    #[error("the pattern {0}")]
    Pattern(PatternError),
}

/// The path of a property in the template, for error messages.
#[derive(Clone, Debug)]
pub(crate) struct PropertyPath {
    logical_id: String,
    property: String,
}

impl PropertyPath {
    pub(crate) fn new(logical_id: impl Into<String>, property: impl Into<String>) -> Self {
        Self { logical_id: logical_id.into(), property: property.into() }
    }

    pub(crate) fn child(&self, name: impl fmt::Display) -> Self {
        let property =
            if self.property.is_empty() { name.to_string() } else { format!("{}.{name}", self.property) };
        Self { logical_id: self.logical_id.clone(), property }
    }

    pub(crate) fn error(&self, error: PropertyError) -> TemplateError {
        TemplateError::Property { path: self.clone(), error }
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
