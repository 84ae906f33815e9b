"""The life of a stack: each step runs a command of the Makefile and asserts what it printed and what is deployed.

    stack_life.py BUILD ARCHITECTURE WORK

Prints a line for each step; a failed assertion ends the run with the last lines of the command's output.
The AWS that it works on is that of AWS_ENDPOINT_URL.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parents[2]
SAMCONFIG = ROOT / "infra/deploy/samconfig.toml"
PROD, DEV = "nsl", "nsl-dev"
# A command that takes longer hangs.
SECONDS_MAX = 240
# Lines of a command's output that are shown when a step fails.
TAIL = 40
# What MiniStack cannot do: answer CORS preflights, return a subprotocol, answer 401 (it answers 500).
SKIPPED = "--skip cors,subprotocol,wrong-key --settle 1"
# A queue that neither AWS nor MiniStack creates: messages are kept for 60 seconds at least. It comes after the tables.
FAILURE = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1}}

cloudformation = boto3.client("cloudformation")
dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")
lambdas = boto3.client("lambda")


class Failed(Exception):
    """An assertion that is not true; `output` is that of the step's command."""

    def __init__(self, claim, output=""):
        super().__init__(claim)
        self.output = output


class Run:
    """A command that has ended."""

    def __init__(self, shown, status, output):
        self.shown, self.status, self.output = shown, status, output

    def require(self, is_so, claim):
        if not is_so:
            raise Failed(claim, f"$ {self.shown}\n{self.output}")

    def succeeded(self):
        self.require(self.status == 0, f"exit status 0, not {self.status}")
        return self

    def failed(self, *texts):
        """It failed with each of the texts in its output, and without a traceback."""
        self.require(self.status != 0, "the command fails")
        return self.prints(*texts)

    def prints(self, *texts):
        flat = " ".join(self.output.split())
        for text in texts:
            self.require(text in flat, f"the output has {text!r}")
        self.require("Traceback" not in self.output, "the output has no traceback")
        return self

    def line(self, text):
        """The line of the output that has the text."""
        return next((line.strip(" -") for line in self.output.splitlines() if text in line), text)


def make(goal, environment, without=(), answer=None, **variables):
    """Runs a goal of the Makefile as a person would. `answer` is typed at a terminal; else there is none."""
    given = [f"{key}={value}" for key, value in variables.items()]
    shown = " ".join(["make", goal, f"ENVIRONMENT={environment}", *(shown_as(key, value) for key, value in variables.items())])
    command = ["make", "--no-print-directory", goal, f"ENVIRONMENT={environment}", *given]
    env = {key: value for key, value in os.environ.items() if key not in without}
    typed = terminal_with(answer) if answer is not None else subprocess.DEVNULL
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=SECONDS_MAX)
    return Run(shown, done.returncode, done.stdout)


def shown_as(key, value):
    """A variable of the command; of a path, the last part."""
    value = value.name if isinstance(value, Path) else value
    return f'{key}="{value}"' if " " in value else f"{key}={value}"


def terminal_with(answer):
    """A terminal at which the answer has been typed."""
    master, slave = pty.openpty()
    os.write(master, f"{answer}\n".encode())
    return slave


def stack(name):
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError:
        return None
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def status(name):
    found = stack(name)
    return found["StackStatus"] if found else "absent"


def parameters(name):
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack(name)["Parameters"]}


def resources(name, kind):
    """Logical and physical id of the stack's resources of one type."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    found = [one for page in pages for one in page["StackResourceSummaries"]]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found if one["ResourceType"] == kind}


def tables(name):
    return resources(name, "AWS::DynamoDB::Table")


def allowed_origins():
    """What the deployed function has of the parameter AllowedOrigins."""
    physical = resources(PROD, "AWS::Lambda::Function")["Authorize"]
    return lambdas.get_function_configuration(FunctionName=physical)["Environment"]["Variables"]["ALLOWED_ORIGINS"]


def invoke(name, function, event):
    """The function's answer to an event."""
    physical = resources(name, "AWS::Lambda::Function")[function]
    answer = lambdas.invoke(FunctionName=physical, Payload=json.dumps(event).encode())
    return answer.get("FunctionError"), answer["Payload"].read().decode(errors="replace")


def created_tables(name):
    """The tables that were created, by the stack's events."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"] if event["ResourceType"] == "AWS::DynamoDB::Table"]
    return {event["PhysicalResourceId"] for event in events if event["ResourceStatus"] == "CREATE_COMPLETE"}


def all_tables():
    return {name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]}


def is_true(value):
    # MiniStack returns the text of the template.
    return str(value).lower() == "true"


def are_protected(names):
    described = [dynamodb.describe_table(TableName=name)["Table"] for name in names]
    return all(is_true(table.get("DeletionProtectionEnabled")) for table in described)


def code_objects(name):
    """The keys of a stack's own objects in SAM's bucket."""
    outputs = stack("aws-sam-cli-managed-default")["Outputs"]
    bucket = next(one["OutputValue"] for one in outputs if one["OutputKey"] == "SourceBucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/")
    return {one["Key"] for page in pages for one in page.get("Contents", [])}


def retained_tables(name):
    """The physical ids of the tables that stay when the stack is deleted: those with a DeletionPolicy, by RetainData."""
    if parameters(name).get("RetainData") != "true":
        return set()
    template = cloudformation.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    template = yaml.safe_load(template) if isinstance(template, str) else template
    return {physical for logical, physical in tables(name).items() if "DeletionPolicy" in template["Resources"][logical]}


def broken_build(build, folder):
    """A copy of the build with one resource more, whose creation fails when the tables exist."""
    shutil.copytree(build, folder)
    template = yaml.safe_load((folder / "template.yaml").read_text(encoding="utf-8"))
    names = [name for name, body in template["Resources"].items() if body["Type"] == "AWS::DynamoDB::Table"]
    template["Resources"]["FailsToBeCreated"] = FAILURE | {"DependsOn": names}
    (folder / "template.yaml").write_text(yaml.safe_dump(template, sort_keys=False, width=1000), encoding="utf-8")
    return folder


def edited_config(path, *edits):
    """A copy of samconfig.toml with texts replaced."""
    text = SAMCONFIG.read_text(encoding="utf-8")
    for old, new in edits:
        if old not in text:
            raise Failed(f"samconfig.toml has {old}")
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


class Life:
    """The steps; `walk` has their order."""

    def __init__(self, build, architecture, work):
        self.build, self.architecture, self.work = Path(build), architecture, Path(work)
        self.count, self.began = 0, time.monotonic()

    def deploy(self, environment, build=None, PARAMETERS="", **rest):
        # So that the smoke tests need not wait for rollups.
        parameters = f"{PARAMETERS} RollupWindowSeconds=0".strip()
        return make("deploy", environment, BUILD=build or self.build, ARCHITECTURE=self.architecture, PARAMETERS=parameters, **rest)

    def passed(self, title, run, asserted):
        self.count += 1
        print(f"{self.count:2}. {title}\n    $ {run.shown}\n    {asserted}", flush=True)

    def no_region(self):
        run = self.deploy("prod", without=("AWS_DEFAULT_REGION",), CONFIRM=PROD).failed("no Region is set", "nothing was changed")
        run.require(stack(PROD) is None, "there is no stack")
        self.passed("no Region", run, f"fails, nothing is deployed: {run.line('no Region is set')}")

    def wrong_parameter(self):
        run = self.deploy("prod", CONFIRM=PROD, PARAMETERS="NoSuchParameter=1").failed("NoSuchParameter", "nothing was changed")
        run.require(stack(PROD) is None, "there is no stack")
        self.passed("a parameter that the template does not have", run, f"fails, nothing is deployed: {run.line('NoSuchParameter')}")

    def failed_first_deployment(self):
        before = all_tables()
        run = self.deploy("prod", build=broken_build(self.build, self.work / "broken"), CONFIRM=PROD)
        run.failed("FailsToBeCreated", "make deploy ENVIRONMENT=prod")
        run.require(status(PROD) == "ROLLBACK_COMPLETE", f"the stack is ROLLBACK_COMPLETE, not {status(PROD)}")
        made = created_tables(PROD)
        run.require(made, "tables were created before the failure")
        left = all_tables() - before
        run.require(not left, f"no table is left, not {left}")
        self.passed("a first deployment that fails after its tables were created", run,
                    f"fails: {run.line('FailsToBeCreated (')}; ROLLBACK_COMPLETE, none of {len(made)} tables is left")

    def first_deployment(self):
        config = edited_config(self.work / "first.toml", ('# "AllowedOrigins=https://metrics.example.com"',
                                                          '"AllowedOrigins=https://metrics.example.com"'))
        run = self.deploy("prod", CONFIRM=PROD, SAMCONFIG=config).succeeded().prints("ROLLBACK_COMPLETE")
        self.require_protected(run)
        run.require(parameters(PROD)["AllowedOrigins"] == "https://metrics.example.com", "AllowedOrigins is deployed")
        run.require(allowed_origins() == "https://metrics.example.com", "a function has AllowedOrigins")
        self.passed("the same command with the cause corrected", run,
                    f"the failed stack is replaced; {len(tables(PROD))} tables and the stack are protected")

    def require_protected(self, run):
        run.require(is_true(stack(PROD)["EnableTerminationProtection"]), "the stack is protected")
        run.require(parameters(PROD)["DeletionProtection"] == "true", "DeletionProtection is deployed")
        run.require(are_protected(tables(PROD).values()), "every table is protected")

    def smoke(self, environment, title):
        run = make("smoke", environment, NSL=ROOT / "target/debug/nsl", SMOKE=SKIPPED).succeeded()
        lines = [line for line in run.output.splitlines() if line.strip()]
        self.passed(title, run, lines[-1].strip() if lines else "passed")

    def declined_change_set(self):
        before = parameters(PROD)
        run = self.deploy("prod", answer="n", PARAMETERS="LogRetentionDays=7").failed("was declined")
        run.require(parameters(PROD) == before, "no parameter has changed")
        left = cloudformation.list_change_sets(StackName=PROD)["Summaries"]
        left = [one for one in left if one.get("ExecutionStatus") == "AVAILABLE"]
        run.require(not left, "the change set is deleted")
        self.passed("a change set that is declined at the terminal", run, "nothing has changed, no change set is left")

    def upgrade(self):
        names = tables(PROD)
        config = edited_config(self.work / "upgrade.toml", ("LogRetentionDays=30", "LogRetentionDays=90"))
        run = self.deploy("prod", CONFIRM=PROD, SAMCONFIG=config, PARAMETERS="LogLevel=WARN").succeeded()
        now = parameters(PROD)
        run.require(now["LogRetentionDays"] == "90", "the changed parameter is deployed")
        run.require(now["AllowedOrigins"] != "https://metrics.example.com", "the removed parameter has its default again")
        run.require(allowed_origins() == now["AllowedOrigins"], "the function has the default, too")
        run.require(tables(PROD) == names, "no table was replaced")
        self.require_protected(run)
        self.passed("upgrade: one parameter changed, one removed from samconfig.toml", run,
                    f"LogRetentionDays=90, AllowedOrigins={now['AllowedOrigins']} again, in the function too; no table was replaced")

    def second_stack(self):
        run = self.deploy("dev").succeeded()
        ours, others = code_objects(PROD), code_objects(DEV)
        run.require(ours and others, "both stacks have code in SAM's bucket")
        run.require(not set(tables(PROD).values()) & set(tables(DEV).values()), "the stacks share no table")
        self.passed("dev beside prod", run, f"{len(ours)} objects under {PROD}/, {len(others)} under {DEV}/, no table shared")

    def destroyed_second_stack(self):
        before = code_objects(PROD)
        run = make("destroy", "dev").succeeded()
        run.require(stack(DEV) is None, "dev is gone")
        run.require(not code_objects(DEV), "dev's code is gone")
        run.require(code_objects(PROD) == before, "prod's code is still there")
        fault, payload = invoke(PROD, "History", HEALTH)
        run.require(fault is None and '"statusCode":200' in payload.replace(" ", ""), f"prod's function answers, not {payload}")
        self.passed("dev is destroyed, without a question", run,
                    f"dev's code is gone, prod's {len(before)} objects are there, its function answers")

    def refused_destruction(self):
        run = make("destroy", "prod", CONFIRM=PROD).failed("protected", "nothing was deleted", "DeletionProtection=false")
        self.require_protected(run)
        run.require(status(PROD).endswith("_COMPLETE"), "the stack is as before")
        self.passed("destroying a protected stack", run, f"fails with the steps that allow it: {run.line('nothing was deleted')}")

    def unprotected(self):
        run = self.deploy("prod", CONFIRM=PROD, PARAMETERS="DeletionProtection=false").succeeded()
        run.require(not is_true(stack(PROD)["EnableTerminationProtection"]), "the stack is not protected")
        run.require(not are_protected(tables(PROD).values()), "the tables are not protected")
        self.passed("the protection is removed", run, "stack and tables are not protected")

    def destroyed(self):
        mine, kept = set(tables(PROD).values()), retained_tables(PROD)
        unconfirmed = make("destroy", "prod").failed(f"CONFIRM={PROD}", "nothing was deleted")
        unconfirmed.require(stack(PROD) is not None, "without a confirmation nothing is deleted")
        run = make("destroy", "prod", CONFIRM=PROD).succeeded()
        run.require(stack(PROD) is None, "the stack is gone")
        run.require(all_tables() & mine == kept, f"the tables {kept} are retained and no other, not {all_tables() & mine}")
        run.prints(*kept)
        run.require(not code_objects(PROD), "its code is gone")
        self.passed("destroy, which asks for the stack's name", run,
                    f"the stack and its code are gone; {len(kept)} of {len(mine)} tables are retained and named")

    def deployed_again(self):
        # MiniStack gives a new stack the names of the old one, AWS new names.
        for name in all_tables():
            # MiniStack keeps the text "false" of the template, which protects the table.
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            dynamodb.delete_table(TableName=name)
        run = self.deploy("prod", CONFIRM=PROD).succeeded()
        self.require_protected(run)
        self.passed("deploy again, after the retained tables were deleted by hand", run, f"a new stack, {len(tables(PROD))} tables, protected")

    def walk(self):
        self.no_region()
        self.wrong_parameter()
        self.failed_first_deployment()
        self.first_deployment()
        self.smoke("prod", "smoke test")
        self.declined_change_set()
        self.upgrade()
        self.second_stack()
        self.destroyed_second_stack()
        self.smoke("prod", "smoke test of prod after dev's end")
        self.refused_destruction()
        self.unprotected()
        self.destroyed()
        self.deployed_again()
        self.smoke("prod", "smoke test of the new stack")
        print(f"{self.count} steps passed in {time.monotonic() - self.began:.0f} s")


# A request for /health, as API Gateway sends it.
HEALTH = {
    "version": "2.0", "routeKey": "GET /health", "rawPath": "/health", "rawQueryString": "", "headers": {},
    "requestContext": {
        "accountId": "000000000000", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
        "http": {"method": "GET", "path": "/health", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "stack-life"},
        "requestId": "1", "routeKey": "GET /health", "stage": "$default", "time": "27/Nov/2026:00:00:00 +0000", "timeEpoch": 1795737600000,
    },
    "isBase64Encoded": False,
}


def main(arguments):
    try:
        Life(*arguments).walk()
    except Failed as failure:
        tail = "\n".join(failure.output.splitlines()[-TAIL:])
        sys.exit(f"FAILED: {failure}\n{tail}")
    except (BotoCoreError, ClientError, KeyError) as error:
        sys.exit(f"FAILED: what is deployed could not be read: {type(error).__name__}: {error}")
    except subprocess.TimeoutExpired as error:
        sys.exit(f"FAILED: {' '.join(error.cmd)} took longer than {SECONDS_MAX} s")


if __name__ == "__main__":
    main(sys.argv[1:])
