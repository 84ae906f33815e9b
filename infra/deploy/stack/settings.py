"""Reads what to deploy: a section of samconfig.toml, and the variables of make."""

import re
import shlex
import tomllib
from pathlib import Path

from errors import Stop

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "infra/deploy/samconfig.toml"
# CloudFormation's rule for the name of a stack.
STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


def sections_of(path, environment):
    """The parts of the configuration file, by environment; one of them is `environment`."""
    try:
        config = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise Stop(f"{path} is not valid TOML: {error}") from error
    known = {name: part for name, part in config.items() if isinstance(part, dict) and "deploy" in part}
    if environment not in known:
        raise Stop(f"there is no ENVIRONMENT={environment}: {path} has {', '.join(known)}; add [{environment}.deploy.parameters]")
    if not isinstance(config.get("version"), (int, float)):
        raise Stop(f"{path} has no version, which SAM requires: add `version = 0.1` as its first line")
    return known


def command_parameters(section, command):
    """The options of a SAM command, with those that the section has for all commands."""
    found = {}
    for part in ("global", command):
        options = section.get(part, {})
        options = options.get("parameters", {}) if isinstance(options, dict) else {}
        found |= options if isinstance(options, dict) else {}
    return found


def text_of(value):
    """A TOML value as SAM writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def overrides_of(value):
    """KEY=VALUE texts from any form that SAM allows for `parameter_overrides`: a list, a text, a table."""
    if isinstance(value, dict):
        return [f"{key}={text_of(one)}" for key, one in value.items()]
    if isinstance(value, str):
        return split(value)
    if isinstance(value, list):
        return [part for one in value for part in (overrides_of(one) if isinstance(one, dict) else [text_of(one)])]
    raise Stop("parameter_overrides in samconfig.toml is not a list of \"KEY=VALUE\"")


def split(text, variable="PARAMETERS"):
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Stop(f"{variable}: {error} in {text}") from error


def own_prefix(prefix, stack_name):
    """The folder in the bucket, of this stack alone: SAM names objects by content, so stacks with one folder share them."""
    parts = [part for part in str(prefix or "").split("/") if part]
    return "/".join(parts if parts[-1:] == [stack_name] else [*parts, stack_name])


def read(environment, variables):
    """What to deploy, from samconfig.toml's section `environment` and the variables of make."""
    path = Path(variables.get("SAMCONFIG") or CONFIG)
    path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    sections = sections_of(path, environment)
    section = sections[environment]
    deploy, delete = command_parameters(section, "deploy"), command_parameters(section, "delete")
    name = deploy.get("stack_name")
    if not isinstance(name, str) or not STACK_NAME.fullmatch(name):
        raise Stop(f"[{environment}.deploy.parameters] needs a stack_name of letters, digits and hyphens, not {name!r}")
    for key in ("region", "profile", "s3_bucket", "s3_prefix"):
        if not isinstance(deploy.get(key, ""), str):
            raise Stop(f"{key} in [{environment}.deploy.parameters] is not a text: {deploy[key]!r}")
    if delete.get("stack_name", name) != name:
        raise Stop(f"[{environment}] deploys {name} but deletes {delete['stack_name']}: remove stack_name from its delete section")
    return {
        "environment": environment,
        "config": str(path),
        "stack_name": name,
        "twins": [other for other, part in sections.items()
                  if other != environment and command_parameters(part, "deploy").get("stack_name") == name],
        "region": deploy.get("region"),
        "profile": deploy.get("profile"),
        "bucket": deploy.get("s3_bucket"),
        "prefix": own_prefix(deploy.get("s3_prefix"), name),
        "capabilities": deploy.get("capabilities") or "CAPABILITY_IAM",
        "asks_before_deploy": deploy.get("confirm_changeset") is True,
        "asks_before_delete": delete.get("no_prompts") is not True,
        "overrides": overrides_of(deploy.get("parameter_overrides") or []) + split(variables.get("PARAMETERS") or ""),
        "architecture": variables.get("ARCHITECTURE") or None,
        "build": variables.get("BUILD") or None,
        "confirm": variables.get("CONFIRM") or None,
    }


def command(settings, goal):
    """The make command of this environment, to print."""
    parts = ["make", goal]
    if settings["environment"] != "dev":
        parts.append(f"ENVIRONMENT={settings['environment']}")
    if settings["config"] != str(CONFIG.relative_to(ROOT)):
        parts.append(f"SAMCONFIG={settings['config']}")
    return " ".join(parts)
