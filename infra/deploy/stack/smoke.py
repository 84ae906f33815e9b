"""Runs `nsl smoke` against the stack of an environment, in its Region and with its profile."""

import os
import shutil
import sys

import account
from errors import Stop
from settings import split


def invocation(settings, region, environment):
    """The command and its environment. SMOKE has options of `nsl smoke`, and NSL names a program that is built."""
    nsl = [environment["NSL"]] if environment.get("NSL") else ["cargo", "run", "--quiet", "--bin", "nsl", "--"]
    command = [*nsl, "smoke", "--stack", settings["stack_name"], *split(environment.get("SMOKE") or "", "SMOKE")]
    place = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if settings["profile"]:
        place["AWS_PROFILE"] = settings["profile"]
    return command, environment | place


def smoke(settings):
    """Becomes that command, so that an interrupt reaches it alone and it can clean up."""
    region = account.connect(settings).region_name
    command, environment = invocation(settings, region, dict(os.environ))
    if not shutil.which(command[0]):
        raise Stop(f"{command[0]} is not installed or not on PATH; `make smoke` runs nsl of this repository, which needs Rust (rustup.rs)")
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)
