"""What `make deploy` and `make destroy` ask of the stack of an environment that is there, and tell it, in AWS.

    stack.py secret-version ENVIRONMENT   prints TokenSecretVersion=ID of the value that the stack's secret has, if any
    stack.py protect ENVIRONMENT          turns termination protection on or off, as DeletionProtection is
    stack.py may-be-deleted ENVIRONMENT   ends with what to do first where the stack is protected
"""

import sys
import tomllib
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

CONFIG = Path(__file__).parent / "samconfig.toml"


def described(cloudformation, name):
    """What CloudFormation says of the stack, or None where there is none."""
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
    """Why the stack is not deleted and the way out, or None. DynamoDB would refuse its tables alone, and too late:
    CloudFormation deletes functions, routes and permissions first, and none of them comes back."""
    if stack is None or not (is_protected(stack) or stack.get("EnableTerminationProtection")):
        return None
    return (
        f"{stack['StackName']} is protected, and nothing was deleted.\n"
        "To delete it with everything in it, first take its protection away:\n"
        f"  1. in infra/deploy/samconfig.toml, {environment}: DeletionProtection=false\n"
        f"  2. make deploy ENVIRONMENT={environment}\n"
        f"  3. make destroy ENVIRONMENT={environment}"
    )


def secret_version(stack, secrets):
    """The parameter that names the value which the stack's secret has, or None before the first deployment."""
    outputs = {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", [])}
    if "TokenSecret" not in outputs:
        return None
    versions = secrets.describe_secret(SecretId=outputs["TokenSecret"])["VersionIdsToStages"]
    current = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
    return f"TokenSecretVersion={current[0]}"


def protect(stack, cloudformation):
    """Has CloudFormation itself refuse to delete the stack, whoever asks, for as long as its tables are protected."""
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
    elif command == "protect":
        protect(stack, cloudformation)
    elif command == "may-be-deleted":
        sys.exit(refusal(stack, environment))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
