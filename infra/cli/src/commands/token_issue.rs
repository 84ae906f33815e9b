//! `nsl token issue`: signs a token. The token alone goes to stdout, so that a shell can keep it in NSL_TOKEN.

use crate::args::{Place, TokenIssue};
use crate::clock;
use crate::console::Console;
use crate::secret;
use crate::settings::Settings;
use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use nsl_auth::token::{self, Claims};
use nsl_domain::grant::MAX_GRANTED_APPS;
use nsl_domain::ids::{AppId, Scope, UserId};
use serde_json::json;

/// On whose behalf a token is issued that names neither a user nor an owner.
const NOBODYS_USER: &str = "nsl";

/// Signs the token that the arguments describe.
pub(crate) fn run(
    args: TokenIssue,
    place: &Place,
    settings: &Settings,
    console: &Console,
) -> anyhow::Result<()> {
    let claims = describe(&args, clock::now())?;
    let secret = secret::find(args.secret_file.as_deref(), place, settings)?;
    let secret = secret.context(
        "no secret to sign with: say --local or --stack NAME, set NSL_TOKEN_SECRET, or give --secret-file FILE",
    )?;
    let token = token::issue(&claims, &secret)?;
    if console.is_json() {
        console.document(&json!({"token": token, "claims": claims}))?;
        return Ok(());
    }
    console.note(&told(&claims));
    console.line(&token)?;
    Ok(())
}

fn describe(args: &TokenIssue, now: Timestamp) -> anyhow::Result<Claims> {
    let apps = args.app.iter().map(|app| AppId::new(app).with_context(|| format!("--app: {app:?}")));
    let apps = apps.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(apps.len() <= MAX_GRANTED_APPS, "--app: a token names at most {MAX_GRANTED_APPS} applications");
    let owner = args.owner.as_deref().map(UserId::new).transpose().context("--owner")?;
    let user = args.user.as_deref().map(UserId::new).transpose().context("--user")?;
    let user = match user.or_else(|| owner.clone()) {
        Some(user) => user,
        None => UserId::new(NOBODYS_USER)?,
    };
    let issued = now.as_second();
    Ok(Claims {
        sub: user,
        aud: args.audience.as_str().into(),
        iat: issued,
        exp: issued.saturating_add_unsigned(args.expires.as_secs()),
        nbf: None,
        scope: args.scope.into(),
        apps,
        owner,
    })
}

fn told(claims: &Claims) -> String {
    let may = match claims.scope {
        Scope::Publish => "publish for",
        Scope::View => "view",
        Scope::Both => "publish for and view",
    };
    let what = match &claims.owner {
        Some(owner) => format!("every application of {owner}"),
        None => claims.apps.iter().map(AppId::as_str).collect::<Vec<_>>().join(", "),
    };
    let until = Timestamp::from_second(claims.exp).map_or_else(|_| "ever".to_owned(), |end| end.to_string());
    format!("a token to {may} {what} until {until}, for {}", claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::KeyScope;
    use std::time::Duration;

    fn args(app: &[&str], owner: Option<&str>) -> TokenIssue {
        TokenIssue {
            app: app.iter().map(|&app| app.to_owned()).collect(),
            owner: owner.map(str::to_owned),
            scope: KeyScope::View,
            expires: Duration::from_secs(60),
            user: None,
            audience: "nsl".to_owned(),
            secret_file: None,
        }
    }

    #[test]
    fn a_token_ends_when_it_was_told_to() {
        let claims = describe(&args(&["shop", "blog"], None), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((claims.iat, claims.exp, claims.sub.as_str()), (0, 60, "nsl"));
        assert_eq!(told(&claims), "a token to view shop, blog until 1970-01-01T00:01:00Z, for nsl");
    }

    #[test]
    fn an_owners_token_is_the_owners() {
        let claims = describe(&args(&[], Some("ann")), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((claims.sub.as_str(), claims.apps.len()), ("ann", 0));
        assert!(told(&claims).contains("every application of ann"));
    }

    #[test]
    fn a_malformed_id_is_told_with_its_argument() {
        let fault = describe(&args(&["a b"], None), Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(format!("{fault:#}").starts_with("--app"), "{fault:#}");
    }
}
