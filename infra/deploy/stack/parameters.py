"""The value of every parameter of a deployment, and what changes in it.

All are passed each time, the template's defaults included: for a parameter that is not passed, SAM keeps the value of
the stack (UsePreviousValue), so that neither a removed line of samconfig.toml nor a new default would reach it.
"""

import json
import os
from pathlib import Path

import template as templates
from settings import ROOT


def value_of(text):
    """`text`, or for @FILE the JSON document of the file without spaces, which count towards Lambda's limit; a document
    that is a text is the value itself.

    Raises ValueError with what is wrong."""
    if text.startswith("@"):
        path = ROOT / text[1:]
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{text[1:]} cannot be read ({error.strerror}); its path is relative to the project's root") from error
        except ValueError as error:
            raise ValueError(f"{text[1:]} is not valid JSON ({error})") from error
        text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if "\\" in text:
        raise ValueError("the value has a backslash, which SAM does not pass on")
    return text


def given(overrides):
    """The values of KEY=VALUE texts by key, the last of each, and what is wrong with the others."""
    values, faults = {}, []
    for line in overrides:
        key, equals, text = line.partition("=")
        if not equals or not key:
            faults.append(f"{line} is not KEY=VALUE")
            continue
        try:
            values[key] = value_of(text)
        except ValueError as error:
            faults.append(f"{key}: {error}")
    return values, faults


def checked(template, overrides, architecture=None, region=None):
    """The value of every parameter of the template, and a sentence for each that is wrong, alone or in the Region."""
    declared = template.get("Parameters", {})
    own, faults = given(overrides)
    if architecture:
        own["Architecture"] = architecture
    values = templates.defaults(declared) | own
    broken = {fault.split(":")[0] for fault in faults}
    faults += templates.name_faults(own, declared)
    faults += templates.value_faults(values, {name: rules for name, rules in declared.items() if name not in broken})
    return values, faults if broken else faults + templates.rule_faults(template, values | ({"AWS::Region": region} if region else {}))


def write(values, path):
    """Writes the values for `sam deploy --parameter-overrides file://PATH`, readable by this user only.

    A YAML file keeps quotes and spaces, which SAM's KEY=VALUE syntax does not. JSON is YAML, and SAM does not read
    files that end in .json."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def deployed(stack):
    """The values of a stack's parameters."""
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in (stack or {}).get("Parameters", [])}


def changes(before, values, declared):
    """Lines `NAME  old -> new` for what a deployment changes; values that the stack hides are not shown."""
    names = [name for name in [*values, *before] if before.get(name) != values.get(name)]
    width = max((len(name) for name in names), default=0)
    lines = []
    for name in dict.fromkeys(names):
        if templates.is_hidden(declared.get(name, {})):
            lines.append(f"  {name:{width}}  (hidden, cannot be compared)")
            continue
        old, new = (templates.shown(one[name]) or '""' if name in one else "(none)" for one in (before, values))
        lines.append(f"  {name:{width}}  {old} -> {new}")
    return lines
