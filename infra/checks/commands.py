"""Compares the `aws` commands of the documents with AWS's own description of its operations, which botocore carries.

Each check returns its findings as a list of sentences.
"""

import functools
import itertools
import re
import shlex
from pathlib import Path

import botocore.session
from botocore import xform_name

ROOT = Path(__file__).parents[2]

# Options of every command.
GLOBAL = {"endpoint-url", "no-cli-pager", "output", "profile", "query", "region"}
# Commands that the `aws` program adds to the operations, with their options.
ADDED = {
    ("cloudformation", "deploy"): {"capabilities", "no-fail-on-empty-changeset", "parameter-overrides", "stack-name", "template-file"},
    ("configure", "get"): set(),
    ("logs", "tail"): {"follow", "format", "since"},
}

# Members whose options the `aws` program names differently.
RENAMED = {("sns", "subscribe", "endpoint"): "notification-endpoint"}

# A command and its continued lines, inside quotation marks, `$( )` and code spans too.
COMMAND = re.compile(r"\baws (?=[a-z0-9-]+ [a-z0-9-]+)(?:[^\n`\\]|\\\n|\\.)*")
SUBSTITUTION = re.compile(r"\$\([^()]*\)")


@functools.cache
def session():
    return botocore.session.get_session()


@functools.cache
def model(service):
    return session().get_service_model(service)


@functools.cache
def operations(service):
    """The operations of a service by the names that the `aws` program gives them."""
    return {xform_name(name, "-"): name for name in model(service).operation_names}


@functools.cache
def waiters(service):
    return {xform_name(name, "-"): name for name in session().get_waiter_model(service).waiter_names}


def option(service, operation, member):
    name = xform_name(member, "-")
    return RENAMED.get((service, xform_name(operation, "-"), name), name)


def options_of(service, operation):
    """The options of an operation: its members, and the opposite of each that is true or false."""
    shape = model(service).operation_model(operation).input_shape
    names = {option(service, operation, name): member for name, member in shape.members.items()} if shape else {}
    return set(names) | {f"no-{name}" for name, member in names.items() if member.type_name == "boolean"}


def required_of(service, operation):
    shape = model(service).operation_model(operation).input_shape
    return {option(service, operation, name) for name in shape.required_members} if shape else set()


def words(text):
    """The words of a command up to what ends it in the shell: a pipe, a redirection, the end of a substitution.

    A substitution inside it is one word."""
    lexer = shlex.shlex(SUBSTITUTION.sub("SUBSTITUTED", text.replace("\\\n", " ")), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set("();<>|&"), lexer))


def commands(document):
    """The words of every `aws` command in a text."""
    return [words(match[0]) for match in COMMAND.finditer(document)]


def findings_of(command):
    """What is wrong with one command, a sentence each."""
    service, name, *rest = command[1:]
    text = " ".join(command[:4])
    if (service, name) in ADDED:
        known, required = ADDED[service, name], set()
    elif service not in session().get_available_services():
        return [f"{text}: there is no service {service}"]
    elif name == "wait":
        if rest[0] not in waiters(service):
            return [f"{text}: {service} has no waiter {rest[0]}"]
        waiter = session().get_waiter_model(service).get_waiter(waiters(service)[rest[0]])
        known, required = options_of(service, waiter.operation), required_of(service, waiter.operation)
    elif name in operations(service):
        known, required = options_of(service, operations(service)[name]), required_of(service, operations(service)[name])
    else:
        return [f"{text}: {service} has no operation {name}"]
    given = {word[2:].split("=")[0] for word in rest if word.startswith("--")}
    findings = [f"{text}: there is no option --{name}" for name in sorted(given - known - GLOBAL)]
    return findings + [f"{text}: --{name} is required" for name in sorted(required - given)]


def actions_of(document):
    """The IAM actions of the `aws` commands in a text that are operations of a service."""
    found = set()
    for _, service, name, *rest in commands(document):
        if service not in session().get_available_services():
            continue
        operation = operations(service).get(name)
        if name == "wait":
            operation = session().get_waiter_model(service).get_waiter(waiters(service)[rest[0]]).operation
        if operation:
            found.add(f"{service}:{operation}")
    return found


def section(document, title):
    """The text below a heading that begins with `## TITLE`, up to the next of its level."""
    return document.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]


def documents():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def document_findings():
    """Every `aws` command of the documents names an operation and options that exist, and those that it needs."""
    return [f"{path.name}: {finding}" for path in documents() for one in commands(path.read_text()) for finding in findings_of(one)]
