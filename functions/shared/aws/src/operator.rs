//! An operator's access to AWS: Region, credentials, clients of the tables, and signed requests to the two services for
//! which an SDK crate would cost every build more than these requests do.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_config::credential_process::CredentialProcessProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use nsl_domain::time::TimestampMs;

use crate::boot::{self, Clients};
use crate::fault::causes;
use crate::settings::environment;

mod service_error;
mod stack;
mod token_secret;

pub use service_error::ServiceError;
pub use stack::{Stack, list_stacks, stack_names};
pub use token_secret::{secret_request, secret_value};

/// Prints the credentials of the profile in the form that SDKs read. The SDK crates for IAM Identity Center would cost
/// every build more; an operator with such a profile has this command (AWS CLI reference, `configure export-credentials`).
const EXPORT_CREDENTIALS: &str = "aws configure export-credentials --format process";

/// What the SDK's error about a profile says that needs a crate which is left out.
const NEEDS_LEFT_OUT_CRATE: &str = "cargo feature";

/// The Region and the credentials of the environment or of a profile.
#[derive(Debug)]
pub struct Operator {
    config: SdkConfig,
    region: String,
    credentials: Credentials,
}

/// Why there is no access.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Neither the environment nor the profile has a Region.
    #[error(
        "no AWS Region is set: set AWS_REGION, or give the profile one (aws configure set region REGION), or check AWS_PROFILE"
    )]
    NoRegion,
    /// There are no credentials.
    #[error(
        "no AWS credentials were found: set AWS_PROFILE to a profile that exists, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// The profile needs the AWS CLI, which is absent or has no credentials either.
    #[error(
        "the AWS profile signs in through IAM Identity Center, which needs the aws command (AWS CLI 2.9 or newer) after `aws sso login`: {0}"
    )]
    NoExport(String),
    /// There are credentials, but they cannot be read or refreshed.
    #[error("cannot load the AWS credentials: {0}")]
    Credentials(String),
    /// A request cannot be signed.
    #[error("cannot sign a request to {service}")]
    Signing {
        /// The service.
        service: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A request to a service, not signed yet.
#[derive(Debug)]
pub struct ServiceRequest {
    /// Its name in signatures and host names.
    service: &'static str,
    /// The environment variable with an endpoint of this service alone.
    endpoint_variable: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

/// A request that can be sent as POST.
#[expect(missing_debug_implementations, reason = "its headers contain a signature")]
pub struct SignedRequest {
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Operator {
    /// The access that the environment and the files of the AWS CLI describe: `AWS_REGION`, `AWS_DEFAULT_REGION`,
    /// `AWS_PROFILE` and all else that the SDK reads.
    ///
    /// # Errors
    /// [`AccessError`] without a Region or usable credentials.
    pub async fn load() -> Result<Self, AccessError> {
        let config = boot::operator_loader().load().await;
        let region = config.region().ok_or(AccessError::NoRegion)?.to_string();
        match credentials(config.credentials_provider()).await {
            Ok(credentials) => Ok(Self { config, region, credentials }),
            Err(AccessError::Credentials(cause)) if cause.contains(NEEDS_LEFT_OUT_CRATE) => {
                let exported = CredentialProcessProvider::new(EXPORT_CREDENTIALS.to_owned());
                let config = boot::operator_loader().credentials_provider(exported).load().await;
                let credentials = credentials(config.credentials_provider()).await.map_err(of_export)?;
                Ok(Self { config, region, credentials })
            }
            Err(error) => Err(error),
        }
    }

    /// The Region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Clients of the tables, and of the connections whose API is at `connections`.
    pub fn clients(&self, connections: Option<&str>) -> Clients {
        boot::operator_clients(&self.config, connections)
    }

    /// Addresses and signs `request` at `now`.
    ///
    /// # Errors
    /// [`AccessError::Signing`] where the request has no valid address.
    pub fn sign(&self, request: ServiceRequest, now: TimestampMs) -> Result<SignedRequest, AccessError> {
        let service = request.service;
        let url = self.endpoint(&request);
        let identity = self.credentials.clone().into();
        let millis = u64::try_from(now.ms()).unwrap_or_default();
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| AccessError::Signing { service, source };
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(UNIX_EPOCH + Duration::from_millis(millis))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(error.into()))?
            .into();
        let body = SignableBody::Bytes(request.body.as_bytes());
        let signable = SignableRequest::new("POST", url.as_str(), request.headers.iter().copied(), body);
        let signed = signable.and_then(|signable| sign(signable, &params));
        let (instructions, _signature) = signed.map_err(|error| failed(error.into()))?.into_parts();
        let headers = request.headers.iter().copied().chain(instructions.headers());
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(SignedRequest { url, headers, body: request.body })
    }

    /// The service's endpoint: its own variable, `AWS_ENDPOINT_URL`, or AWS's in the Region.
    fn endpoint(&self, request: &ServiceRequest) -> String {
        let own = environment(request.endpoint_variable).filter(|url| !url.is_empty());
        let configured = own.or_else(|| self.config.endpoint_url().map(str::to_owned));
        let url = configured.unwrap_or_else(|| {
            let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{}.{}.{suffix}", request.service, self.region)
        });
        format!("{}/", url.trim_end_matches('/'))
    }
}

/// Why the AWS CLI exported no credentials.
fn of_export(error: AccessError) -> AccessError {
    match error {
        AccessError::Credentials(cause) => AccessError::NoExport(cause),
        error => error,
    }
}

async fn credentials(provider: Option<SharedCredentialsProvider>) -> Result<Credentials, AccessError> {
    let provider = provider.ok_or(AccessError::NoCredentials)?;
    provider.provide_credentials().await.map_err(|error| match error {
        CredentialsError::CredentialsNotLoaded(_) => AccessError::NoCredentials,
        error => match causes(&error) {
            // The last place that is looked at: an instance's role, where this is an instance at all.
            cause if cause.contains("IMDS") => AccessError::NoCredentials,
            cause => AccessError::Credentials(cause),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::Region;

    fn operator(region: &'static str) -> Operator {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
        let config = SdkConfig::builder().region(Region::new(region)).build();
        Operator { config, region: region.to_owned(), credentials }
    }

    #[test]
    fn request_is_signed_for_service_and_region() {
        for (region, url) in [
            ("eu-west-1", "https://cloudformation.eu-west-1.amazonaws.com/"),
            ("cn-north-1", "https://cloudformation.cn-north-1.amazonaws.com.cn/"),
        ] {
            let signed = operator(region).sign(Stack::describe("nsl"), TimestampMs::EXAMPLE).unwrap();
            assert_eq!(signed.url, url);
            let header =
                |name: &str| signed.headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
            let authorization = header("authorization");
            let scope = format!("/{region}/cloudformation/aws4_request");
            assert!(authorization.contains(&scope), "{authorization}");
            assert!(authorization.contains("SignedHeaders=content-type;host;"), "{authorization}");
            assert_eq!(header("x-amz-security-token"), "session");
        }
    }
}
