//! From a credential to a grant. A wrong key and an unknown app are rejected alike.

use nsl_domain::app::{App, Status};
use nsl_domain::frame::control::Credential;
use nsl_domain::grant::{
    Action, Grant, GrantedApps, Proof, Role, check_without_action, check_without_app, is_valid_on,
};
use nsl_domain::ids::{Scope, UserId};
use nsl_domain::legacy::effects::Proved;
use nsl_domain::rejection::Rejection;
use nsl_domain::time::TimestampMs;

use crate::api_key;
use crate::token::TrustedKeys;

/// What a credential is checked against.
#[derive(Debug, Clone, Copy)]
pub struct ProofContext<'a> {
    /// The keys of trusted tokens.
    pub trusted: &'a TrustedKeys,
    /// The side that the handshake showed.
    pub role: Role,
    /// The time of the attempt.
    pub now: TimestampMs,
}

/// The grant that `credential` gives for `app`, which is `None` if it does not exist.
///
/// # Errors
/// `unauthorized` for wrong credentials; `forbidden` for a token of other apps; `app_inactive` for right credentials of an
/// inactive app.
pub fn prove(
    credential: &Credential,
    app: Option<&App>,
    context: ProofContext<'_>,
) -> Result<Grant, Rejection> {
    let grant = proved(credential, app, context)?;
    check_without_action(&grant, app, context.now)?;
    Ok(grant)
}

/// What the credential of an `auth` in the library's dialect proves for `app`; `None` if nothing. A program must be allowed
/// to publish.
pub fn prove_library(
    credential: &Credential,
    app: Option<&App>,
    context: ProofContext<'_>,
) -> Option<Proved> {
    let (app, now) = (app?, context.now);
    let grant = proved(credential, Some(app), context).ok()?;
    let is_allowed =
        context.role != Role::Program || check_without_app(Some(&grant), Action::Publish, now).is_ok();
    if !is_allowed || !is_valid_on(&grant, app, now) {
        return None;
    }
    let library = !grant.is_by_ids();
    Some(Proved { grant: Grant { library, ..grant }, is_active: app.status == Status::Active })
}

/// The grant of `credential`, whether or not it is valid for `app` now.
fn proved(credential: &Credential, app: Option<&App>, context: ProofContext<'_>) -> Result<Grant, Rejection> {
    let grant = match credential {
        Credential::Token(token) => return context.trusted.verify(token, context.now),
        Credential::ApiKey(key) => app.and_then(|app| by_key(key, app)),
        Credential::LegacyUser(user) => app.and_then(|app| Grant::by_ids(user, app, context.role)),
    };
    grant.ok_or_else(Rejection::unauthorized)
}

fn by_key(text: &str, app: &App) -> Option<Grant> {
    let key = api_key::find(app, text)?;
    Some(grant(app, app.owner.clone(), key.scope, Proof::Key(key.id.clone())))
}

fn grant(app: &App, user: UserId, scope: Scope, proof: Proof) -> Grant {
    let reach = GrantedApps::Apps(vec![app.id.clone()]);
    Grant { user: user.into(), scope, reach, proof, until: None, library: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nsl_domain::app::KeyRecord;
    use nsl_domain::dialect::Dialect;
    use nsl_domain::grant::authorise;
    use nsl_domain::rejection::Code;

    fn app(key: &str, scope: Scope, legacy: bool) -> App {
        let keys = vec![KeyRecord::of("another", Scope::BOTH), KeyRecord::of(key, scope)];
        App { keys, legacy, ..App::example() }
    }

    fn attempt(credential: &Credential, app: Option<&App>, role: Role) -> Result<Grant, Rejection> {
        let trusted = TrustedKeys::new("", "", "nsl").unwrap();
        prove(credential, app, ProofContext { trusted: &trusted, role, now: TimestampMs::clamped(0) })
    }

    fn proved_by_library(credential: &Credential, app: &App, role: Role) -> Option<Proved> {
        let trusted = TrustedKeys::new("", "", "nsl").unwrap();
        let context = ProofContext { trusted: &trusted, role, now: TimestampMs::clamped(0) };
        prove_library(credential, Some(app), context)
    }

    fn outcome(credential: &Credential, app: Option<&App>, role: Role) -> Result<Scope, Code> {
        attempt(credential, app, role).map(|grant| grant.scope).map_err(|rejection| rejection.code)
    }

    #[test]
    fn key_proves_its_own_scope_of_its_own_app() {
        let shop = app("right", Scope::VIEW, false);
        let right = Credential::ApiKey("right".into());
        let wrong = Credential::ApiKey("wrong".into());
        assert_eq!(outcome(&right, Some(&shop), Role::Program), Ok(Scope::VIEW));
        assert_eq!(outcome(&wrong, Some(&shop), Role::Program), Err(Code::Unauthorized));
        assert_eq!(outcome(&right, None, Role::Program), Err(Code::Unauthorized));
        assert_eq!(attempt(&wrong, Some(&shop), Role::Page), attempt(&right, None, Role::Page));
    }

    #[test]
    fn key_to_manage_is_proved_and_may_neither_publish_nor_view() {
        let shop = app("right", Scope::MANAGE, false);
        let grant = attempt(&Credential::ApiKey("right".into()), Some(&shop), Role::Program).unwrap();
        for action in [Action::Publish, Action::View] {
            let refused = authorise(Some(&grant), action, Some(&shop), TimestampMs::clamped(0)).unwrap_err();
            assert_eq!(refused.code, Code::Forbidden, "{action:?}");
        }
    }

    #[test]
    fn legacy_auth_opens_legacy_apps_to_their_owner() {
        let (open, closed) = (app("k", Scope::BOTH, true), app("k", Scope::BOTH, false));
        let ann = Credential::LegacyUser(UserId::new("ann").unwrap());
        let bob = Credential::LegacyUser(UserId::new("bob").unwrap());
        assert_eq!(outcome(&ann, Some(&open), Role::Program), Ok(Scope::PUBLISH));
        assert_eq!(outcome(&ann, Some(&open), Role::Page), Ok(Scope::VIEW));
        assert_eq!(outcome(&ann, Some(&open), Role::ForeignPage), Err(Code::Unauthorized));
        assert_eq!(outcome(&ann, Some(&closed), Role::Program), Err(Code::Unauthorized));
        assert_eq!(outcome(&bob, Some(&open), Role::Program), Err(Code::Unauthorized));
    }

    #[test]
    fn library_key_must_allow_publishing_and_marks_the_grant() {
        let key = Credential::ApiKey("right".into());
        let library = |scope| {
            let proved = proved_by_library(&key, &app("right", scope, false), Role::Program)?;
            Some((proved.grant.library, proved.grant.dialect()))
        };
        for scope in [Scope::PUBLISH, Scope::BOTH] {
            assert_eq!(library(scope), Some((true, Dialect::Legacy)));
            let modern = attempt(&key, Some(&app("right", scope, false)), Role::Program).unwrap();
            assert_eq!((modern.library, modern.dialect()), (false, Dialect::Modern));
        }
        for scope in [Scope::VIEW, Scope::MANAGE] {
            assert_eq!(library(scope), None);
        }
        let (ann, shop) = (Credential::LegacyUser(UserId::new("ann").unwrap()), app("k", Scope::BOTH, true));
        for role in [Role::Program, Role::Page] {
            let grant = proved_by_library(&ann, &shop, role).unwrap().grant;
            assert_eq!((grant.library, grant.dialect()), (false, Dialect::Legacy), "as it was stored before");
        }
    }

    #[test]
    fn library_proves_its_credentials_of_an_inactive_app() {
        let shop = App { status: Status::Inactive, ..app("right", Scope::BOTH, true) };
        let (ann, bob) = (UserId::new("ann").unwrap(), UserId::new("bob").unwrap());
        for (credential, is_active) in [
            (Credential::LegacyUser(ann), Some(false)),
            (Credential::ApiKey("right".into()), Some(false)),
            (Credential::LegacyUser(bob), None),
            (Credential::ApiKey("wrong".into()), None),
        ] {
            let proved = proved_by_library(&credential, &shop, Role::Program);
            assert_eq!(proved.map(|proved| proved.is_active), is_active, "{credential:?}");
        }
    }

    #[test]
    fn inactive_app_is_reported_to_its_own_key_only() {
        let mut shop = app("right", Scope::VIEW, true);
        shop.status = Status::Inactive;
        let right = Credential::ApiKey("right".into());
        assert_eq!(outcome(&right, Some(&shop), Role::Program), Err(Code::AppInactive));
        assert_eq!(
            outcome(&Credential::ApiKey("wrong".into()), Some(&shop), Role::Program),
            Err(Code::Unauthorized)
        );
    }
}
