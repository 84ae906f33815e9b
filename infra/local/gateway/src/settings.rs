//! What the gateway takes from its own surroundings: the only file that reads the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables of this process that its children keep; everything else they get from the template.
const PASSED_ON: [&str; 12] = [
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
/// The region of everything local unless the environment names another.
const DEFAULT_REGION: &str = "us-east-1";

/// The surroundings, read once at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The region that functions, ARNs and endpoints name.
    pub region: String,
    /// Variables that children inherit.
    pub inherited: BTreeMap<String, String>,
    /// The gateway's own program, through which children are started so that they die with it.
    pub program: Option<PathBuf>,
}

impl Settings {
    /// Reads this process's environment.
    #[expect(clippy::disallowed_methods, reason = "this is the one settings file of the gateway")]
    pub fn from_env() -> Self {
        Self::read(|name| std::env::var(name).ok(), std::env::current_exe().ok())
    }

    /// Reads an environment given as a lookup.
    pub fn read(lookup: impl Fn(&str) -> Option<String>, program: Option<PathBuf>) -> Self {
        let named = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION"));
        let inherited =
            PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), lookup(name)?))).collect();
        Self { region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()), inherited, program }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_variables_are_passed_on() {
        let found = Settings::read(|name| matches!(name, "PATH" | "AWS_PROFILE").then(|| "x".into()), None);
        assert_eq!(found.inherited.keys().collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(found.region, "us-east-1");
    }
}
