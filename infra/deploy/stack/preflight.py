"""Finds in seconds what would fail a deployment after minutes, and lists all of it at once."""

import sys

from botocore.exceptions import BotoCoreError, ClientError

import account
import cloudformation as cfn
import parameters
import quotas
import statuses
import template as templates
import toolchain
from errors import Stop, code_of, explained, is_denied
from settings import ROOT, command

# The stack of the bucket that SAM uploads to.
SAM_STACK = "aws-sam-cli-managed-default"


class Found:
    """Faults, which prevent the deployment, and warnings, which do not."""

    def __init__(self):
        self.faults, self.warnings = [], []

    def attempt(self, check, *arguments):
        """The result of a check; its failure is a fault."""
        try:
            return check(*arguments)
        except Stop as stop:
            self.faults.append(str(stop))
        except (BotoCoreError, ClientError) as error:
            self.faults.append(explained(error))
        return None

    def attempt_optional(self, what, check, *arguments):
        """Adds the fault that a check of the account returns; a check that cannot be made is a warning."""
        fault = self.tried(what, check, *arguments)
        self.faults += [fault] if fault else []

    def warn(self, what, check, *arguments):
        """Adds the warning that a check of the account returns."""
        warning = self.tried(what, check, *arguments)
        self.warnings += [warning] if warning else []

    def tried(self, what, check, *arguments):
        try:
            return check(*arguments)
        except (BotoCoreError, ClientError, Stop) as error:
            reason = str(error) if isinstance(error, Stop) else explained(error)
            return self.warnings.append(f"{what} could not be checked: {reason}")

    def stop_if_any(self, heading):
        if self.faults:
            raise Stop("\n".join([heading, *(f"  - {line}" for line in dict.fromkeys(self.faults))]))


def confirmation_fault(settings, asks, has_terminal, what):
    """Why the person cannot be asked, or None. CONFIRM names the stack instead of an answer."""
    name = settings["stack_name"]
    if settings["confirm"] and settings["confirm"] != name:
        return f"CONFIRM={settings['confirm']} is not the name of the stack, {name}"
    if asks and not settings["confirm"] and not has_terminal:
        return f"{what} asks for a confirmation, and there is no terminal: add CONFIRM={name}"
    return None


def region_faults(values, region):
    """A sentence for each ARN of the parameters that is in another Region than the stack."""
    faults = []
    for name, value in values.items():
        parts = value.split(":")
        if parts[0] == "arn" and len(parts) > 5 and parts[3] and parts[3] != region:
            faults.append(f"{name} is in {parts[3]}, the stack in {region}: name one in {region}")
    return faults


def topic_fault(values, region, notifications):
    """Why the topic of the alarms gets nothing, or None. CloudWatch accepts a topic that does not exist."""
    if not values.get("AlarmTopic") or region_faults({"AlarmTopic": values["AlarmTopic"]}, region):
        return None
    try:
        notifications.get_topic_attributes(TopicArn=values["AlarmTopic"])
    except ClientError as error:
        if is_denied(error):
            return None  # a topic of another account, or one that the deployer may not read
        if code_of(error) in ("NotFound", "NotFoundException", "InvalidParameter"):
            return f"AlarmTopic={values['AlarmTopic']} does not exist: create it, or correct its ARN"
        raise
    return None


def another_application(settings):
    name = settings["stack_name"]
    return f"{name} exists, and is a stack of another application: choose another stack_name in {settings['config']}"


def status_fault(stack, settings):
    """Why this stack cannot be deployed to, or None."""
    if cfn.is_of_another_application(stack):
        return another_application(settings)
    action, reason = statuses.before_deploy(stack and stack["StackStatus"])
    if action != "stop":
        return None
    commands = {"again": command(settings, "deploy"), "destroy": command(settings, "destroy")}
    return statuses.sentence(settings["stack_name"], stack["StackStatus"], reason, commands)


def bucket_fault(cloudformation):
    """Why SAM cannot use its bucket, or None: its stack is made by the first deployment of a Region."""
    stack = cfn.described(cloudformation, SAM_STACK)
    if stack is None or stack["StackStatus"] in (*statuses.UPDATABLE, "REVIEW_IN_PROGRESS") or cfn.is_busy(stack):
        return None
    return (
        f"{SAM_STACK}, the stack of SAM's bucket, is {stack['StackStatus']}: delete it "
        f"({cfn.aws_command(stack, 'delete-stack').strip()}); the deployment makes it again"
    )


def twin_warnings(settings):
    """A warning where another section deploys the same stack, as happens to a copied section."""
    if not settings["twins"]:
        return []
    names = " and ".join([settings["environment"], *settings["twins"]])
    return [f"{names} of {settings['config']} have the same stack_name, {settings['stack_name']}: in one account and Region they are one stack"]


def alarm_warnings(values):
    if values.get("Alarms") == "on" and not values.get("AlarmTopic"):
        return [
            "ALARMS REACH NO PERSON: the stack has alarms but AlarmTopic is empty. "
            "Set AlarmTopic to the ARN of an SNS topic that someone reads"
        ]
    return []


def check_account(found, session, settings, template, values):
    """The stack and the faults that only the account knows."""
    cloudformation = account.client(session, "cloudformation")
    stack = found.attempt(cfn.described, cloudformation, settings["stack_name"])
    found.faults += [fault for fault in [status_fault(stack, settings)] if fault]
    found.faults += region_faults(values, session.region_name)
    wanted = {name: values.get(name, "0") for name in templates.reservations(template)}
    found.attempt(cfn.secret_version, stack, account.client(session, "secretsmanager"))
    deployed = stack if stack and stack["StackStatus"] not in statuses.NEVER_DEPLOYED else None
    lambdas = account.client(session, "lambda")
    found.attempt_optional("what the account can reserve", quotas.concurrency_fault, deployed, wanted, lambdas)
    found.warn("the Lambda concurrency of the account", quotas.concurrency_warning, lambdas)
    found.attempt_optional("the API Gateway quotas of the account", quotas.throttle_fault, values,
                           account.client(session, "service-quotas"))
    found.attempt_optional("the CloudWatch role of API Gateway", quotas.access_log_fault, values,
                           account.client(session, "apigateway"))
    found.attempt_optional("AlarmTopic", topic_fault, values, session.region_name, account.client(session, "sns"))
    if not settings["bucket"]:
        found.attempt_optional("SAM's bucket", bucket_fault, cloudformation)
    return stack


def check_files(found, settings, region):
    """The template, that of the build if there is one, and the value of every parameter; checks what compiles it."""
    folder = ROOT / settings["build"] if settings["build"] else None
    empty = {"Parameters": {}, "Resources": {}}
    if folder and not (folder / "template.yaml").is_file():
        found.faults += toolchain.build_faults(folder, None)
        return empty, {}
    template = found.attempt(templates.load, (folder or ROOT) / "template.yaml")
    if template is None:
        return empty, {}
    values, faults = parameters.checked(template, settings["overrides"], settings["architecture"], region)
    architecture = values.get("Architecture")
    found.faults += toolchain.build_faults(folder, architecture) if folder else toolchain.rust_faults(architecture)
    found.faults += faults
    return template, values


def run(settings, has_terminal=None):
    """What is to be deployed where, or Stop with every fault that was found."""
    has_terminal = sys.stdin.isatty() if has_terminal is None else has_terminal
    found = Found()
    session = found.attempt(account.connect, settings)
    if session is None:
        found.attempt(account.require_credentials, settings)
    template, values = check_files(found, settings, session and session.region_name)
    fault = confirmation_fault(settings, settings["asks_before_deploy"], has_terminal, "the deployment")
    found.faults += [fault] if fault else []

    identity = found.attempt(account.identify, session) if session else None
    stack = check_account(found, session, settings, template, values) if identity else None
    found.stop_if_any(f"{settings['stack_name']} cannot be deployed yet; nothing was changed:")
    return {
        "settings": settings, "session": session, "account": identity, "region": session.region_name,
        "stack": stack, "template": template, "values": values,
        "warnings": [*alarm_warnings(values), *twin_warnings(settings), *found.warnings],
    }
