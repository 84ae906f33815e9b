//! The gateway's settings from its environment; the only file that reads environment variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::access_key::AccessKey;

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

/// The access key id for the DynamoDB of `--dynamodb`, which may require one, such as that of another gateway.
const DYNAMODB_ACCESS_KEY: &str = "NSL_DYNAMODB_ACCESS_KEY";

/// Read once at startup.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that functions, ARNs and endpoints name.
    pub region: String,
    /// Access key id for another DynamoDB than the embedded one.
    pub(crate) dynamodb_access_key: Option<AccessKey>,
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
        Self {
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            dynamodb_access_key: non_empty(DYNAMODB_ACCESS_KEY).map(|id| AccessKey::new(&id)),
            inherited,
            program,
        }
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
