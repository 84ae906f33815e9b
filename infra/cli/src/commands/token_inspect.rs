//! `nsl token inspect`: what a token says, and whether our secret signed it. What nobody has checked is told as such.

use crate::args::{Place, TokenInspect};
use crate::clock;
use crate::console::Console;
use crate::secret;
use crate::settings::Settings;
use anyhow::Context as _;
use jiff::Timestamp;
use nsl_auth::token::{self, TrustedKeys};
use serde_json::{Value, json};
use std::io::Read as _;

/// Most of stdin that is read: a token is smaller than a header may be.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Names of the claims that tell an instant.
const INSTANTS: [&str; 3] = ["iat", "nbf", "exp"];

/// Shows the token of the environment, else that of stdin.
pub(crate) fn run(
    args: &TokenInspect,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let token = match &settings.token {
        Some(token) => token.clone(),
        None => from_stdin()?,
    };
    let claims = token::unverified_claims(&token).context("this is no token")?;
    let secret = secret::find(args.secret_file.as_deref(), place, settings)?;
    let verdict = match secret {
        None => Verdict::Unchecked,
        Some(secret) => judge(&TrustedKeys::new(&secret, "", &args.audience)?, &token),
    };
    if console.is_json() {
        console.document(&json!({"signature": verdict.as_str(), "claims": claims}))?;
        return Ok(());
    }
    for (name, value) in claims.as_object().into_iter().flatten() {
        console.line(&format!("{name:<10}{}", shown(name, value)))?;
    }
    console.line(&format!("{:<10}{}", "signature", verdict.told()))?;
    Ok(())
}

/// What is known of a token's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// There is no secret to check it with.
    Unchecked,
    /// The service would believe it.
    Valid,
    /// The service would refuse it.
    Refused(String),
}

impl Verdict {
    fn as_str(&self) -> &str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Valid => "valid",
            Self::Refused(_) => "refused",
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Unchecked => {
                "not checked: anybody may have written this (give the secret to check it)".to_owned()
            }
            Self::Valid => "valid: the service believes this token".to_owned(),
            Self::Refused(reason) => format!("refused: {reason}"),
        }
    }
}

fn judge(trusted: &TrustedKeys, token: &str) -> Verdict {
    match trusted.verify(token, clock::now_ms()) {
        Ok(_) => Verdict::Valid,
        Err(rejection) => Verdict::Refused(rejection.message),
    }
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut text).context("stdin is no text")?;
    Ok(text.trim().to_owned())
}

fn shown(name: &str, value: &Value) -> String {
    let instant = value.as_i64().filter(|_| INSTANTS.contains(&name));
    match (instant.and_then(|seconds| Timestamp::from_second(seconds).ok()), value) {
        (Some(instant), _) => instant.to_string(),
        (None, Value::String(text)) => text.escape_debug().to_string(),
        (None, value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_as_such_and_text_without_its_control_characters() {
        assert_eq!(shown("exp", &json!(60)), "1970-01-01T00:01:00Z");
        assert_eq!(shown("n", &json!(60)), "60");
        assert_eq!(shown("sub", &json!("a\u{1b}[31m")), "a\\u{1b}[31m");
    }
}
