"""Deletes a stack and its own objects, unless it is protected, and prints what stays."""

import sys
import time

from botocore.exceptions import BotoCoreError, ClientError

import account
import artifacts
import cloudformation as cfn
import parameters
import statuses
import template as templates
from deploy import is_protected
from errors import Stop, explained, is_denied
from preflight import SAM_STACK, another_application, confirmation_fault
from settings import command

TABLE = "AWS::DynamoDB::Table"
RETAINED = ("Retain", "RetainExceptOnCreate", "Snapshot")


def refusal(stack, settings):
    """Why the stack must not be deleted and how to allow it, or None. DynamoDB would only protect its tables, after
    CloudFormation has deleted functions, routes and permissions, which it does not restore.

    A stack that was never deployed has no data, and a deletion that began cannot be undone."""
    if stack["StackStatus"] in (*statuses.NEVER_DEPLOYED, "DELETE_FAILED"):
        return None
    if not (is_protected(stack) or stack.get("EnableTerminationProtection")):
        return None
    return protected_message(stack["StackName"], settings, "is protected")


def protected_message(name, settings, why):
    return (
        f"{name} {why}, nothing was deleted.\n"
        "To delete it, remove the protection first:\n"
        f"  1. in {settings['config']}, {settings['environment']}: DeletionProtection=false,\n"
        "     and RetainData=false if its data is to be deleted too\n"
        f"  2. {command(settings, 'deploy')}\n"
        f"  3. {command(settings, 'destroy')}"
    )


def by_hand_message(stack, tables, settings):
    """What to do about tables that were protected outside of the stack: a deployment would not notice a difference."""
    region = stack["StackId"].split(":")[3]
    return "\n".join([
        f"{stack['StackName']} has tables that were protected by hand, nothing was deleted. To delete them with all their data:",
        *(f"  aws dynamodb update-table --region {region} --table-name {name} --no-deletion-protection-enabled" for _, name in tables),
        f"  {command(settings, 'destroy')}",
    ])


def protected_tables(dynamodb, resources):
    """(logical id, name) of the stack's tables that DynamoDB does not delete."""
    found = []
    for logical, kind, name, _ in resources:
        if kind != TABLE:
            continue
        try:
            table = dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                continue
            if is_denied(error):
                print(f"warning: whether {name} is protected could not be checked: {explained(error)}", file=sys.stderr)
                continue
            raise
        # MiniStack returns the text of the template.
        if str(table.get("DeletionProtectionEnabled")).lower() == "true":
            found.append((logical, name))
    return found


def unprotect(dynamodb, tables):
    for _, name in tables:
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        print(f"deletion protection of {name} is off", flush=True)
    for _, name in tables:
        while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "UPDATING":
            time.sleep(cfn.POLL_SECONDS)


def retained(cloudformation, stack, resources):
    """(logical id, physical id) of the resources that the template keeps when the stack is deleted."""
    template = cloudformation.get_template(StackName=stack["StackId"], TemplateStage="Processed")["TemplateBody"]
    if not isinstance(template, dict):
        return []
    policies = templates.deletion_policies(template, parameters.deployed(stack))
    return [(logical, name) for logical, _, name, _ in resources if policies.get(logical) in RETAINED]


def announce(stack, reason, region, identity, resources, kept, bucket, prefix):
    """Prints what is deleted and what stays."""
    name = stack["StackName"]
    print(f"{name} ({stack['StackStatus']}) in {region}, account {identity}" + (f": {reason}" if reason else ""))
    gone = [kind for logical, kind, physical, _ in resources if (logical, physical) not in kept]
    print(f"  deletes {len(gone)} resources, {gone.count(TABLE)} of them tables with their data")
    if bucket:
        print(f"  deletes the stack's code, s3://{bucket}/{prefix}/")
    for logical, physical in kept:
        print(f"  keeps   {logical}, {physical} (by its DeletionPolicy)")
    for physical in [physical for logical, kind, physical, _ in resources if kind == TABLE and (logical, physical) in kept]:
        print(f"          to delete it later: aws dynamodb delete-table --table-name {physical} --region {region}")
    if bucket:
        print(f"  keeps   the bucket {bucket}, which the Region's stacks share")
    sys.stdout.flush()


def require_confirmation(settings, asks, has_terminal, what):
    """Stop where the person must be asked and cannot be, or has named another stack."""
    if fault := confirmation_fault(settings, asks, has_terminal, what):
        raise Stop(f"{fault}; nothing was deleted")


def confirm(settings, asks, read=input):
    """Asks for the name of the stack, unless CONFIRM has it."""
    name = settings["stack_name"]
    if settings["confirm"] == name or not asks:
        return
    try:
        answer = read(f"Type {name} to delete it: ")
    except EOFError:
        answer = ""
    if answer.strip() != name:
        raise Stop("not confirmed, nothing was deleted")


def locked_message(stack, tables):
    """What removing the protection of tables means, in a stack that can only be deleted."""
    lines = [f"These tables are protected from deletion: {', '.join(table for _, table in tables)}."]
    if stack["StackStatus"] == "DELETE_FAILED":
        keep = " ".join(logical for logical, _ in tables)
        lines += ["They may have data. To keep them and delete only the rest of the stack:",
                  cfn.aws_command(stack, "delete-stack", "--retain-resources", keep)]
    return "\n".join([*lines, "If you confirm, their protection is removed and they are deleted."])


def delete_stack(cloudformation, stack, settings):
    """Deletes the stack and waits; Stop with the reasons of what could not be deleted."""
    last = cfn.last_event(cloudformation, stack["StackId"])
    cloudformation.delete_stack(StackName=stack["StackId"])
    print(f"deleting {stack['StackName']}; this takes some minutes", flush=True)
    wait_deleted(cloudformation, stack, settings, last)


def wait_deleted(cloudformation, stack, settings, last=None):
    left = cfn.settled(cloudformation, stack["StackId"])
    if left is None:
        return
    lines = cfn.failures(cfn.latest_operation(cfn.events(cloudformation, stack["StackId"], last)))
    names = " ".join(line.split()[0] for line in lines) or "LOGICAL_IDS"
    raise Stop("\n".join([
        f"{left['StackName']} is {left['StackStatus']}: not everything could be deleted" + (":" if lines else ""), *lines,
        f"Correct what the reasons name, then run {command(settings, 'destroy')} again; or keep these resources:",
        cfn.aws_command(left, "delete-stack", "--retain-resources", names),
    ]))


def delete_objects(session, bucket, settings):
    """Deletes the stack's own objects; without the permission they stay, which costs cents."""
    if not bucket:
        return
    place = f"s3://{bucket}/{settings['prefix']}/"
    try:
        count = artifacts.delete(account.client(session, "s3"), bucket, settings["prefix"])
    except (BotoCoreError, ClientError) as error:
        print(f"warning: the objects in {place} were not deleted: {explained(error)}", file=sys.stderr)
        return
    if count:
        print(f"deleted {count} objects in {place}")


def destroy(settings, has_terminal=None, read=input):
    """Deletes the stack of the settings."""
    has_terminal = sys.stdin.isatty() if has_terminal is None else has_terminal
    require_confirmation(settings, False, has_terminal, "the deletion")
    session = account.connect(settings)
    identity, region = account.identify(session), session.region_name
    cloudformation = account.client(session, "cloudformation")
    name, stack = settings["stack_name"], cfn.described(cloudformation, settings["stack_name"])
    action, reason = statuses.before_destroy(stack and stack["StackStatus"])
    if action == "stop":
        raise Stop(statuses.sentence(name, stack["StackStatus"], reason, {"again": command(settings, "destroy")}))
    if cfn.is_of_another_application(stack):
        raise Stop(f"{another_application(settings)}; nothing was deleted")
    bucket = artifacts.bucket_of(cloudformation, settings, SAM_STACK)
    if action == "nothing":
        print(f"there is no stack {name} in {region}, account {identity}: nothing to delete")
    elif action == "wait":
        print(f"{name} is being deleted already; waiting", flush=True)
        wait_deleted(cloudformation, stack, settings)
    else:
        delete_what_is_there(session, stack, settings, bucket, identity, reason, has_terminal, read)
    delete_objects(session, bucket, settings)
    if action != "nothing":
        print(f"{name} is deleted")


def delete_what_is_there(session, stack, settings, bucket, identity, reason, has_terminal, read):
    """Asks, removes protection that only blocks, and deletes the stack."""
    cloudformation, dynamodb = account.client(session, "cloudformation"), account.client(session, "dynamodb")
    name, asks = stack["StackName"], settings["asks_before_delete"]
    if message := refusal(stack, settings):
        raise Stop(message)
    require_confirmation(settings, asks, has_terminal, "the deletion")
    resources = cfn.resources(cloudformation, stack["StackId"])
    kept = retained(cloudformation, stack, resources) if resources else []
    locked = [table for table in protected_tables(dynamodb, resources) if table not in kept]
    can_only_be_deleted = stack["StackStatus"] in (*statuses.NEVER_DEPLOYED, "DELETE_FAILED")
    if locked and not can_only_be_deleted:
        raise Stop(by_hand_message(stack, locked, settings))
    announce(stack, reason, session.region_name, identity, resources, kept, bucket, settings["prefix"])
    if locked:
        print(locked_message(stack, locked), flush=True)
        require_confirmation(settings, True, has_terminal, "removing the protection")
    confirm(settings, asks or bool(locked), read)
    unprotect(dynamodb, locked)
    if stack.get("EnableTerminationProtection"):
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    delete_stack(cloudformation, stack, settings)
