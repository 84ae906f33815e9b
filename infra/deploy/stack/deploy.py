"""Deploys a stack with `sam deploy`: parameters, protection, and what a failure means."""

import os
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

import account
import cloudformation as cfn
import parameters
import statuses
import template as templates
from errors import Stop, explained
from settings import ROOT, command

SAM = Path(sys.executable).with_name("sam")
PROTECTION = "DeletionProtection"


def is_protected(stack):
    return cfn.parameter(stack, PROTECTION) == "true"


def protect(stack, cloudformation):
    """Turns CloudFormation's termination protection on while the tables are protected, and off otherwise."""
    if bool(stack.get("EnableTerminationProtection")) != is_protected(stack):
        cloudformation.update_termination_protection(
            StackName=stack["StackName"], EnableTerminationProtection=is_protected(stack)
        )
        print(f"termination protection of {stack['StackName']} is {'on' if is_protected(stack) else 'off'}")


def repair(plan, cloudformation):
    """Brings a stack that a deployment left unfinished into a state that can be deployed to."""
    stack, settings = plan["stack"], plan["settings"]
    action, reason = statuses.before_deploy(stack and stack["StackStatus"])
    if reason:
        print(statuses.sentence(stack["StackName"], stack["StackStatus"], reason, {}), flush=True)
    if action == "recreate":
        if stack.get("EnableTerminationProtection"):
            cloudformation.update_termination_protection(StackName=stack["StackName"], EnableTerminationProtection=False)
        cloudformation.delete_stack(StackName=stack["StackId"])
        stack = cfn.settled(cloudformation, stack["StackId"])
        if stack:
            raise Stop(failed(plan, cloudformation, stack, "could not be deleted", None))
    elif action in ("continue", "rollback"):
        last = cfn.last_event(cloudformation, stack["StackId"])
        roll_back = cloudformation.continue_update_rollback if action == "continue" else cloudformation.rollback_stack
        roll_back(StackName=stack["StackId"])
        stack = cfn.settled(cloudformation, stack["StackId"])
        if stack["StackStatus"] not in statuses.UPDATABLE:
            raise Stop(unfinished_rollback(cloudformation, stack, settings, last))
    return plan | {"stack": stack}


def unfinished_rollback(cloudformation, stack, settings, last):
    """What to do about resources that cannot be rolled back."""
    name = stack["StackName"]
    found = cfn.events(cloudformation, stack["StackId"])
    lines = cfn.failures(cfn.events(cloudformation, stack["StackId"], last)) or cfn.failures(cfn.latest_operation(found))
    skipped = " ".join(line.split()[0] for line in lines) or "LOGICAL_IDS"
    return "\n".join([
        f"{name} is {stack['StackStatus']}: these resources could not be rolled back:", *lines,
        f"Correct what the reasons name and run {command(settings, 'deploy')} again, or leave them as they are:",
        cfn.aws_command(stack, "continue-update-rollback", "--resources-to-skip", skipped),
    ])


def values_file(settings):
    """Where SAM reads the parameters: for each stack its own, because two may be deployed at once."""
    return ROOT / f".aws-sam/parameters-{settings['stack_name']}.yaml"


def sam_command(plan, folder, asks):
    settings = plan["settings"]
    options = [
        "--config-file", str(ROOT / settings["config"]), "--config-env", settings["environment"],
        "--template-file", str(folder / "template.yaml"), "--stack-name", settings["stack_name"],
        "--s3-prefix", settings["prefix"], "--region", plan["region"],
        "--parameter-overrides", f"file://{values_file(settings)}", "--no-fail-on-empty-changeset",
        "--confirm-changeset" if asks else "--no-confirm-changeset",
    ]
    if not settings["bucket"]:
        options.append("--resolve-s3")
    if not sys.stdout.isatty():
        options.append("--no-progressbar")  # a line for each step of each upload
    capabilities = settings["capabilities"]
    options += ["--capabilities", *(capabilities.split() if isinstance(capabilities, str) else capabilities)]
    return [str(SAM), "deploy", *options]


def sam_deploy(plan, folder, values, asks=False):
    """One change set of `sam deploy`. Returns the stack that it leaves; Stop if it fails or is declined."""
    cloudformation = account.client(plan["session"], "cloudformation")
    name, before = plan["settings"]["stack_name"], plan["stack"]
    last = cfn.last_event(cloudformation, before["StackId"]) if before else None
    older = {one["ChangeSetId"] for one in cfn.change_sets(cloudformation, name)}
    file = values_file(plan["settings"])
    parameters.write(values, file)
    variables = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": plan["region"]}
    try:
        status = subprocess.run(sam_command(plan, folder, asks), cwd=ROOT, env=variables).returncode
    finally:
        file.unlink(missing_ok=True)
    stack = cfn.described(cloudformation, name)
    if stack and cfn.is_busy(stack):
        stack = cfn.settled(cloudformation, stack["StackId"])
    made = [one for one in cfn.change_sets(cloudformation, name) if one["ChangeSetId"] not in older]
    if asks and any(one.get("ExecutionStatus") == "AVAILABLE" for one in made):
        discard(cloudformation, stack, made)
        raise Stop(f"the change set was declined; {name} was not changed")
    has_failed = status or stack is None or stack["StackStatus"] not in statuses.UPDATABLE
    message = failed(plan, cloudformation, stack, "was not deployed", last, made) if has_failed else ""
    discard(cloudformation, stack, [one for one in made if one.get("Status") == "FAILED"])
    if has_failed:
        raise Stop(message)
    return stack


def discard(cloudformation, stack, made):
    """Deletes change sets that will not be executed, and the empty stack that one of them made."""
    for one in made:
        cloudformation.delete_change_set(ChangeSetName=one["ChangeSetId"], StackName=one["StackId"])
    if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS" and not cfn.change_sets(cloudformation, stack["StackId"]):
        cloudformation.delete_stack(StackName=stack["StackId"])


def failed(plan, cloudformation, stack, what, last, made=()):
    """Why a deployment failed, by the reasons of the resources, and what to do now."""
    settings, name = plan["settings"], plan["settings"]["stack_name"]
    if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        stack = None  # there is only a change set
    lines = cfn.failures(cfn.events(cloudformation, stack["StackId"], last)) if stack else []
    for one in [one for one in made if one.get("Status") == "FAILED" and not lines]:
        lines = cfn.change_set_failures(cloudformation, one)
    text = [f"{name} {what}" + (f" and is {stack['StackStatus']}" if stack else "") + (":" if lines else "; see SAM's message above"), *lines]
    again = command(settings, "deploy")
    action, reason = statuses.before_deploy(stack and stack["StackStatus"])
    if action == "stop":
        commands = {"again": again, "destroy": command(settings, "destroy")}
        text.append(statuses.sentence(name, stack["StackStatus"], reason, commands))
    elif stack and stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE":
        text.append(f"The stack is as it was before. Correct the cause, then run {again} again.")
    elif reason:
        text.append(f"Correct the cause, then run {again} again: {reason}.")
    else:
        text.append(f"Correct the cause, then run {again} again.")
    return "\n".join(text)


def show_changes(plan, values):
    """Prints which parameters the deployment changes."""
    stack, declared = plan["stack"], plan["template"].get("Parameters", {})
    is_new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    before = templates.defaults(declared) if is_new else parameters.deployed(stack)
    lines = parameters.changes(before, values, declared)
    if lines:
        print("parameters that differ from the template's defaults:" if is_new else "parameters that change:")
        print("\n".join(lines), flush=True)
    elif not is_new:
        print("no parameter changes", flush=True)


def deploy(plan, folder):
    """Deploys the build in `folder` and returns the stack."""
    cloudformation = account.client(plan["session"], "cloudformation")
    settings, stack = plan["settings"], plan["stack"]
    is_new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    values = current_values(plan)
    show_changes(plan, values)
    asks = settings["asks_before_deploy"] and not settings["confirm"]
    if is_new and values.get(PROTECTION) == "true":
        # A failed creation must be able to delete its tables: CloudFormation cannot delete a protected one, and leaves
        # the stack in ROLLBACK_FAILED, which can be neither updated nor created again.
        print(f"{settings['stack_name']} is created first and protected by a second change set", flush=True)
        plan = plan | {"stack": sam_deploy(plan, folder, values | {PROTECTION: "false"}, asks)}
        return protected(plan, folder, cloudformation)
    protect(sam_deploy(plan, folder, values, asks), cloudformation)
    return cfn.described(cloudformation, settings["stack_name"])


def protected(plan, folder, cloudformation):
    """The second change set of a new stack, which protects it."""
    name = plan["settings"]["stack_name"]
    try:
        protect(sam_deploy(plan, folder, current_values(plan)), cloudformation)
    except (Stop, BotoCoreError, ClientError) as error:
        reason = str(error) if isinstance(error, Stop) else explained(error)
        raise Stop(f"{reason}\n{name} was created, but it is not protected from deletion yet: "
                   f"{command(plan['settings'], 'deploy')} does that.") from error
    return cfn.described(cloudformation, name)


def current_values(plan):
    """The values of all parameters, with the secret's current version: a new one reaches the functions with it."""
    version = cfn.secret_version(plan["stack"], account.client(plan["session"], "secretsmanager"))
    if version and "TokenSecretVersion" in plan["template"].get("Parameters", {}):
        return plan["values"] | {"TokenSecretVersion": version}
    return plan["values"]
