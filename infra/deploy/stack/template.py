"""Reads the parameters and rules of a template, and checks values against them as CloudFormation would."""

import difflib
import re

from errors import Stop
from samcli.yamlhelper import yaml_parse

# CloudFormation's limit for one value.
VALUE_BYTES_MAX = 4096
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


def load(path):
    """The template as a dictionary, with intrinsic functions in their long form."""
    try:
        template = yaml_parse(path.read_text(encoding="utf-8"))
    except Exception as error:  # the parser's own errors have no common base
        raise Stop(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise Stop(f"{path} is not a template")
    return template


def plain(value):
    """A YAML scalar as CloudFormation compares it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def nearest(name, names):
    found = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1, cutoff=0.5)
    return next((one for one in names if found and one.lower() == found[0]), None)


def name_faults(values, declared):
    """A sentence for each parameter that the template does not have."""
    faults = []
    for name in values:
        if name not in declared:
            hint = nearest(name, declared)
            faults.append(f"{name} is not a parameter of the template" + (f": did you mean {hint}?" if hint else ": remove it"))
    return faults


def number_fault(value, rules):
    if not NUMBER.fullmatch(value):
        return "must be a number"
    # CloudFormation takes any number; Lambda, Logs and API Gateway refuse fractions halfway through a deployment.
    if "." in value and isinstance(rules.get("Default"), int):
        return "must be a whole number"
    number = float(value)
    if "MinValue" in rules and number < float(rules["MinValue"]):
        return f"must be at least {rules['MinValue']}"
    if "MaxValue" in rules and number > float(rules["MaxValue"]):
        return f"must be at most {rules['MaxValue']}"
    return None


def text_fault(value, rules):
    if "MinLength" in rules and len(value) < int(rules["MinLength"]):
        return "must not be empty" if int(rules["MinLength"]) == 1 else f"must have at least {rules['MinLength']} characters"
    if "MaxLength" in rules and len(value) > int(rules["MaxLength"]):
        return f"must have at most {rules['MaxLength']} characters"
    return None


def value_fault(value, rules):
    """What is wrong with a value for a parameter of these rules, or None."""
    if len(value.encode()) > VALUE_BYTES_MAX:
        return f"must have at most {VALUE_BYTES_MAX} bytes"
    kind = rules.get("Type", "String")
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    for one in value.split(",") if is_list else [value]:
        allowed = [plain(choice) for choice in rules.get("AllowedValues", [])]
        if allowed and one not in allowed:
            return f"must be one of {', '.join(choice or chr(34) * 2 for choice in allowed)}"
        if kind in ("Number", "List<Number>") and (fault := number_fault(one, rules)):
            return fault
        if "AllowedPattern" in rules and not re.fullmatch(rules["AllowedPattern"], one):
            return rules.get("ConstraintDescription") or f"must match {rules['AllowedPattern']}"
    return None if kind == "Number" or is_list else text_fault(value, rules)


def shown(value):
    """A value short enough for a line."""
    return value if len(value) <= 60 else value[:57] + "..."


def value_faults(values, declared):
    """A sentence for each value that CloudFormation would reject."""
    faults = []
    for name, rules in declared.items():
        if name not in values:
            faults.append(f"{name} needs a value: the template has no default for it")
        elif fault := value_fault(values[name], rules):
            text = "****" if is_hidden(rules) else shown(values[name])
            faults.append(f"{name}={text}: the value {fault}")
    return faults


def is_hidden(rules):
    return plain(rules.get("NoEcho", False)) == "true"


def defaults(declared):
    return {name: plain(rules["Default"]) for name, rules in declared.items() if "Default" in rules}


class Unknown(Exception):
    """A reference or function whose value depends on AWS."""


def evaluated(node, values, conditions=None):
    """The value of an expression of the sections Rules and Conditions, or of a policy; Unknown where AWS decides it."""
    if not isinstance(node, dict):
        return [evaluated(one, values, conditions) for one in node] if isinstance(node, list) else plain(node)
    if len(node) != 1:
        raise Unknown("a document")
    [(function, argument)] = node.items()
    if function == "Ref" and argument in values:
        return values[argument]
    if function == "Condition" and argument in (conditions or {}):
        return evaluated(conditions[argument], values, conditions)
    if function == "Fn::If":
        name, chosen, other = argument
        return evaluated(chosen if evaluated({"Condition": name}, values, conditions) else other, values, conditions)
    if function not in FUNCTIONS:
        raise Unknown(function)
    return FUNCTIONS[function](evaluated(argument, values, conditions))


FUNCTIONS = {
    "Fn::Equals": lambda pair: pair[0] == pair[1],
    "Fn::Not": lambda one: not one[0],
    "Fn::And": all,
    "Fn::Or": any,
    "Fn::Contains": lambda pair: pair[1] in pair[0],
}


def deletion_policies(template, values):
    """The DeletionPolicy of each resource of a deployed template whose parameters have these values."""
    found = {}
    for name, resource in template.get("Resources", {}).items():
        try:
            found[name] = evaluated(resource.get("DeletionPolicy", "Delete"), values, template.get("Conditions"))
        except Unknown:
            found[name] = "Delete"
    return found


def rule_faults(template, values):
    """The description of each assertion of the template's rules that the values fail."""
    faults = []
    for rule in template.get("Rules", {}).values():
        try:
            if "RuleCondition" in rule and not evaluated(rule["RuleCondition"], values):
                continue
            for one in rule["Assertions"]:
                if not evaluated(one["Assert"], values):
                    faults.append(one.get("AssertDescription") or f"a rule of the template fails: {one['Assert']}")
        except Unknown:
            continue
    return faults


def reservations(template):
    """The parameters that reserve concurrency for a function."""
    found = []

    def visit(node):
        if isinstance(node, dict):
            if isinstance(node.get("Ref"), str):
                found.append(node["Ref"])
            for part in node.values():
                visit(part)
        elif isinstance(node, list):
            for part in node:
                visit(part)

    for resource in template["Resources"].values():
        visit((resource.get("Properties") or {}).get("ReservedConcurrentExecutions"))
    declared = template.get("Parameters", {})
    return sorted({name for name in found if name in declared})
