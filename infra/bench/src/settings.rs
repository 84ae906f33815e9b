//! What the environment says to the load generator. This file alone reads it; tests pass a lookup of their own.

/// Values that are taken from the environment. It holds a key, so it has no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// `NSL_API_KEY`: the key of an application that is named by `--app` without a key file.
    pub(crate) api_key: Option<String>,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads through `lookup`, which answers a name with its value. Empty values count as absent.
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
