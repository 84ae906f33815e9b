"""Checks what the parameters ask for against the account's quotas, which CloudFormation meets only halfway.

Each check returns a sentence about what is too much, or None; a quota that cannot be read is the caller's warning."""

from botocore.exceptions import ClientError

from cloudformation import parameter
from errors import code_of

# What Lambda keeps for the functions of an account without a reservation. `ingest` and `rollup` are among them.
UNRESERVED_MIN = 100
# Fewer concurrent executions than this are those of a new account, too few for more than a trial: a frame takes one.
FEW_EXECUTIONS = 100
# Service Quotas' codes of API Gateway's "Throttle rate" and "Throttle burst rate", which count all APIs of the account
# in the Region, by the end of a parameter's name. The throttle of a stage or a route cannot exceed them.
THROTTLES = {"ThrottlingRate": "L-8A5B8E43", "ThrottlingBurst": "L-CDF5615A"}


def whole(text):
    try:
        return int(float(text or 0))
    except ValueError:
        return 0


def concurrency_fault(stack, wanted, lambdas):
    """Why the account cannot reserve `wanted`, executions by parameter, or None."""
    wanted = {key: whole(value) for key, value in wanted.items()}
    total = sum(wanted.values())
    if total == 0:
        return None
    deployed = sum(whole(parameter(stack, key)) for key in wanted) if stack else 0
    limits = lambdas.get_account_settings()["AccountLimit"]
    left = limits["UnreservedConcurrentExecutions"] + deployed - UNRESERVED_MIN
    if total <= left:
        return None
    asked = " ".join(f"{key}={value}" for key, value in wanted.items() if value)
    return (
        f"{asked} reserves {total} concurrent executions, and this account can reserve {max(left, 0)}: it has "
        f"{limits['ConcurrentExecutions']} in this Region, of which Lambda keeps {UNRESERVED_MIN} for functions without a "
        "reservation; reserve less, or ask for more (Service Quotas, AWS Lambda, Concurrent executions)"
    )


def concurrency_warning(lambdas):
    """A warning for an account that can run only few functions at once, or None."""
    most = lambdas.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if most >= FEW_EXECUTIONS:
        return None
    return (
        f"this account runs at most {most} functions at once, as new accounts do, and each report takes one: "
        "ask for 1,000 (Service Quotas, AWS Lambda, Concurrent executions)"
    )


def quota(quotas, code):
    """The account's value of an API Gateway quota, or AWS's default where it was never changed."""
    try:
        return quotas.get_service_quota(ServiceCode="apigateway", QuotaCode=code)["Quota"]["Value"]
    except ClientError as error:
        if code_of(error) != "NoSuchResourceException":
            raise
    return quotas.get_aws_default_service_quota(ServiceCode="apigateway", QuotaCode=code)["Quota"]["Value"]


def throttle_fault(values, quotas):
    """Why API Gateway would reject the throttles of the parameters, or None."""
    over = []
    for suffix, code in THROTTLES.items():
        wanted = {name: whole(value) for name, value in values.items() if name.endswith(suffix)}
        most = quota(quotas, code) if wanted else 0
        over += [f"{name}={value} exceeds the account's {int(most)}" for name, value in wanted.items() if value > most]
    if not over:
        return None
    return f"{' and '.join(over)} in this Region: lower it, or ask for more (Service Quotas, Amazon API Gateway, Throttle rate)"


def access_log_fault(values, apis):
    """Why API Gateway could not write access logs, or None: it needs a role that is set once for the account."""
    if values.get("AccessLogs") != "on" or apis.get_account().get("cloudwatchRoleArn"):
        return None
    return (
        "AccessLogs=on needs the account's CloudWatch role for API Gateway: set it once for the Region "
        "(aws apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN), or use AccessLogs=off"
    )
