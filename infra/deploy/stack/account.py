"""The account, Region and clients of a deployment."""

import os

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from errors import LOG_IN, Stop, explained

# A call that gets no answer must end in seconds. AWS_ENDPOINT_URL is read by botocore.
CALLS = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
# The first call shows that AWS cannot be reached at all.
FIRST_CALL = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 1})


def region_of(settings, environment, session):
    """The Region: that of samconfig.toml, else of the environment, else of the profile.

    botocore reads AWS_DEFAULT_REGION only; the SDKs and Lambda use AWS_REGION."""
    names = [environment.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    found = [name for name in dict.fromkeys(names) if name]
    if settings["region"]:
        return settings["region"]
    if len(found) > 1:
        raise Stop(f"AWS_REGION={names[0]} and AWS_DEFAULT_REGION={names[1]} differ: unset one of them")
    region = found[0] if found else session.region_name
    if not region:
        raise Stop("no Region is set: export AWS_REGION=eu-west-1, or add region to the section of samconfig.toml or to the profile")
    return region


def connect(settings, environment=os.environ):
    """A session in the Region of the deployment."""
    try:
        session = boto3.Session(profile_name=settings["profile"])
        region = region_of(settings, environment, session)
        if not session.get_partition_for_region(region):
            raise Stop(f"{region} is not a Region")
        return boto3.Session(profile_name=settings["profile"], region_name=region)
    except BotoCoreError as error:
        raise Stop(explained(error)) from error


def require_credentials(settings):
    """NoCredentialsError where there are none. Only a call shows whether they are valid, and it needs a Region."""
    if boto3.Session(profile_name=settings["profile"]).get_credentials() is None:
        raise NoCredentialsError


def client(session, service, config=CALLS):
    try:
        return session.client(service, config=config)
    except ValueError as error:  # an AWS_ENDPOINT_URL that is no URL
        raise Stop(f"AWS_ENDPOINT_URL is not a URL: {error}") from error


def identify(session):
    """The id of the account that the credentials belong to."""
    try:
        return client(session, "sts", FIRST_CALL).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise Stop(explained(error)) from error
    except RuntimeError as error:  # AWS_CREDENTIAL_EXPIRATION is over
        raise Stop(f"the AWS credentials have expired: {LOG_IN}") from error
