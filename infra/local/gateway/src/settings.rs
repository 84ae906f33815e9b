//! The gateway's settings from its environment; the only file that reads environment variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables that child processes inherit; all others come from the template.
const INHERITED: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "RUST_LOG",
    "RUST_BACKTRACE",
];
const DEFAULT_REGION: &str = "us-east-1";

/// Letters and digits only: DynamoDB Local rejects access keys with other characters.
pub(crate) const LOCAL_ACCESS_KEY_ID: &str = "LOCALGATEWAY";

/// Read once at startup.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that functions, ARNs and endpoints name.
    pub region: String,
    /// Variables that children inherit.
    pub inherited: BTreeMap<String, String>,
    /// This program's path: children are started through it so that they end with it.
    pub program: Option<PathBuf>,
}

impl Settings {
    /// Reads this process's environment.
    #[expect(clippy::disallowed_methods, reason = "the gateway's only settings file")]
    pub fn from_env() -> Self {
        Self::read(|name| std::env::var(name).ok(), std::env::current_exe().ok())
    }

    /// Reads an environment given as a function from name to value.
    pub fn read(lookup: impl Fn(&str) -> Option<String>, program: Option<PathBuf>) -> Self {
        let non_empty = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = non_empty("AWS_REGION").or_else(|| non_empty("AWS_DEFAULT_REGION"));
        let inherited =
            INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), lookup(name)?))).collect();
        Self { region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()), inherited, program }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_are_inherited() {
        let found = Settings::read(|name| matches!(name, "PATH" | "AWS_PROFILE").then(|| "x".into()), None);
        assert_eq!(found.inherited.keys().collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(found.region, "us-east-1");
    }
}
