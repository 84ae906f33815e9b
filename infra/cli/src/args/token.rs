//! The arguments of `nsl token`. A token is read from stdin or the environment, never from an argument.

use super::KeyScope;
use clap::Subcommand;
use std::path::PathBuf;
use std::time::Duration;

/// Longest life of a token: it cannot be taken back by itself, only with all others of its application.
const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 3_600);

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a token, which goes to stdout and nowhere else.
    Issue(TokenIssue),
    /// Show what a token says: the one in NSL_TOKEN, else the one on stdin.
    Inspect(TokenInspect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenIssue {
    /// Applications that it opens, at most 50, with commas between them.
    #[arg(long, value_name = "APP", value_delimiter = ',', required_unless_present = "owner")]
    pub(crate) app: Vec<String>,

    /// User whose applications it opens, all of them.
    #[arg(long, value_name = "USER", conflicts_with = "app")]
    pub(crate) owner: Option<String>,

    /// What it may do.
    #[arg(long, value_name = "SCOPE", default_value = "view")]
    pub(crate) scope: KeyScope,

    /// How long it is valid: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "8h", value_parser = life)]
    pub(crate) expires: Duration,

    /// On whose behalf its holder acts; by default the owner, else nsl.
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Audience that the service expects.
    #[arg(long, value_name = "TEXT", default_value = "nsl")]
    pub(crate) audience: String,

    /// File that holds the secret; without it NSL_TOKEN_SECRET, the ready file or the stack gives it.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenInspect {
    /// Audience that the service expects.
    #[arg(long, value_name = "TEXT", default_value = "nsl")]
    pub(crate) audience: String,

    /// File that holds the secret; without it NSL_TOKEN_SECRET, the ready file or the stack gives it.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

fn life(text: &str) -> Result<Duration, String> {
    let (count, unit) = text.split_at_checked(text.len().saturating_sub(1)).unwrap_or_default();
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("must be a number and s, m, h or d, such as 8h".to_owned()),
    };
    let count: u64 = count.parse().map_err(|_| "must be a number and s, m, h or d, such as 8h".to_owned())?;
    let life = Duration::from_secs(count.saturating_mul(seconds));
    if life.is_zero() || life > MAX_LIFE {
        return Err(format!("must lie between 1s and {}d", MAX_LIFE.as_secs() / 86_400));
    }
    Ok(life)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_and_a_unit() {
        assert_eq!(life("8h"), Ok(Duration::from_secs(28_800)));
        assert_eq!([life("1s"), life("366d")].map(|life| life.is_ok()), [true, true]);
        for text in ["", "h", "8", "8w", "-1h", "1.5h", "0s", "367d", "99999999999999999999d", "8é"] {
            assert!(life(text).is_err(), "{text}");
        }
    }
}
