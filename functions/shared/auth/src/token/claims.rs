//! The claims of a token (RFC 7519): as we issue them, as issuers write them, and the grant that they make.

use nsl_domain::grant::{Grant, GrantedApps, MAX_GRANTED_APPS, Proof};
use nsl_domain::ids::{AppId, MalformedSubject, Scope, Subject, UserId};
use nsl_domain::rejection::{Code, Rejection};
use nsl_domain::time::{CLOCK_SKEW_MS, SECOND_MS, TimestampMs};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The claims of a token that we issue. Times are seconds since 1970: RFC 7519 §4.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The user.
    pub sub: Subject,
    /// Which services it is for.
    pub aud: Audience,
    /// When it was issued.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// When it begins, if that is later than its issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Which actions.
    pub scope: Scope,
    /// The apps, at most [`MAX_GRANTED_APPS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppId>,
    /// Every app of this owner, if there are no `apps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
}

/// One service or several: RFC 7519 §4.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Any of these.
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, service: &str) -> bool {
        match self {
            Self::One(name) => name == service,
            Self::Several(names) => names.iter().any(|name| name == service),
        }
    }
}

impl From<&str> for Audience {
    fn from(name: &str) -> Self {
        Self::One(name.to_owned())
    }
}

/// The claims of a token that a trusted key signed, unread. Others are ignored, a repeated one is an error; `null` is
/// absence.
#[derive(Deserialize)]
pub(super) struct SignedClaims<'a> {
    #[serde(borrow)]
    sub: Option<&'a RawValue>,
    #[serde(borrow)]
    aud: Option<&'a RawValue>,
    #[serde(borrow)]
    iat: Option<&'a RawValue>,
    #[serde(borrow)]
    exp: Option<&'a RawValue>,
    #[serde(borrow)]
    nbf: Option<&'a RawValue>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    apps: Option<&'a RawValue>,
    #[serde(borrow)]
    owner: Option<&'a RawValue>,
}

impl<'a> SignedClaims<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, Rejection> {
        serde_json::from_slice(json)
            .map_err(|_| refused("the token's claims are not a JSON object without repeats"))
    }

    /// The grant of the claims at `now`, for a service of this audience. The signature is valid, so the messages may say
    /// what is wrong.
    pub(super) fn grant(&self, audience: &str, now: TimestampMs) -> Result<Grant, Rejection> {
        let aud: Audience = claim(self.aud, "aud", "must be a text or a list of texts")?;
        if !aud.names(audience) {
            return Err(refused("the token is for another audience"));
        }
        let issued = required_instant(self.iat, "iat")?;
        let begins = instant(self.nbf, "nbf")?.unwrap_or(issued).max(issued);
        if begins.ms_since(now) > CLOCK_SKEW_MS {
            return Err(refused("the token is not valid yet"));
        }
        let until = required_instant(self.exp, "exp")?;
        if until <= now {
            return Err(refused("the credentials have expired"));
        }
        let words = "must have one of the words publish, view and manage";
        Ok(Grant {
            user: claim(self.sub, "sub", MalformedSubject)?,
            scope: claim(self.scope, "scope", words)?,
            reach: self.reach()?,
            proof: Proof::Token { issued },
            until: Some(until),
            library: false,
        })
    }

    fn reach(&self) -> Result<GrantedApps, Rejection> {
        let demand = format_args!("must be a list of at most {MAX_GRANTED_APPS} app ids");
        let listed: Vec<AppId> =
            self.apps.map_or(Ok(Vec::new()), |apps| claim(Some(apps), "apps", demand))?;
        let owner = self.owner.map(|owner| claim(Some(owner), "owner", "must be a user's id")).transpose()?;
        match owner {
            Some(owner) if listed.is_empty() => Ok(GrantedApps::Owner(owner)),
            Some(_) => Err(refused("the token has both apps and an owner")),
            None if listed.is_empty() => Err(refused("the token has neither apps nor an owner")),
            None if listed.len() > MAX_GRANTED_APPS => Err(malformed("apps", demand)),
            None => {
                let mut apps = Vec::with_capacity(listed.len());
                for app in listed {
                    if !apps.contains(&app) {
                        apps.push(app);
                    }
                }
                Ok(GrantedApps::Apps(apps))
            }
        }
    }
}

fn claim<T: DeserializeOwned>(
    value: Option<&RawValue>,
    name: &str,
    demand: impl std::fmt::Display,
) -> Result<T, Rejection> {
    let read = value.and_then(|value| serde_json::from_str(value.get()).ok());
    read.ok_or_else(|| malformed(name, demand))
}

fn required_instant(value: Option<&RawValue>, name: &str) -> Result<TimestampMs, Rejection> {
    instant(value, name)?.ok_or_else(|| malformed(name, SECONDS))
}

const SECONDS: &str = "must be seconds since 1970";

/// A NumericDate (RFC 7519 §2), which may have a fraction or an exponent; beyond the range of instants it is the nearest
/// one.
fn instant(value: Option<&RawValue>, name: &str) -> Result<Option<TimestampMs>, Rejection> {
    let Some(text) = value.map(RawValue::get) else { return Ok(None) };
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Some(TimestampMs::clamped(seconds.saturating_mul(SECOND_MS))));
    }
    // A number of JSON is one of Rust; what a float cannot represent becomes infinite, and the cast saturates.
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let seconds: Option<f64> = text.parse().ok().filter(|_| is_number);
    let seconds = seconds.ok_or_else(|| malformed(name, SECONDS))?;
    Ok(Some(TimestampMs::clamped((seconds * SECOND_MS as f64).round() as i64)))
}

fn malformed(name: &str, demand: impl std::fmt::Display) -> Rejection {
    refused(format!("the token's claim {name} {demand}"))
}

fn refused(message: impl Into<String>) -> Rejection {
    Rejection::new(Code::Unauthorized, message)
}
