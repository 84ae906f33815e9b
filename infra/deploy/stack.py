"""Reads and protects the deployed stack of an environment, for `make deploy` and `make destroy`.

    stack.py secret-version ENVIRONMENT   prints TokenSecretVersion=ID, the current version of the stack's secret, if any
    stack.py protect ENVIRONMENT          turns termination protection on or off, like DeletionProtection
    stack.py concurrency ENVIRONMENT      fails where the account has too little concurrency for what would be reserved
    stack.py may-be-deleted ENVIRONMENT   fails where the stack is protected and prints what to do first
"""

import sys
import tomllib
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

CONFIG = Path(__file__).parent / "samconfig.toml"

# The parameters that reserve concurrency for a function; 0 reserves none.
RESERVATIONS = ("HistoryConcurrency", "SessionConcurrency", "AuthorizeConcurrency")
# What Lambda keeps for the functions of an account without a reservation. `ingest` and `rollup` are among them.
UNRESERVED_MIN = 100


def described(cloudformation, name):
    """The description of the stack from CloudFormation, or None where there is none."""
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def parameter(stack, key):
    return next((one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == key), "")


def is_protected(stack):
    return parameter(stack, "DeletionProtection") == "true"


def refusal(stack, environment):
    """Why the stack must not be deleted and how to allow it, or None. DynamoDB would only protect its tables, after
    CloudFormation has deleted functions, routes and permissions, which it does not restore."""
    if stack is None or not (is_protected(stack) or stack.get("EnableTerminationProtection")):
        return None
    return (
        f"{stack['StackName']} is protected, nothing was deleted.\n"
        "To delete it with all its data, remove the protection first:\n"
        f"  1. in infra/deploy/samconfig.toml, {environment}: DeletionProtection=false\n"
        f"  2. make deploy ENVIRONMENT={environment}\n"
        f"  3. make destroy ENVIRONMENT={environment}"
    )


def secret_version(stack, secrets):
    """The parameter with the current version of the stack's secret, or None before the first deployment."""
    outputs = {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", [])}
    if "TokenSecret" not in outputs:
        return None
    versions = secrets.describe_secret(SecretId=outputs["TokenSecret"])["VersionIdsToStages"]
    current = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
    return f"TokenSecretVersion={current[0]}"


def reservations(overrides):
    """What the KEY=VALUE parameters reserve, by parameter."""
    values = dict(line.split("=", 1) for line in overrides if "=" in line)
    return {key: int(values.get(key) or 0) for key in RESERVATIONS}


def concurrency_fault(stack, overrides, lambdas):
    """Why the account cannot reserve what the parameters ask for, or None. CloudFormation would fail halfway."""
    wanted = reservations(overrides)
    total = sum(wanted.values())
    if total == 0:
        return None
    deployed = sum(int(parameter(stack, key) or 0) for key in RESERVATIONS) if stack else 0
    limits = lambdas.get_account_settings()["AccountLimit"]
    left = limits["UnreservedConcurrentExecutions"] + deployed - UNRESERVED_MIN
    if total <= left:
        return None
    asked = " ".join(f"{key}={value}" for key, value in wanted.items() if value)
    return (
        f"{asked} reserves {total} concurrent executions; this account can reserve {max(left, 0)}, nothing was deployed.\n"
        f"It has {limits['ConcurrentExecutions']} in this region, and Lambda keeps {UNRESERVED_MIN} for functions without a reservation.\n"
        "Reserve less in infra/deploy/samconfig.toml, or ask AWS for more (Service Quotas, Lambda, Concurrent executions)."
    )


def protect(stack, cloudformation):
    """Turns CloudFormation's termination protection on while the tables are protected, and off otherwise."""
    if stack is not None and bool(stack.get("EnableTerminationProtection")) != is_protected(stack):
        cloudformation.update_termination_protection(
            StackName=stack["StackName"], EnableTerminationProtection=is_protected(stack)
        )
        print(f"termination protection of {stack['StackName']} is {'on' if is_protected(stack) else 'off'}")


def main(command, environment):
    with open(CONFIG, "rb") as file:
        settings = tomllib.load(file)[environment]["deploy"]["parameters"]
    session = boto3.Session(profile_name=settings.get("profile"), region_name=settings.get("region"))
    cloudformation = session.client("cloudformation")
    stack = described(cloudformation, settings["stack_name"])
    if command == "secret-version":
        print(secret_version(stack, session.client("secretsmanager")) or "")
    elif command == "concurrency":
        sys.exit(concurrency_fault(stack, settings["parameter_overrides"], session.client("lambda")))
    elif command == "protect":
        protect(stack, cloudformation)
    elif command == "may-be-deleted":
        sys.exit(refusal(stack, environment))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
