"""Tests of `make deploy` and `make destroy` without AWS, of local builds, and of the parameters that SAM reads.

Run by `infra/checks/run`, which installs SAM's parser of parameters.
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


def stack_with(protection, termination=False, **rest):
    value = {"ParameterKey": "DeletionProtection", "ParameterValue": protection}
    return {"StackName": "nsl", "Parameters": [value], "EnableTerminationProtection": termination, **rest}


class FakeAccount:
    """Responds like CloudFormation and Secrets Manager, and records changes of termination protection."""

    def __init__(self, stacks=(), code="ValidationError", message="Stack with id nsl does not exist"):
        self.stacks, self.error, self.changes = list(stacks), {"Code": code, "Message": message}, []

    def describe_stacks(self, StackName):
        if not self.stacks:
            raise ClientError({"Error": self.error}, "DescribeStacks")
        return {"Stacks": self.stacks}

    def update_termination_protection(self, StackName, EnableTerminationProtection):
        self.changes.append((StackName, EnableTerminationProtection))

    def describe_secret(self, SecretId):
        return {"VersionIdsToStages": {"old": ["AWSPREVIOUS"], "new": ["AWSCURRENT"], SecretId: []}}


class Destroy(unittest.TestCase):
    def test_a_protected_stack_is_kept_and_the_way_out_printed(self):
        message = stack.refusal(stack_with("true"), "prod")
        self.assertIn("nothing was deleted", message)
        self.assertIn("DeletionProtection=false", message)
        self.assertIn("make deploy ENVIRONMENT=prod", message)

    def test_termination_protection_alone_keeps_a_stack(self):
        self.assertIsNotNone(stack.refusal(stack_with("false", termination=True), "prod"))

    def test_an_unprotected_or_missing_stack_may_be_deleted(self):
        self.assertIsNone(stack.refusal(stack_with("false"), "dev"))
        self.assertIsNone(stack.refusal(stack.described(FakeAccount(), "nsl"), "dev"))

    def test_an_error_of_the_account_is_not_permission(self):
        with self.assertRaises(ClientError):
            stack.described(FakeAccount(code="ExpiredToken", message="The token is expired"), "nsl")

    @unittest.skipUnless(shutil.which("make"), "skipped: make")
    def test_make_checks_before_deleting_and_protects_after_deploying(self):
        def steps(goal):
            command = ["make", "--dry-run", "--silent", goal, "ENVIRONMENT=prod"]
            return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

        destroy, deploy = steps("destroy"), steps("deploy")
        self.assertLess(destroy.index("may-be-deleted prod"), destroy.index("sam delete"))
        self.assertLess(deploy.index("secret-version prod"), deploy.index("sam deploy"))
        self.assertLess(deploy.index("stack.py concurrency prod"), deploy.index("sam deploy"))
        self.assertLess(deploy.index("sam deploy"), deploy.index("stack.py protect prod"))


class Protection(unittest.TestCase):
    def test_it_follows_the_tables(self):
        for was, wanted in [(False, "true"), (True, "false")]:
            account = FakeAccount()
            with redirect_stdout(StringIO()) as output:
                stack.protect(stack_with(wanted, termination=was), account)
            self.assertEqual(account.changes, [("nsl", not was)])
            self.assertIn("is off" if was else "is on", output.getvalue())

    def test_correct_protection_is_not_changed(self):
        account = FakeAccount()
        stack.protect(stack_with("true", termination=True), account)
        stack.protect(stack_with("false"), account)
        self.assertEqual(account.changes, [])


class SecretVersion(unittest.TestCase):
    def test_it_is_the_current_version(self):
        outputs = [{"OutputKey": "TokenSecret", "OutputValue": "arn"}]
        self.assertEqual(stack.secret_version(stack_with("false", Outputs=outputs), FakeAccount()), "TokenSecretVersion=new")

    def test_there_is_none_before_the_first_deployment(self):
        self.assertIsNone(stack.secret_version(None, FakeAccount()))


class FakeLambda:
    def __init__(self, limit, unreserved):
        self.limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}

    def get_account_settings(self):
        return {"AccountLimit": self.limits}


class Concurrency(unittest.TestCase):
    def fault(self, reserved, limit=1000, unreserved=1000, deployed=None):
        parameters = [{"ParameterKey": "HistoryConcurrency", "ParameterValue": str(deployed)}]
        found = None if deployed is None else {"Parameters": parameters}
        return stack.concurrency_fault(found, ["Alarms=off", *reserved], FakeLambda(limit, unreserved))

    def test_nothing_is_reserved_by_default_and_no_call_made(self):
        self.assertIsNone(stack.concurrency_fault(None, ["Alarms=off", "HistoryConcurrency=0"], None))

    def test_a_hundred_stay_unreserved(self):
        self.assertIsNone(self.fault(["HistoryConcurrency=500", "SessionConcurrency=400"]))
        self.assertIn("can reserve 900", self.fault(["HistoryConcurrency=500", "SessionConcurrency=401"]))

    def test_a_new_account_can_reserve_nothing(self):
        message = self.fault(["AuthorizeConcurrency=1"], limit=10, unreserved=10)
        self.assertIn("AuthorizeConcurrency=1 reserves 1", message)
        self.assertIn("can reserve 0, nothing was deployed", message)

    def test_what_the_stack_has_reserved_counts_as_available(self):
        self.assertIsNone(self.fault(["HistoryConcurrency=300"], unreserved=700, deployed=300))
        self.assertIsNotNone(self.fault(["HistoryConcurrency=901"], unreserved=700, deployed=300))

    def test_every_reservation_is_a_parameter_of_the_template(self):
        template = (ROOT / "template.yaml").read_text()
        for parameter in stack.RESERVATIONS:
            self.assertIn(f"!Ref {parameter}", template)


class LocalBuild(unittest.TestCase):
    """infra/deploy/local-build in a project of empty files, with a sam-build that only records its calls."""

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
        """Writes the file `name`, last changed `changed` seconds after 1970."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (changed, changed))
        return path

    def builds(self):
        """Runs local-build and returns the number of builds so far."""
        subprocess.run([self.root / "infra/deploy/local-build", "out/local"], capture_output=True)
        return (self.root / "log").read_text().count("built")

    def test_a_build_is_reused_until_a_source_changes(self):
        self.assertEqual([self.builds(), self.builds()], [1, 1])
        for count, name in enumerate(self.FILES, 2):
            self.at(name, 4_000_000_000)
            self.assertEqual(self.builds(), count, f"{name} is a source of the build")
            self.at(name, 1)

    def test_a_failed_build_is_not_reused(self):
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

    def test_parameters_of_file_and_arguments_reach_sam(self):
        found = self.read_by_sam("Architecture=x86_64", "LogRetentionDays=90")
        self.assertEqual(found["DeletionProtection"], "true")
        self.assertEqual((found["Architecture"], found["LogRetentionDays"]), ("x86_64", "90"))

    def test_quotes_and_spaces_reach_sam_unchanged(self):
        self.assertEqual(self.read_by_sam(f"TokenKeys={KEYS}")["TokenKeys"], KEYS)

    def test_a_value_can_be_read_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(KEYS.replace(",", ",\n  "))
            file.flush()
            self.assertEqual(self.read_by_sam(f"TokenKeys=@{file.name}")["TokenKeys"], KEYS)

    def test_what_sam_would_alter_is_rejected(self):
        for wrong in ['TokenKeys={"kid":"a\\"b"}', "TokenKeys"]:
            with self.assertRaises(SystemExit):
                parameters.parameters({"e": {"deploy": {"parameters": {"parameter_overrides": []}}}}, "e", [wrong])


if __name__ == "__main__":
    unittest.main()
