//! Checks the credential of an authorizer's event. Handshake: 401 for a wrong credential, 403 for an inactive app. HTTP:
//! 403 for both. 500 if the table cannot be read. A handshake without a credential is accepted without a grant, so that the
//! connection can send `auth`.

use nsl_auth::api_key;
use nsl_auth::prove::{ProofContext, prove};
use nsl_auth::token::TrustedKeys;
use nsl_aws::apps::Apps;
use nsl_aws::boot::Clients;
use nsl_aws::clock;
use nsl_aws::counters::{Counter, Counters};
use nsl_aws::fault::Fault;
use nsl_aws::isolation::isolated;
use nsl_aws::logging;
use nsl_aws::origin_secret::{ORIGIN_SECRET_HEADER, OriginSecret};
use nsl_domain::frame::control::{Credential, MAX_CREDENTIAL_BYTES};
use nsl_domain::grant::{Grant, Role};
use nsl_domain::ids::KeyHash;
use nsl_domain::rejection::{Code, Rejection};
use serde::Deserialize;
use serde_json::Value;

use crate::credential::{AuthorizerEvent, Offered};
use crate::response;
use crate::settings::Settings;

/// The function with its clients.
#[derive(Debug)]
pub(crate) struct Authorize {
    apps: Apps,
    allowed_origins: Vec<String>,
    trusted: TrustedKeys,
    origin_secret: OriginSecret,
    pub(crate) counters: Counters,
}

/// Why an event has no response.
enum Unanswered {
    /// The caller's credential is wrong. The handshake is answered with 401.
    WrongCredential,
    /// A fault of ours, which is logged. The caller is answered with 500.
    Fault(lambda_runtime::Error),
}

/// The outcome of checking the credential of a caller.
enum Checked {
    /// There is none.
    Anonymous,
    Granted(Grant),
    Rejected(Rejection),
}

impl From<Result<Grant, Rejection>> for Checked {
    fn from(proved: Result<Grant, Rejection>) -> Self {
        proved.map_or_else(Self::Rejected, Self::Granted)
    }
}

impl Authorize {
    pub(crate) fn new(clients: &Clients, settings: Settings, trusted: TrustedKeys) -> Self {
        let apps = clients.apps(&settings.apps_table);
        let counters = clients.counters(&settings.metrics_namespace);
        let Settings { allowed_origins, origin_secret, .. } = settings;
        Self { apps, allowed_origins, trusted, origin_secret, counters }
    }

    /// The response to `event`. Lambda counts either error in `Errors`, so that of a fault has a counter of its own.
    pub(crate) async fn handle(&self, event: Value) -> Result<Value, lambda_runtime::Error> {
        let response = self.respond(event).await.map_err(|unanswered| match unanswered {
            Unanswered::WrongCredential => response::UNAUTHORIZED.into(),
            Unanswered::Fault(error) => {
                self.counters.add(Counter::AuthorizeFaults, 1);
                error
            }
        });
        self.counters.emit(clock::now());
        response
    }

    async fn respond(&self, event: Value) -> Result<Value, Unanswered> {
        let event = AuthorizerEvent::deserialize(event)
            .map_err(|_| Unanswered::Fault(logging::failed("the authorizer's event cannot be read")))?;
        if !self.origin_secret.admits(event.header(ORIGIN_SECRET_HEADER)) {
            return refused_around_proxy(&event);
        }
        let role = self.role(event.origin());
        let checked = match event.offered() {
            Offered::Nothing => Checked::Anonymous,
            Offered::Invalid => Checked::Rejected(Rejection::unauthorized()),
            Offered::Credential(text) => {
                let checked = isolated("check a credential", self.check(&text, role)).await.flatten();
                checked.map_err(|fault| {
                    tracing::error!(reason = fault.chain(), "credential not checked");
                    Unanswered::Fault("the credential cannot be checked".into())
                })?
            }
        };
        let source_ip = event.source_ip();
        if let Checked::Rejected(rejection) = &checked {
            let reason = rejection.message.as_str();
            tracing::warn!(code = rejection.code.as_str(), reason, source_ip, "credential refused");
        }
        if event.is_http() {
            return Ok(response::simple(match &checked {
                Checked::Granted(grant) => Some(grant),
                Checked::Anonymous | Checked::Rejected(_) => None,
            }));
        }
        let method_arn = method_arn(&event)?;
        match checked {
            Checked::Anonymous => Ok(response::allow(method_arn, role, source_ip, None)),
            Checked::Granted(grant) => Ok(response::allow(method_arn, role, source_ip, Some(&grant))),
            Checked::Rejected(rejection) if rejection.code == Code::Unauthorized => {
                Err(Unanswered::WrongCredential)
            }
            Checked::Rejected(_) => Ok(response::deny(method_arn)),
        }
    }

    fn role(&self, origin: Option<&str>) -> Role {
        match origin {
            None => Role::Program,
            Some(origin) if self.allowed_origins.iter().any(|allowed| allowed == origin) => Role::Page,
            Some(_) => Role::ForeignPage,
        }
    }

    /// Checks a credential that comes without an app. A key takes at most two reads, other text none: a token is checked
    /// by its signature, and its apps are checked when it is used.
    async fn check(&self, text: &str, role: Role) -> Result<Checked, Fault> {
        let now = clock::now();
        if text.len() > MAX_CREDENTIAL_BYTES {
            return Ok(Checked::Rejected(Rejection::unauthorized()));
        }
        if !api_key::is_well_formed(text) {
            return Ok(self.trusted.verify(text, now).into());
        }
        let app = self.apps.find_by_key(KeyHash::of(text)).await?;
        let context = ProofContext { trusted: &self.trusted, role, now };
        Ok(prove(&Credential::ApiKey(text.to_owned()), app.as_ref(), context).into())
    }
}

/// Refuses a request that did not come through the proxy, with 403 and without reading a table.
fn refused_around_proxy(event: &AuthorizerEvent) -> Result<Value, Unanswered> {
    tracing::warn!(source_ip = event.source_ip(), "request without the origin secret refused");
    if event.is_http() { Ok(response::simple(None)) } else { Ok(response::deny(method_arn(event)?)) }
}

/// The resource of a handshake's policy.
fn method_arn(event: &AuthorizerEvent) -> Result<&str, Unanswered> {
    let missing = || Unanswered::Fault(logging::failed("the handshake's event has no methodArn"));
    event.method_arn.as_deref().ok_or_else(missing)
}
