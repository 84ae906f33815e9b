//! From an authorizer's event to a verdict.
//!
//! Owns who gets in: nobody with a wrong credential, and at the handshake also those without one, who may then only
//! say `auth`. Refuses to guess: where the table cannot be read, nobody is let in and the fault is told as such.

use nsl_auth::api_key;
use nsl_auth::prove::{ProofContext, prove};
use nsl_auth::token::TrustedKeys;
use nsl_aws::apps::Apps;
use nsl_aws::boot::Clients;
use nsl_aws::clock;
use nsl_aws::fault::Fault;
use nsl_domain::frame::control::{Credential, MAX_CREDENTIAL_BYTES};
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::KeyHash;
use nsl_domain::rejection::{Code, Rejection};
use serde_json::Value;

use crate::answer;
use crate::caller::{AuthorizerEvent, Offer};
use crate::settings::Settings;

/// The function, with its client.
#[derive(Debug)]
pub(crate) struct Authorize {
    apps: Apps,
    allowed_origins: Vec<String>,
    trusted: TrustedKeys,
}

impl Authorize {
    pub(crate) fn new(clients: &Clients, settings: Settings, trusted: TrustedKeys) -> Self {
        let apps = clients.apps(&settings.apps_table);
        Self { apps, allowed_origins: settings.allowed_origins, trusted }
    }

    pub(crate) async fn handle(&self, event: AuthorizerEvent) -> Result<Value, lambda_runtime::Error> {
        let role = self.role(event.origin());
        let verdict = match event.offer() {
            Offer::Nothing => None,
            Offer::Garbled => Some(Err(Rejection::unauthorized())),
            Offer::Credential(text) => Some(self.prove(&text, role).await.map_err(|fault| {
                tracing::error!(reason = fault.chain(), "credential not checked");
                "the credential cannot be checked"
            })?),
        };
        if let Some(Err(rejection)) = &verdict {
            tracing::warn!(
                code = rejection.code.as_str(),
                source_ip = event.source_ip(),
                "credential refused"
            );
        }
        if event.is_http() {
            let grant = verdict.and_then(Result::ok);
            return Ok(answer::simple(grant.as_ref()));
        }
        let method_arn = event.method_arn.as_deref().unwrap_or_default();
        match verdict {
            Some(Err(rejection)) if rejection.code == Code::Unauthorized => Err(answer::UNAUTHORIZED.into()),
            Some(Err(_)) => Ok(answer::deny(method_arn)),
            Some(Ok(grant)) => Ok(answer::admit(method_arn, role, event.source_ip(), Some(&grant))),
            None => Ok(answer::admit(method_arn, role, event.source_ip(), None)),
        }
    }

    fn role(&self, origin: Option<&str>) -> Role {
        match origin {
            None => Role::Program,
            Some(origin) if self.allowed_origins.iter().any(|allowed| allowed == origin) => Role::Page,
            Some(_) => Role::ForeignPage,
        }
    }

    /// The grant of a credential that names no application. At most two reads, none for text that is no key: a token
    /// proves itself, and what its applications say of it is asked when it is used.
    async fn prove(&self, text: &str, role: Role) -> Result<Result<Grant, Rejection>, Fault> {
        let now = clock::now();
        if text.len() > MAX_CREDENTIAL_BYTES {
            return Ok(Err(Rejection::unauthorized()));
        }
        if !api_key::is_well_formed(text) {
            return Ok(self.trusted.verify(text, now));
        }
        let app = self.apps.find_by_key(KeyHash::of(text)).await?;
        let context = ProofContext { trusted: &self.trusted, role, now };
        Ok(prove(&Credential::ApiKey(text.to_owned()), app.as_ref(), context))
    }
}
