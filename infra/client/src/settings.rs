//! Settings from the environment. Tests pass a lookup of their own.

use std::path::PathBuf;

/// Values from the environment, which arguments override.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "it contains secrets")]
pub struct Settings {
    /// `NSL_READY_FILE`: the ready file that `--local` without a path reads.
    pub ready_file: Option<PathBuf>,
    /// `NSL_API_KEY`: the key of the app that an argument names.
    pub api_key: Option<String>,
    /// `NSL_TOKEN`: a token, used in place of any key but that of `--key-file`.
    pub token: Option<String>,
    /// `NSL_TOKEN_SECRET`: the secret that signs tokens.
    pub token_secret: Option<String>,
    /// `NO_COLOR` is set, or `TERM` is `dumb`: no colours.
    pub plain: bool,
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads through `lookup`, from name to value. An empty value counts as absent.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            lookup(name).map(|value| value.trim_ascii().to_owned()).filter(|value| !value.is_empty())
        };
        Self {
            ready_file: value("NSL_READY_FILE").map(PathBuf::from),
            api_key: value("NSL_API_KEY"),
            token: value("NSL_TOKEN"),
            token_secret: value("NSL_TOKEN_SECRET"),
            plain: value("NO_COLOR").is_some() || value("TERM").as_deref() == Some("dumb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_and_empty_ones_count_as_absent() {
        assert_eq!(Settings::from_lookup(|_| Some("k\n".to_owned())).api_key.as_deref(), Some("k"));
        let settings = Settings::from_lookup(|_| Some(String::new()));
        assert!(settings.ready_file.is_none() && settings.api_key.is_none() && !settings.plain);
    }

    #[test]
    fn no_color_and_a_dumb_terminal_mean_plain() {
        let only = |name: &'static str, value: &'static str| {
            Settings::from_lookup(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert!(only("NO_COLOR", "1").plain);
        assert!(only("TERM", "dumb").plain);
        assert!(!only("TERM", "xterm").plain);
    }
}
