//! What `{{resolve:secretsmanager:…}}` stands for: secrets made here, one file each, readable by their owner only.
//!
//! CloudFormation resolves these references at deployment, so that a function only ever sees the value.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use crate::ids;
use crate::state::StateDir;
use crate::template::Plan;

const OPENING: &str = "{{resolve:secretsmanager:";
const CLOSING: &str = "}}";
/// Read and write for the owner, nothing for anybody else.
const OWNER_ONLY: u32 = 0o600;

/// Replaces every reference in the functions' environments with the secret's value, which is made at the first start
/// and found again at later ones. The plan keeps the values by the ids that they are referred to by.
pub(crate) fn fill(plan: &mut Plan, state: &StateDir) -> anyhow::Result<()> {
    let mut secrets = BTreeMap::new();
    for function in plan.functions.values_mut() {
        for (name, value) in &mut function.environment {
            let filled = fill_text(value, |id| {
                if !secrets.contains_key(id) {
                    secrets.insert(id.to_owned(), read_or_make(&state.file(&format!("secret-{id}")))?);
                }
                Ok(secrets.get(id).cloned().unwrap_or_default())
            });
            *value = filled.with_context(|| format!("{}: variable {name}", function.logical_id))?;
        }
    }
    plan.secrets = secrets;
    Ok(())
}

/// `text` with `value_of(id)` in place of each `{{resolve:secretsmanager:id:…}}`.
fn fill_text(text: &str, mut value_of: impl FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let Some((reference, after)) = after.split_once(CLOSING) else {
            bail!("a reference to a secret has no end");
        };
        let id = reference.split(':').next().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            bail!("{id:?} is no logical id of a secret");
        }
        filled.push_str(before);
        filled.push_str(&value_of(id)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn read_or_make(path: &Path) -> anyhow::Result<String> {
    if let Ok(value) = fs::read_to_string(path) {
        return Ok(value);
    }
    let value = ids::secret();
    let mut options = fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(OWNER_ONLY).open(path);
    made.and_then(|mut file| file.write_all(value.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_becomes_the_value_and_other_text_stays() {
        let fill = |text: &str| fill_text(text, |id| Ok(format!("<{id}>")));
        assert_eq!(fill("plain {{text}}").unwrap(), "plain {{text}}");
        assert_eq!(fill("{{resolve:secretsmanager:Token:SecretString:::}}").unwrap(), "<Token>");
        assert_eq!(fill("a{{resolve:secretsmanager:A}}b{{resolve:secretsmanager:B:x}}").unwrap(), "a<A>b<B>");
        assert!(fill("{{resolve:secretsmanager:../etc}}").is_err());
        assert!(fill("{{resolve:secretsmanager:A").is_err());
    }

    #[test]
    fn a_secret_is_made_once() {
        let state = StateDir::open(None).unwrap();
        let path = state.file("secret-Token");
        let made = read_or_make(&path).unwrap();
        assert!(made.len() >= 64);
        assert_eq!(read_or_make(&path).unwrap(), made);
    }
}
