"""Fakes of AWS's services for the tests of `make deploy` and `make destroy`: they record calls and play back statuses."""

import sys
from pathlib import Path

from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "infra/deploy/stack"))

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/nsl/1"


def failure(code, message="", operation="Operation"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def missing(name):
    return failure("ValidationError", f"Stack with id {name} does not exist", "DescribeStacks")


def stack_of(status, parameters=None, termination=False, outputs=None):
    values = {"RawRetentionHours": "48", **(parameters or {})}
    return {
        "StackName": "nsl", "StackId": STACK_ID, "StackStatus": status, "EnableTerminationProtection": termination,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()],
    }


def event(number, resource, status, reason="", kind="AWS::DynamoDB::Table"):
    physical = STACK_ID if resource == "nsl" else resource
    return {"EventId": str(number), "StackId": STACK_ID, "LogicalResourceId": resource, "PhysicalResourceId": physical,
            "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason}


class Pages:
    def __init__(self, pages):
        self.pages = pages

    def paginate(self, **_):
        return self.pages()


class FakeCloudFormation:
    """One stack. `after` has what its statuses are, one after the other, after a call; None is a deleted stack."""

    def __init__(self, stack=None, after=None, resources=(), template=None):
        self.stack, self.after, self.next, self.calls = stack, after or {}, [], []
        self.found_events, self.found_change_sets = [], []
        self.found_resources, self.template = list(resources), template or {"Resources": {}}

    def record(self, name, **arguments):
        self.calls.append(name)
        outcome = self.after.get(name, [])
        if isinstance(outcome, Exception):
            raise outcome
        self.next = list(outcome)

    def describe_stacks(self, StackName):
        if self.next:
            status = self.next.pop(0)
            self.stack = None if status is None else {**(self.stack or stack_of(status)), "StackStatus": status}
        if isinstance(self.stack, Exception):
            raise self.stack
        if self.stack is None or StackName not in (self.stack["StackName"], self.stack["StackId"]):
            raise missing(StackName)
        return {"Stacks": [self.stack]}

    def get_paginator(self, operation):
        return Pages({
            "describe_stack_events": lambda: [{"StackEvents": self.found_events}],
            "list_change_sets": lambda: [{"Summaries": self.found_change_sets}],
            "list_stack_resources": lambda: [{"StackResourceSummaries": [
                {"LogicalResourceId": name, "ResourceType": kind, "PhysicalResourceId": name.lower(), "ResourceStatus": "CREATE_COMPLETE"}
                for name, kind in self.found_resources
            ]}],
        }[operation])

    def get_template(self, StackName, TemplateStage):
        return {"TemplateBody": self.template}

    def describe_events(self, ChangeSetName, Filters):
        raise failure("AccessDenied")

    def delete_stack(self, **arguments):
        self.record("delete_stack", **arguments)

    def continue_update_rollback(self, **arguments):
        self.record("continue_update_rollback", **arguments)

    def rollback_stack(self, **arguments):
        self.record("rollback_stack", **arguments)

    def delete_change_set(self, ChangeSetName, StackName):
        self.found_change_sets = [one for one in self.found_change_sets if one["ChangeSetId"] != ChangeSetName]
        self.record("delete_change_set")

    def update_termination_protection(self, StackName, EnableTerminationProtection):
        self.calls.append(f"termination protection {EnableTerminationProtection}")


class FakeLambda:
    def __init__(self, limit=1000, unreserved=1000):
        self.limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}

    def get_account_settings(self):
        return {"AccountLimit": self.limits}


class FakeQuotas:
    def __init__(self, rate=10000.0, burst=5000.0, changed=True):
        self.values, self.changed = {"L-8A5B8E43": rate, "L-CDF5615A": burst}, changed

    def get_service_quota(self, ServiceCode, QuotaCode):
        if not self.changed:
            raise failure("NoSuchResourceException")
        return {"Quota": {"Value": self.values[QuotaCode]}}

    def get_aws_default_service_quota(self, ServiceCode, QuotaCode):
        return {"Quota": {"Value": self.values[QuotaCode]}}


class FakeGateway:
    def __init__(self, role="arn:aws:iam::123456789012:role/logs"):
        self.role = role

    def get_account(self):
        return {"cloudwatchRoleArn": self.role} if self.role else {}


class FakeTopics:
    def __init__(self, error=None):
        self.error = error

    def get_topic_attributes(self, TopicArn):
        if self.error:
            raise self.error


class FakeSecrets:
    def describe_secret(self, SecretId):
        return {"VersionIdsToStages": {"old": ["AWSPREVIOUS"], "new": ["AWSCURRENT"]}}


class FakeTables:
    """Tables by name, each with whether it is protected from deletion."""

    def __init__(self, **protected):
        self.protected = protected

    def describe_table(self, TableName):
        if TableName not in self.protected:
            raise failure("ResourceNotFoundException")
        return {"Table": {"DeletionProtectionEnabled": self.protected[TableName], "TableStatus": "ACTIVE"}}

    def update_table(self, TableName, DeletionProtectionEnabled):
        self.protected[TableName] = DeletionProtectionEnabled


class FakeBucket:
    """Objects by key, one version each."""

    def __init__(self, keys=(), error=None):
        self.keys, self.error = list(keys), error

    def get_paginator(self, operation):
        return self

    def paginate(self, Bucket, Prefix):
        if self.error:
            raise self.error
        return [{"Versions": [{"Key": key, "VersionId": "1"} for key in self.keys if key.startswith(Prefix)]}]

    def delete_objects(self, Bucket, Delete):
        gone = {one["Key"] for one in Delete["Objects"]}
        self.keys = [key for key in self.keys if key not in gone]


class FakeSts:
    def __init__(self, error=None):
        self.error = error

    def get_caller_identity(self):
        if self.error:
            raise self.error
        return {"Account": "123456789012"}


class FakeSession:
    """A session whose clients are fakes; those that are not given find nothing wrong."""

    def __init__(self, cloudformation=None, region="eu-west-1", **clients):
        self.region_name = region
        self.clients = {
            "cloudformation": cloudformation or FakeCloudFormation(), "lambda": FakeLambda(), "service-quotas": FakeQuotas(),
            "apigateway": FakeGateway(), "sns": FakeTopics(), "secretsmanager": FakeSecrets(), "dynamodb": FakeTables(),
            "s3": FakeBucket(), "sts": FakeSts(), **{name.replace("_", "-"): client for name, client in clients.items()},
        }

    def client(self, service, config=None):
        return self.clients[service]


def settings_of(environment="prod", name="nsl", **changes):
    return {
        "environment": environment, "config": "infra/deploy/samconfig.toml", "stack_name": name, "twins": [], "region": None, "profile": None,
        "bucket": "bucket", "prefix": name, "capabilities": "CAPABILITY_IAM", "asks_before_deploy": False,
        "asks_before_delete": environment != "dev", "overrides": [], "architecture": None, "build": None, "confirm": None,
    } | changes
