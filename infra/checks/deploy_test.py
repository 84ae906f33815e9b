"""Proves what `make deploy` and `make destroy` decide, without AWS, and what SAM reads of the parameters.

Run by `infra/checks/run`, which provides SAM's own reading of parameters.
"""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from botocore.exceptions import ClientError
from samcli.cli.types import CfnParameterOverridesType

ROOT = Path(__file__).parents[2]
KEYS = '{"keys":[{"kty":"RSA","kid":"a b","n":"x-_y","e":"AQAB"}]}'


def script(name):
    """A script of infra/deploy as a module."""
    loader = importlib.machinery.SourceFileLoader(Path(name).stem, str(ROOT / "infra/deploy" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


stack = script("stack.py")
parameters = script("parameters")


def of(protection, termination=False, **rest):
    value = {"ParameterKey": "DeletionProtection", "ParameterValue": protection}
    return {"StackName": "nsl", "Parameters": [value], "EnableTerminationProtection": termination, **rest}


class Account:
    """Answers as CloudFormation and Secrets Manager do, and keeps what it was told."""

    def __init__(self, stacks=(), code="ValidationError", message="Stack with id nsl does not exist"):
        self.stacks, self.error, self.told = list(stacks), {"Code": code, "Message": message}, []

    def describe_stacks(self, StackName):
        if not self.stacks:
            raise ClientError({"Error": self.error}, "DescribeStacks")
        return {"Stacks": self.stacks}

    def update_termination_protection(self, StackName, EnableTerminationProtection):
        self.told.append((StackName, EnableTerminationProtection))

    def describe_secret(self, SecretId):
        return {"VersionIdsToStages": {"old": ["AWSPREVIOUS"], "new": ["AWSCURRENT"], SecretId: []}}


class Destroy(unittest.TestCase):
    def test_a_stack_of_protected_tables_is_refused_with_the_way_out(self):
        said = stack.refusal(of("true"), "prod")
        self.assertIn("nothing was deleted", said)
        self.assertIn("DeletionProtection=false", said)
        self.assertIn("make deploy ENVIRONMENT=prod", said)

    def test_termination_protection_alone_is_reason_enough(self):
        self.assertIsNotNone(stack.refusal(of("false", termination=True), "prod"))

    def test_a_stack_that_is_open_or_not_there_may_go(self):
        self.assertIsNone(stack.refusal(of("false"), "dev"))
        self.assertIsNone(stack.refusal(stack.described(Account(), "nsl"), "dev"))

    def test_an_account_that_does_not_answer_is_no_permission(self):
        with self.assertRaises(ClientError):
            stack.described(Account(code="ExpiredToken", message="The token is expired"), "nsl")

    @unittest.skipUnless(shutil.which("make"), "skipped: make")
    def test_make_asks_before_it_deletes_and_protects_after_it_deployed(self):
        def steps(goal):
            command = ["make", "--dry-run", "--silent", goal, "ENVIRONMENT=prod"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

        destroy, deploy = steps("destroy"), steps("deploy")
        self.assertLess(destroy.index("may-be-deleted prod"), destroy.index("sam delete"))
        self.assertLess(deploy.index("secret-version prod"), deploy.index("sam deploy"))
        self.assertLess(deploy.index("sam deploy"), deploy.index("stack.py protect prod"))


class Protection(unittest.TestCase):
    def test_it_follows_the_tables(self):
        for was, wanted in [(False, "true"), (True, "false")]:
            account = Account()
            with redirect_stdout(StringIO()) as told:
                stack.protect(of(wanted, termination=was), account)
            self.assertEqual(account.told, [("nsl", not was)])
            self.assertIn("is off" if was else "is on", told.getvalue())

    def test_what_is_as_it_should_be_is_left_alone(self):
        account = Account()
        stack.protect(of("true", termination=True), account)
        stack.protect(of("false"), account)
        self.assertEqual(account.told, [])


class SecretVersion(unittest.TestCase):
    def test_it_is_that_of_the_value_which_holds(self):
        outputs = [{"OutputKey": "TokenSecret", "OutputValue": "arn"}]
        self.assertEqual(stack.secret_version(of("false", Outputs=outputs), Account()), "TokenSecretVersion=new")

    def test_there_is_none_before_the_first_deployment(self):
        self.assertIsNone(stack.secret_version(None, Account()))


class LocalBuild(unittest.TestCase):
    """infra/deploy/local-build in a project of empty files, whose sam-build only notes that it was asked."""

    FILES = ("template.yaml", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "functions/ingest/src/main.rs",
             "infra/dashboard/page.html", "infra/dashboard/style.css", "infra/dashboard/src/app.js",
             "infra/dashboard/vendor/plot.js", "infra/deploy/build.txt")
    SAM_BUILD = '#!/bin/sh\necho built >>log\nmkdir -p "$2" && touch "$2/template.yaml"\n[ ! -e broken ]\n'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in self.FILES:
            self.at(name, 1)
        self.at("infra/deploy/sam-build", 1, self.SAM_BUILD).chmod(0o755)
        shutil.copy(ROOT / "infra/deploy/local-build", self.root / "infra/deploy")

    def at(self, name, changed, text=""):
        """The file `name`, last changed `changed` seconds after 1970."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (changed, changed))
        return path

    def builds(self):
        """How often it has been built once local-build has ended."""
        subprocess.run([self.root / "infra/deploy/local-build", "out/local"], capture_output=True)
        return (self.root / "log").read_text().count("built")

    def test_what_is_there_is_taken_until_something_changes(self):
        self.assertEqual([self.builds(), self.builds()], [1, 1])
        for count, name in enumerate(self.FILES, 2):
            self.at(name, 4_000_000_000)
            self.assertEqual(self.builds(), count, f"{name} goes into a build")
            self.at(name, 1)

    def test_a_build_that_failed_is_not_taken(self):
        (self.root / "broken").touch()
        self.assertEqual(self.builds(), 1)
        (self.root / "broken").unlink()
        self.assertEqual([self.builds(), self.builds()], [2, 2])


class MiniStack(unittest.TestCase):
    def test_every_skipped_test_exists_and_has_a_reason(self):
        script = (ROOT / "infra/deploy/ministack").read_text()
        skipped = re.findall(r'^    "(\w+) +\w.*"$', script, re.MULTILINE)
        self.assertGreater(len(skipped), 3)
        tests = "".join(path.read_text() for path in (ROOT / "tests/system").rglob("*.rs"))
        for name in skipped:
            self.assertIn(f"fn {name}()", tests)


class Parameters(unittest.TestCase):
    def read_by_sam(self, *overrides):
        command = [sys.executable, ROOT / "infra/deploy/parameters", "prod", *overrides]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(printed)
            file.flush()
            return CfnParameterOverridesType().convert([f"file://{file.name}"], None, None)

    def test_those_of_the_file_and_those_added_reach_sam(self):
        found = self.read_by_sam("Architecture=x86_64", "LogRetentionDays=90")
        self.assertEqual(found["DeletionProtection"], "true")
        self.assertEqual((found["Architecture"], found["LogRetentionDays"]), ("x86_64", "90"))

    def test_a_document_with_quotes_and_spaces_reaches_sam_whole(self):
        self.assertEqual(self.read_by_sam(f"TokenKeys={KEYS}")["TokenKeys"], KEYS)

    def test_a_document_can_stand_in_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(KEYS.replace(",", ",\n  "))
            file.flush()
            self.assertEqual(self.read_by_sam(f"TokenKeys=@{file.name}")["TokenKeys"], KEYS)

    def test_what_sam_would_alter_is_refused(self):
        for wrong in ['TokenKeys={"kid":"a\\"b"}', "TokenKeys"]:
            with self.assertRaises(SystemExit):
                parameters.parameters({"e": {"deploy": {"parameters": {"parameter_overrides": []}}}}, "e", [wrong])


if __name__ == "__main__":
    unittest.main()
