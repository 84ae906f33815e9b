//! Values for `{{resolve:secretsmanager:…}}` references: generated secrets, one file each, readable by their owner only.
//!
//! CloudFormation resolves these references at deployment, so a function only ever sees the value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::ids;
use crate::private_files::write_private_file;
use crate::state::StateDir;
use crate::template::Plan;

const OPENING: &str = "{{resolve:secretsmanager:";
const CLOSING: &str = "}}";

/// Replaces every reference in the functions' environments by the secret's value, which the first start generates and
/// later starts read. The plan keeps the values by their logical ids.
pub(crate) fn resolve(plan: &mut Plan, state: &StateDir) -> anyhow::Result<()> {
    let mut secrets = BTreeMap::new();
    let mut value_of = |id: &str| {
        if let Some(value) = secrets.get(id) {
            return Ok(String::clone(value));
        }
        let value = read_or_generate(&state.file(&format!("secret-{id}")))?;
        secrets.insert(id.to_owned(), value.clone());
        Ok(value)
    };
    for function in plan.functions.values_mut() {
        for (name, value) in &mut function.environment {
            *value = resolve_text(value, &mut value_of)
                .with_context(|| format!("{}: variable {name}", function.logical_id))?;
        }
    }
    plan.secrets = secrets;
    Ok(())
}

/// `text` with `value_of(id)` in place of each `{{resolve:secretsmanager:id:…}}`.
fn resolve_text(
    text: &str,
    mut value_of: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let Some((reference, after)) = after.split_once(CLOSING) else {
            bail!("a reference to a secret is not closed with {CLOSING}");
        };
        let id = reference.split(':').next().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            bail!("{id:?} is not the logical id of a secret");
        }
        resolved.push_str(before);
        resolved.push_str(&value_of(id)?);
        rest = after;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

fn read_or_generate(path: &Path) -> anyhow::Result<String> {
    if let Ok(value) = fs::read_to_string(path) {
        return Ok(value);
    }
    let value = ids::secret();
    write_private_file(path, &value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_other_text_stays() {
        let resolve = |text: &str| resolve_text(text, |id| Ok(format!("<{id}>")));
        assert_eq!(resolve("plain {{text}}").unwrap(), "plain {{text}}");
        assert_eq!(resolve("{{resolve:secretsmanager:Token:SecretString:::}}").unwrap(), "<Token>");
        assert_eq!(
            resolve("a{{resolve:secretsmanager:A}}b{{resolve:secretsmanager:B:x}}").unwrap(),
            "a<A>b<B>"
        );
        assert!(resolve("{{resolve:secretsmanager:../etc}}").is_err());
        assert!(resolve("{{resolve:secretsmanager:A").is_err());
    }

    #[test]
    fn secret_is_generated_once() {
        let state = StateDir::open(None).unwrap();
        let path = state.file("secret-Token");
        let generated = read_or_generate(&path).unwrap();
        assert!(generated.len() >= 64);
        assert_eq!(read_or_generate(&path).unwrap(), generated);
    }
}
