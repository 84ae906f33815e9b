"""Reads stacks, their events and change sets, and waits for them."""

import os
import time

from botocore.exceptions import BotoCoreError, ClientError

from errors import Stop

# Seconds between two looks at a stack, as SAM names the variable.
POLL_SECONDS = float(os.environ.get("SAM_CLI_POLL_DELAY") or 5)
# A table with much data takes minutes to delete; an hour is the longest that SAM waits too.
WAIT_SECONDS_MAX = 3600
# Parameters that every version of the template has, and no other template.
OWN_PARAMETERS = ("RawRetentionHours", "TokenAudience", "RollupWindowSeconds", "OpenRouteThrottlingRate")
# Reasons of resources that failed only because another did.
CONSEQUENCES = ("cancelled", "The following resource(s) failed")


def described(cloudformation, name):
    """The description of the stack, or None where there is none."""
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def parameter(stack, key):
    return next((one.get("ParameterValue", "") for one in stack.get("Parameters", []) if one["ParameterKey"] == key), "")


def outputs(stack):
    return {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", [])}


def secret_version(stack, secrets):
    """The id of the current version of the stack's secret, or None before the first deployment."""
    arn = outputs(stack).get("TokenSecret")
    if not arn:
        return None
    versions = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    return next((version for version, stages in versions.items() if "AWSCURRENT" in stages), None)


def is_of_another_application(stack):
    """Whether the stack was made from a template that is not this project's. One that was never created has no parameters."""
    return bool(stack) and stack["StackStatus"] != "REVIEW_IN_PROGRESS" and not any(parameter(stack, key) for key in OWN_PARAMETERS)


def aws_command(stack, operation, *options):
    """A line with a command of the `aws` program on this stack, to print."""
    region = stack["StackId"].split(":")[3]
    return " ".join(["  aws cloudformation", operation, "--region", region, "--stack-name", stack["StackName"], *options])


def is_busy(stack):
    """Whether CloudFormation is changing the stack. REVIEW_IN_PROGRESS waits for a person."""
    status = stack["StackStatus"]
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def settled(cloudformation, stack_id):
    """The stack after CloudFormation's work on it has ended, None if it is deleted."""
    for _ in range(int(WAIT_SECONDS_MAX / POLL_SECONDS)):
        stack = described(cloudformation, stack_id)
        if stack is None or not is_busy(stack):
            return stack
        time.sleep(POLL_SECONDS)
    raise Stop("CloudFormation is still at work after an hour: run this again when it has ended")


def events(cloudformation, stack_id, until=None):
    """The stack's events, newest first, that are newer than the event with the id `until`."""
    found = []
    try:
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if event["EventId"] == until:
                    return found
                found.append(event)
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
    return found


def last_event(cloudformation, stack_id):
    newest = events(cloudformation, stack_id)[:1]
    return newest[0]["EventId"] if newest else None


def latest_operation(found):
    """The events, newest first, of the last operation on the stack; it begins with an event of the stack itself."""
    for index, event in enumerate(found):
        starts = event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
        if starts and event.get("PhysicalResourceId") == event["StackId"]:
            return found[: index + 1]
    return found


def failures(found):
    """Lines with the reason of each resource that failed by itself, oldest first."""
    lines = []
    for event in reversed(found):
        reason = " ".join(event.get("ResourceStatusReason", "").split())
        is_stack = event.get("PhysicalResourceId") == event["StackId"]
        if not event["ResourceStatus"].endswith("_FAILED") or is_stack or any(one in reason for one in CONSEQUENCES):
            continue
        lines.append(f"  {event['LogicalResourceId']} ({event['ResourceType']}): {reason or 'no reason given'}")
    return list(dict.fromkeys(lines))


def resources(cloudformation, stack_id):
    """The resources of a stack that exist: (logical id, type, physical id, status) of each."""
    found = []
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id):
        for one in page["StackResourceSummaries"]:
            if one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId"):
                found.append((one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"], one["ResourceStatus"]))
    return found


def change_sets(cloudformation, name):
    """The stack's change sets that were not executed, oldest first."""
    try:
        pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=name)
        found = [one for page in pages for one in page["Summaries"]]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return []
        raise
    return sorted(found, key=lambda one: str(one.get("CreationTime", "")))


def change_set_failures(cloudformation, change_set):
    """Lines with the reasons of a change set that could not be created, CloudFormation's early validation included."""
    lines = [f"  {' '.join(change_set.get('StatusReason', '').split())}"]
    try:
        found = cloudformation.describe_events(ChangeSetName=change_set["ChangeSetId"], Filters={"FailedEvents": True})
    except (BotoCoreError, ClientError):
        return lines
    for event in found.get("OperationEvents", []):
        reason = event.get("ValidationStatusReason") or event.get("HookStatusReason") or event.get("ResourceStatusReason")
        if reason and event.get("LogicalResourceId"):
            lines.append(f"  {event['LogicalResourceId']} ({event.get('ResourceType', '')}): {' '.join(reason.split())}")
    return lines
