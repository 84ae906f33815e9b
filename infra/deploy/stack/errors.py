"""What a failed call means for the person who deploys: one sentence, and what to do."""

from botocore import exceptions as aws

# Codes of a service, with what to do; the service's own message is not needed to act on them.
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
UNKNOWN_KEY = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure")
WRONG_SECRET = ("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature")
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")
DISABLED = ("OptInRequired", "SubscriptionRequiredException")

LOG_IN = "log in again (`aws sso login` or `aws login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
OFFLINE = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ReadTimeoutError, aws.ProxyConnectionError,
           aws.SSLError, aws.ConnectionClosedError)


class Stop(Exception):
    """Ends the command with a message for the person who runs it."""


def code_of(error):
    """The service's code of an error, or an empty text where no service answered."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, aws.ClientError) else ""


def is_denied(error):
    return code_of(error) in DENIED


def one_line(error):
    return " ".join(str(error).split()) or type(error).__name__


def explained_code(error):
    """A sentence about an answer of a service."""
    code, message = code_of(error), one_line(error.response.get("Error", {}).get("Message", ""))
    if code in EXPIRED:
        return f"the AWS credentials have expired: {LOG_IN}"
    if code in UNKNOWN_KEY:
        return f"AWS does not accept the access key: {LOG_IN}; a Region that is not enabled for the account does not accept it either"
    if code in WRONG_SECRET:
        return "AWS does not accept the signature: check AWS_SECRET_ACCESS_KEY, and this machine's clock"
    if code in DENIED:
        return f"the credentials may not do {error.operation_name}: grant it to them ({message})"
    if code in THROTTLED:
        return f"AWS limits the rate of {error.operation_name}: run this again in a minute"
    if code in DISABLED:
        return f"the account or the Region is not enabled for this service: {message}"
    return f"{error.operation_name} failed: {message or code}"


def explained(error):
    """A sentence about any failure, without a traceback."""
    if isinstance(error, aws.ClientError):
        return explained_code(error)
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
        return f"there are no complete AWS credentials: {LOG_IN}"
    if isinstance(error, aws.ProfileNotFound):
        return f"{one_line(error)}: correct AWS_PROFILE or the `profile` in samconfig.toml (`aws configure list-profiles`)"
    if isinstance(error, (aws.SSOError, aws.LoginError, aws.TokenRetrievalError, aws.NoAuthTokenError, aws.CredentialRetrievalError)):
        return f"the AWS credentials could not be loaded ({one_line(error)}): {LOG_IN}"
    if isinstance(error, OFFLINE):
        return f"AWS cannot be reached ({one_line(error)}): check the network, the proxy and the Region's name"
    if isinstance(error, (aws.NoRegionError, aws.InvalidRegionError)):
        return f"{one_line(error)}: set AWS_REGION to a Region such as eu-west-1"
    if isinstance(error, (aws.ConfigParseError, aws.ConfigNotFound)):
        return f"AWS's configuration file cannot be read: {one_line(error)}"
    return one_line(error)
