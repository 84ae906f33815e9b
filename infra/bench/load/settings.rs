//! Settings from the environment. Tests pass a lookup of their own.

/// Values from the environment. They include a key, so there is no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// `NSL_API_KEY`: the key of each `--app` without an `--app-key-file`.
    pub(crate) api_key: Option<String>,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads through `lookup`, from name to value. An empty value counts as absent.
    pub(crate) fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let api_key = lookup("NSL_API_KEY").map(|key| key.trim().to_owned());
        Self { api_key: api_key.filter(|key| !key.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_key_counts_as_absent() {
        assert!(Settings::from_lookup(|_| Some(" ".to_owned())).api_key.is_none());
        assert_eq!(Settings::from_lookup(|_| Some("k\n".to_owned())).api_key.as_deref(), Some("k"));
    }
}
