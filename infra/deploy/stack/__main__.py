"""Deploys, tests and deletes the stack of an environment, for `make deploy`, `make smoke` and `make destroy`.

    stack preflight ENVIRONMENT   finds what would fail a deployment, and changes nothing
    stack deploy ENVIRONMENT      checks, builds, deploys, and prints the outputs
    stack smoke ENVIRONMENT       tests the deployed stack from outside, with `nsl smoke`
    stack destroy ENVIRONMENT     deletes the stack with everything in it, unless it is protected

Reads the variables ARCHITECTURE, BUILD, CONFIRM, NSL, PARAMETERS, SAMCONFIG and SMOKE, which docs/DEPLOYMENT.md explains.
Exit status: 0 done (or nothing to do), 1 with a message, 130 interrupted.
"""

import os
import subprocess
import sys

from botocore.exceptions import BotoCoreError, ClientError

import account
import cloudformation as cfn
import deploy as deployment
import destroy as deletion
import preflight
import settings as configuration
import smoke as testing
from errors import Stop, explained, one_line


def warn(warnings):
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr, flush=True)


def checked(settings):
    """The plan of a deployment, announced."""
    plan = preflight.run(settings)
    status = plan["stack"]["StackStatus"] if plan["stack"] else "new"
    print(f"{settings['stack_name']} ({status}) in {plan['region']}, account {plan['account']}", flush=True)
    warn(plan["warnings"])
    return plan


def build(settings, architecture):
    """The folder of the build: that of BUILD, or a new one."""
    root = configuration.ROOT
    if settings["build"]:
        return root / settings["build"]
    for step in (["infra/checks/venv", "build", "infra/deploy/build.txt"], ["infra/deploy/sam-build", architecture]):
        if subprocess.run([root / step[0], *step[1:]], cwd=root).returncode:
            raise Stop("the build failed; nothing was deployed")
    return root / ".aws-sam/build"


def print_outputs(plan, stack):
    """The stack's outputs, and what to do next."""
    name, outputs = stack["StackName"], cfn.outputs(stack)
    width = max((len(key) for key in outputs), default=0)
    print(f"\n{name} is deployed in {plan['region']}, account {plan['account']}:")
    for key, value in outputs.items():
        print(f"  {key:{width}}  {value}")
    print(f"\nThe first app, whose key a program reports with:\n  nsl app create --stack {name} --name Shop --owner me\nand a test of the whole: {configuration.command(plan['settings'], 'smoke')}", flush=True)


def deploy(settings):
    plan = checked(settings)
    plan = deployment.repair(plan, account.client(plan["session"], "cloudformation"))
    folder = build(settings, plan["values"]["Architecture"])
    # A build takes minutes, in which another deployment may have begun.
    plan = plan | {"stack": cfn.described(account.client(plan["session"], "cloudformation"), settings["stack_name"])}
    if fault := preflight.status_fault(plan["stack"], settings):
        raise Stop(fault)
    print_outputs(plan, deployment.deploy(plan, folder))
    warn(preflight.alarm_warnings(plan["values"]))


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in COMMANDS:
        raise Stop(__doc__)
    COMMANDS[arguments[0]](configuration.read(arguments[1], os.environ))


def check(settings):
    checked(settings)
    print("nothing was found that would fail the deployment")


COMMANDS = {"preflight": check, "deploy": deploy, "smoke": testing.smoke, "destroy": deletion.destroy}

if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Stop as stop:
        sys.exit(str(stop))
    except (BotoCoreError, ClientError) as error:
        sys.exit(explained(error))
    except KeyboardInterrupt:
        print("\ninterrupted; what CloudFormation has begun goes on without this command", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a person who deploys can do nothing with a traceback
        sys.exit(f"failed: {type(error).__name__}: {one_line(error)}")
