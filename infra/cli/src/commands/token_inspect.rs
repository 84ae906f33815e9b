//! `nsl token inspect`: shows the claims of a token and checks its signature, if the secret is available.

use crate::args::Signing;
use crate::cli::Cli;
use crate::secret;
use anyhow::Context as _;
use jiff::Timestamp;
use nsl_auth::token::{self, TrustedKeys};
use nsl_client::clock;
use nsl_domain::frame::control::trimmed;
use nsl_terminal::padded;
use serde_json::{Value, json};
use std::io::Read as _;

/// Bytes of stdin that are read at most: a token must fit a header.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Claims that are times.
const TIME_CLAIMS: [&str; 3] = ["iat", "nbf", "exp"];

pub(crate) async fn run(args: Signing, cli: &Cli) -> anyhow::Result<()> {
    let token = match &cli.settings.token {
        Some(token) => token.clone(),
        None => from_stdin()?,
    };
    let claims = token::unverified_claims(&token).context("not a token")?;
    let secret = secret::find(cli, args.secret_file.as_deref()).await?;
    // Whether the service accepts the token, as JSON and as text.
    let (signature, description) = match secret {
        None => {
            ("unchecked", "not checked: the claims may be forged (give the secret to check them)".to_owned())
        }
        Some(secret) => match TrustedKeys::new(&secret, "", &args.audience)?.verify(&token, clock::now()) {
            Ok(_) => ("valid", "valid: the service accepts this token".to_owned()),
            Err(rejection) => ("refused", format!("refused: {}", rejection.message)),
        },
    };
    if cli.console.is_json() {
        cli.console.document(&json!({"signature": signature, "claims": claims}))?;
        return Ok(());
    }
    for (name, value) in claims.as_object().into_iter().flatten() {
        cli.console.line(format!("{}{}", padded(name, 10), shown(name, value)))?;
    }
    cli.console.line(format!("{:<10}{}", "signature", description))?;
    Ok(())
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(MAX_TOKEN_BYTES).read_to_string(&mut text).context("stdin is not UTF-8 text")?;
    Ok(trimmed(&text).to_owned())
}

fn shown(name: &str, value: &Value) -> String {
    let seconds = value.as_i64().filter(|_| TIME_CLAIMS.contains(&name));
    match (seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()), value) {
        (Some(time), _) => time.to_string(),
        (None, Value::String(text)) => text.clone(),
        (None, value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_iso() {
        assert_eq!(shown("exp", &json!(60)), "1970-01-01T00:01:00Z");
        assert_eq!(shown("n", &json!(60)), "60");
    }
}
