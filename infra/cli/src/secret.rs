//! The secret that signs tokens: from a file, the environment, the ready file, or the stack's Secrets Manager.

use crate::cli::Cli;
use crate::stack;
use crate::target::site;
use anyhow::Context as _;
use nsl_domain::frame::control::trimmed;
use std::path::Path;

/// The template's name of the secret.
const TOKEN_SECRET: &str = "TokenSecret";

/// The secret, if there is one. `file` comes first, then the environment, then the ready file or the stack.
pub(crate) async fn find(cli: &Cli, file: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(path) = file {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read secret file {}", path.display()))?;
        return Ok(Some(trimmed(&text).to_owned()));
    }
    if let Some(secret) = &cli.settings.token_secret {
        return Ok(Some(secret.clone()));
    }
    let Some(site) = site(cli).await? else { return Ok(None) };
    match (site.secrets.get(TOKEN_SECRET), &cli.place.stack) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(stack)) => {
            let id = site.outputs.get(TOKEN_SECRET);
            let id = id.with_context(|| format!("stack {stack} has no output {TOKEN_SECRET}"))?;
            stack::secret(id, cli).await.map(Some)
        }
        (None, None) => Ok(None),
    }
}
