//! The value of a secret in Secrets Manager: `GetSecretValue` of its JSON 1.1 protocol.

use serde::Deserialize;
use serde_json::json;

use super::ServiceRequest;
use super::service_error::ServiceError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: String,
}

/// Asks for the current value of the secret `id`, a name or ARN.
pub fn secret_request(id: &str) -> ServiceRequest {
    ServiceRequest {
        service: "secretsmanager",
        endpoint_variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        headers: vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ],
        body: json!({"SecretId": id}).to_string(),
    }
}

/// The value in the response of this status.
///
/// # Errors
/// [`ServiceError`] where Secrets Manager returned one.
pub fn secret_value(status: u16, body: &str) -> Result<String, ServiceError> {
    if status != 200 {
        return Err(ServiceError::of_json(body));
    }
    // The body is not shown: it has the secret.
    let value: Result<SecretValue, _> = serde_json::from_str(body);
    let unreadable = || ServiceError { code: String::new(), message: "the secret has no text".to_owned() };
    value.map(|value| value.secret_string).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_read_and_never_part_of_an_error() {
        assert_eq!(secret_value(200, r#"{"SecretString":"s","Name":"n"}"#).unwrap(), "s");
        assert_eq!(
            secret_value(200, r#"{"SecretBinary":"s"}"#).unwrap_err().to_string(),
            "the secret has no text"
        );
        let missing = secret_value(400, r#"{"__type":"ResourceNotFoundException","Message":"gone"}"#);
        assert_eq!(missing.unwrap_err().code, "ResourceNotFoundException");
    }
}
