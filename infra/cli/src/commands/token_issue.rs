//! `nsl token issue`: issues a signed token. Only the token is printed to stdout, so that a shell can assign it to
//! NSL_TOKEN.

use crate::app_view::in_words;
use crate::args::{TokenIssue, union};
use crate::cli::Cli;
use crate::secret;
use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use nsl_auth::token::{self, Claims};
use nsl_client::clock;
use nsl_domain::grant::MAX_GRANTED_APPS;
use nsl_domain::ids::{AppId, Scope, Subject, UserId};
use nsl_domain::time::TimestampMs;
use serde_json::json;

/// User of a token without --user and --owner.
const DEFAULT_USER: &str = "nsl";

pub(crate) async fn run(args: TokenIssue, cli: &Cli) -> anyhow::Result<()> {
    let claims = claims(&args, clock::now())?;
    let secret = secret::find(cli, args.signing.secret_file.as_deref()).await?;
    let secret = secret.context(
        "no secret to sign with: give --local, --stack NAME or --secret-file FILE, or set NSL_TOKEN_SECRET",
    )?;
    let token = token::issue(&claims, &secret)?;
    cli.console.hint(&summary(&claims));
    Ok(cli.console.show(&json!({"token": token, "claims": claims}), || token.clone())?)
}

fn claims(args: &TokenIssue, now: TimestampMs) -> anyhow::Result<Claims> {
    let apps = args.app.iter().map(|app| AppId::new(app).with_context(|| format!("--app: {app:?}")));
    let apps = apps.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(apps.len() <= MAX_GRANTED_APPS, "--app: a token names at most {MAX_GRANTED_APPS} applications");
    let owner = args.owner.as_deref().map(UserId::new).transpose().context("--owner")?;
    let user = args.user.as_deref().or(args.owner.as_deref()).unwrap_or(DEFAULT_USER);
    let user = Subject::new(user).context("--user")?;
    let issued = now.seconds();
    Ok(Claims {
        sub: user,
        aud: args.signing.audience.as_str().into(),
        iat: issued,
        exp: issued.saturating_add_unsigned(args.expires.as_secs()),
        nbf: None,
        scope: union(&args.scope).unwrap_or(Scope::VIEW),
        apps,
        owner,
    })
}

fn summary(claims: &Claims) -> String {
    let may = claims.scope.words().map(|word| if word == "publish" { "publish for" } else { word });
    let may = in_words(&Vec::from_iter(may));
    let what = match &claims.owner {
        Some(owner) => format!("every application of {owner}"),
        None => claims.apps.iter().map(AppId::as_str).collect::<Vec<_>>().join(", "),
    };
    let until = Timestamp::from_second(claims.exp).map_or_else(|_| "ever".to_owned(), |end| end.to_string());
    format!("issued a token for {} to {may} {what} until {until}", claims.sub)
}
