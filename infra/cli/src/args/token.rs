//! The arguments of `nsl token`. A token is read from the environment or stdin, never from an argument.

use super::duration::seconds;
use super::scope::scope;
use clap::Subcommand;
use nsl_domain::ids::Scope;
use std::path::PathBuf;
use std::time::Duration;

/// Longest validity: a single token cannot be revoked, only all tokens of an application.
const MAX_VALIDITY: Duration = Duration::from_secs(366 * 24 * 3_600);

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a signed token, which is printed to stdout alone.
    Issue(TokenIssue),
    /// Show the claims of the token in NSL_TOKEN, else of the one on stdin, and check its signature.
    Inspect(Signing),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenIssue {
    /// Applications that it grants access to, at most 50, separated by commas.
    #[arg(long, value_name = "APP", value_delimiter = ',', required_unless_present = "owner")]
    pub(crate) app: Vec<String>,

    /// User to all of whose applications it grants access.
    #[arg(long, value_name = "USER", conflicts_with = "app")]
    pub(crate) owner: Option<String>,

    /// Scope of the token: publish, view, manage, or several separated by commas; both is publish and view.
    #[arg(long, value_name = "SCOPE", default_value = "view", value_parser = scope)]
    pub(crate) scope: Vec<Scope>,

    /// Validity: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = validity)]
    pub(crate) expires: Duration,

    /// User that the token identifies [default: the owner, else nsl].
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// How tokens are signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Signing {
    /// Audience claim that the service requires.
    #[arg(long, value_name = "TEXT", default_value = "nsl")]
    pub(crate) audience: String,

    /// File with the secret [default: NSL_TOKEN_SECRET, else that of the ready file or the stack].
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

fn validity(text: &str) -> Result<Duration, String> {
    let validity = seconds(text, "smhd").ok_or("must be a number and s, m, h or d, such as 8h")?;
    let validity = Duration::from_secs(validity);
    if validity.is_zero() || validity > MAX_VALIDITY {
        return Err(format!("must be between 1s and {}d", MAX_VALIDITY.as_secs() / 86_400));
    }
    Ok(validity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_a_number_and_a_unit() {
        assert_eq!(validity("8h"), Ok(Duration::from_secs(28_800)));
        assert!(validity("1s").is_ok() && validity("366d").is_ok());
        for text in ["", "h", "8", "8w", "-1h", "1.5h", "0s", "367d", "99999999999999999999d", "8é"] {
            assert!(validity(text).is_err(), "{text}");
        }
    }
}
