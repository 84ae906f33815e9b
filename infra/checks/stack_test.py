"""Tests of `make deploy`: change sets, statuses, failures. `sam deploy` is replaced by what it leaves in the account."""

import importlib.util
import subprocess
import sys
import unittest
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from fake_aws import ROOT, FakeCloudFormation, FakeSession, event, failure, missing, settings_of, stack_of

import cloudformation
import deploy
from errors import Stop

SPEC = importlib.util.spec_from_file_location("program", ROOT / "infra/deploy/stack/__main__.py")
program = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(program)

TEMPLATE = {
    "Parameters": {
        "LogLevel": {"Type": "String", "Default": "INFO"}, "TokenSecretVersion": {"Type": "String", "Default": ""},
        "DeletionProtection": {"Type": "String", "Default": "false"},
    },
    "Resources": {},
}
VALUES = {"LogLevel": "INFO", "TokenSecretVersion": "", "DeletionProtection": "false"}
SECRET = {"TokenSecret": "arn"}


class Sam:
    """Replaces `sam deploy`: `outcomes` has the status that each run leaves, with its exit status."""

    def __init__(self, account, *outcomes):
        self.account, self.outcomes, self.runs = account, list(outcomes), []

    def __call__(self, command, **_):
        status, code, *changes = self.outcomes.pop(0)
        values = self.written
        self.runs.append({"values": values, "command": command})
        if status:
            self.account.stack = stack_of(status, values, termination=bool((self.account.stack or {}).get("EnableTerminationProtection")),
                                          outputs=SECRET)
        for change in changes:
            change(self.account)
        return subprocess.CompletedProcess(command, code)

    def write(self, values, path):
        self.written = dict(values)


def plan_of(account, values=None, **settings):
    return {"settings": settings_of(**settings), "session": FakeSession(account), "region": "eu-west-1", "account": "1",
            "stack": account.stack, "template": TEMPLATE, "values": VALUES | (values or {})}


def deployed(account, *outcomes, values=None, **settings):
    """(sam's runs, output or the message of Stop) of a deployment."""
    sam, output = Sam(account, *outcomes), StringIO()
    with patch("subprocess.run", sam), patch("parameters.write", sam.write), patch("time.sleep"), redirect_stdout(output):
        try:
            plan = deploy.repair(plan_of(account, values, **settings), account)
            deploy.deploy(plan, Path("built"))
            return sam.runs, output.getvalue()
        except Stop as stop:
            return sam.runs, str(stop)


def change_set(status, execution="UNAVAILABLE", reason=""):
    return lambda account: account.found_change_sets.append(
        {"ChangeSetId": "cs", "StackId": "s", "Status": status, "ExecutionStatus": execution, "StatusReason": reason})


def happened(*events):
    return lambda account: account.found_events.__setitem__(slice(0, 0), list(reversed(events)))


class Creation(unittest.TestCase):
    def test_a_protected_stack_is_created_first_and_protected_then(self):
        account = FakeCloudFormation()
        runs, _ = deployed(account, ("CREATE_COMPLETE", 0), ("UPDATE_COMPLETE", 0), values={"DeletionProtection": "true"})
        self.assertEqual([run["values"]["DeletionProtection"] for run in runs], ["false", "true"])
        self.assertEqual(account.calls, ["termination protection True"])

    def test_the_second_change_set_is_not_asked_for(self):
        runs, _ = deployed(FakeCloudFormation(), ("CREATE_COMPLETE", 0), ("UPDATE_COMPLETE", 0),
                           values={"DeletionProtection": "true"}, asks_before_deploy=True)
        self.assertIn("--confirm-changeset", runs[0]["command"])
        self.assertIn("--no-confirm-changeset", runs[1]["command"])

    def test_a_creation_whose_protection_fails_is_no_success(self):
        _, message = deployed(FakeCloudFormation(), ("CREATE_COMPLETE", 0), ("UPDATE_ROLLBACK_COMPLETE", 1), values={"DeletionProtection": "true"})
        self.assertIn("was created, but it is not protected", message)

    def test_an_unprotected_or_existing_stack_needs_one_change_set(self):
        runs, _ = deployed(FakeCloudFormation(), ("CREATE_COMPLETE", 0))
        self.assertEqual(len(runs), 1)
        account = FakeCloudFormation(stack_of("UPDATE_COMPLETE"))
        runs, _ = deployed(account, ("UPDATE_COMPLETE", 0), values={"DeletionProtection": "true"})
        self.assertEqual([run["values"]["DeletionProtection"] for run in runs], ["true"])

    def test_a_failed_creation_is_explained_and_never_protected(self):
        failed = happened(event(1, "nsl", "CREATE_IN_PROGRESS"), event(2, "SessionLog", "CREATE_FAILED", "already exists"),
                          event(3, "AppsTable", "CREATE_FAILED", "Resource creation cancelled"),
                          event(4, "nsl", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [SessionLog]"))
        account = FakeCloudFormation()
        runs, message = deployed(account, ("ROLLBACK_COMPLETE", 1, failed), values={"DeletionProtection": "true"})
        self.assertEqual(runs[0]["values"]["DeletionProtection"], "false")
        self.assertIn("SessionLog (AWS::DynamoDB::Table): already exists", message)
        self.assertNotIn("cancelled", message)
        self.assertIn("run make deploy ENVIRONMENT=prod again: its creation failed and nothing is left in it", message)
        self.assertEqual(account.calls, [])


class Values(unittest.TestCase):
    def test_the_current_version_of_the_secret_is_passed(self):
        runs, output = deployed(FakeCloudFormation(stack_of("CREATE_COMPLETE", VALUES, outputs=SECRET)), ("UPDATE_COMPLETE", 0))
        self.assertEqual(runs[0]["values"]["TokenSecretVersion"], "new")
        self.assertIn('TokenSecretVersion  "" -> new', output)

    def test_a_removed_setting_returns_to_the_default(self):
        before = VALUES | {"LogLevel": "DEBUG", "OldParameter": "1"}
        runs, output = deployed(FakeCloudFormation(stack_of("CREATE_COMPLETE", before)), ("UPDATE_COMPLETE", 0))
        self.assertEqual(runs[0]["values"]["LogLevel"], "INFO")
        self.assertIn("DEBUG -> INFO", output)
        self.assertIn("1 -> (none)", output)

    def test_sam_gets_one_folder_of_the_bucket_for_each_stack(self):
        runs, _ = deployed(FakeCloudFormation(), ("CREATE_COMPLETE", 0), name="mine")
        command = runs[0]["command"]
        self.assertEqual(command[command.index("--s3-prefix") + 1], "mine")

    def test_without_a_bucket_sam_resolves_one(self):
        runs, _ = deployed(FakeCloudFormation(), ("CREATE_COMPLETE", 0), bucket=None)
        self.assertIn("--resolve-s3", runs[0]["command"])


class Repair(unittest.TestCase):
    def test_an_empty_stack_is_deleted_and_created_again(self):
        account = FakeCloudFormation(stack_of("ROLLBACK_COMPLETE", termination=True), {"delete_stack": ["DELETE_IN_PROGRESS", None]})
        runs, output = deployed(account, ("CREATE_COMPLETE", 0))
        self.assertEqual(account.calls[:2], ["termination protection False", "delete_stack"])
        self.assertEqual(len(runs), 1)
        self.assertIn("its creation failed and nothing is left in it", output)

    def test_a_stack_in_review_is_created(self):
        account = FakeCloudFormation(stack_of("REVIEW_IN_PROGRESS"))
        runs, _ = deployed(account, ("CREATE_COMPLETE", 0), ("UPDATE_COMPLETE", 0), values={"DeletionProtection": "true"})
        self.assertEqual(len(runs), 2)

    def test_a_failed_rollback_is_continued_first(self):
        for status, call in [("UPDATE_ROLLBACK_FAILED", "continue_update_rollback"), ("UPDATE_FAILED", "rollback_stack")]:
            account = FakeCloudFormation(stack_of(status), {call: ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]})
            runs, _ = deployed(account, ("UPDATE_COMPLETE", 0))
            self.assertEqual((account.calls, len(runs)), ([call], 1))

    def test_a_rollback_that_fails_again_names_what_can_be_skipped(self):
        account = FakeCloudFormation(stack_of("UPDATE_ROLLBACK_FAILED"), {"continue_update_rollback": ["UPDATE_ROLLBACK_FAILED"]})
        account.found_events = [event(2, "Session", "UPDATE_FAILED", "no such key")]
        runs, message = deployed(account)
        self.assertEqual(runs, [])
        self.assertIn("Session (AWS::DynamoDB::Table): no such key", message)
        self.assertIn("--region eu-west-1 --stack-name nsl --resources-to-skip Session", message)

    def test_a_stack_that_cannot_be_deleted_stops_the_deployment(self):
        account = FakeCloudFormation(stack_of("ROLLBACK_COMPLETE"), {"delete_stack": ["DELETE_FAILED"]})
        runs, message = deployed(account)
        self.assertEqual(runs, [])
        self.assertIn("make destroy ENVIRONMENT=prod", message)


class Failures(unittest.TestCase):
    def test_a_declined_change_set_is_removed_with_its_empty_stack(self):
        account = FakeCloudFormation()
        _, message = deployed(account, ("REVIEW_IN_PROGRESS", 0, change_set("CREATE_COMPLETE", "AVAILABLE")), asks_before_deploy=True)
        self.assertEqual(message, "the change set was declined; nsl was not changed")
        self.assertEqual(account.calls, ["delete_change_set", "delete_stack"])

    def test_a_declined_update_leaves_the_stack(self):
        for code in (0, 1):
            account = FakeCloudFormation(stack_of("UPDATE_COMPLETE"))
            _, message = deployed(account, ("UPDATE_COMPLETE", code, change_set("CREATE_COMPLETE", "AVAILABLE")), asks_before_deploy=True)
            self.assertIn("declined", message)
            self.assertEqual(account.calls, ["delete_change_set"])

    def test_no_changes_are_a_success(self):
        account = FakeCloudFormation(stack_of("UPDATE_COMPLETE"))
        runs, output = deployed(account, ("UPDATE_COMPLETE", 0, change_set("FAILED", reason="didn't contain changes")))
        self.assertEqual((len(runs), account.calls), (1, ["delete_change_set"]))
        self.assertNotIn("failed", output)

    def test_a_change_set_that_fails_has_its_reason(self):
        account = FakeCloudFormation(stack_of("UPDATE_COMPLETE"))
        _, message = deployed(account, ("UPDATE_COMPLETE", 1, change_set("FAILED", reason="Requires capabilities")))
        self.assertIn("Requires capabilities", message)

    def test_a_new_stack_whose_change_set_fails_leaves_nothing(self):
        account = FakeCloudFormation()
        _, message = deployed(account, ("REVIEW_IN_PROGRESS", 1, change_set("FAILED", reason="Requires capabilities")))
        self.assertIn("nsl was not deployed:\n  Requires capabilities", message)
        self.assertEqual(account.calls, ["delete_change_set", "delete_stack"])

    def test_early_validation_names_the_resource(self):
        class Account(FakeCloudFormation):
            def describe_events(self, ChangeSetName, Filters):
                return {"OperationEvents": [{"LogicalResourceId": "SessionLog", "ResourceType": "AWS::Logs::LogGroup",
                                             "ValidationStatusReason": "already\nexists"}]}
        _, message = deployed(Account(stack_of("UPDATE_COMPLETE")), ("UPDATE_COMPLETE", 1, change_set("FAILED", reason="validation")))
        self.assertIn("SessionLog (AWS::Logs::LogGroup): already exists", message)

    def test_a_failed_update_names_the_resources_and_the_state(self):
        account = FakeCloudFormation(stack_of("UPDATE_COMPLETE"))
        account.found_events = [event(1, "Old", "UPDATE_FAILED", "an earlier failure")]
        failed = happened(event(2, "nsl", "UPDATE_IN_PROGRESS"), event(3, "Session", "UPDATE_FAILED", "no memory"))
        _, message = deployed(account, ("UPDATE_ROLLBACK_COMPLETE", 1, failed))
        self.assertIn("Session (AWS::DynamoDB::Table): no memory", message)
        self.assertNotIn("an earlier failure", message)
        self.assertIn("The stack is as it was before", message)

    def test_a_deployment_that_ends_elsewhere_is_a_failure(self):
        _, message = deployed(FakeCloudFormation(stack_of("UPDATE_COMPLETE")), ("UPDATE_ROLLBACK_FAILED", 0))
        self.assertIn("UPDATE_ROLLBACK_FAILED", message)

    def test_without_a_stack_sams_message_is_named(self):
        _, message = deployed(FakeCloudFormation(), (None, 1))
        self.assertIn("see SAM's message above", message)


class Protection(unittest.TestCase):
    def test_it_follows_the_tables(self):
        for was, wanted in [(False, "true"), (True, "false")]:
            account = FakeCloudFormation()
            with redirect_stdout(StringIO()) as output:
                deploy.protect(stack_of("UPDATE_COMPLETE", {"DeletionProtection": wanted}, termination=was), account)
            self.assertEqual(account.calls, [f"termination protection {not was}"])
            self.assertIn("is off" if was else "is on", output.getvalue())

    def test_correct_protection_is_not_changed(self):
        account = FakeCloudFormation()
        deploy.protect(stack_of("UPDATE_COMPLETE", {"DeletionProtection": "true"}, termination=True), account)
        deploy.protect(stack_of("UPDATE_COMPLETE", {"DeletionProtection": "false"}), account)
        self.assertEqual(account.calls, [])


class Described(unittest.TestCase):
    def test_a_missing_stack_is_none_and_every_other_error_an_error(self):
        self.assertIsNone(cloudformation.described(FakeCloudFormation(), "nsl"))
        self.assertIsNone(cloudformation.described(FakeCloudFormation(missing("nsl")), "nsl"))
        with self.assertRaises(type(failure("x"))):
            cloudformation.described(FakeCloudFormation(failure("ExpiredToken", "expired")), "nsl")


class Steps(unittest.TestCase):
    """`stack deploy` from the checks to the outputs, with a build and a deployment that only leave their results."""

    def run_deploy(self, before, after_build, deployed=None, build_status=0):
        """(everything printed, the message of Stop) of a deployment with alarms and without a topic."""
        account = FakeCloudFormation(before)
        plan = plan_of(account, {"Architecture": "arm64", "Alarms": "on", "AlarmTopic": ""}) | {"warnings": ["loud"]}

        def build(command, **_):
            account.stack = after_build
            return subprocess.CompletedProcess(command, build_status)

        printed, message = StringIO(), ""
        with patch("preflight.run", return_value=plan), patch("subprocess.run", build), redirect_stdout(printed), redirect_stderr(printed), \
             patch("deploy.deploy", return_value=deployed):
            try:
                program.deploy(settings_of())
            except Stop as stop:
                message = str(stop)
        return printed.getvalue(), message

    def test_the_end_has_the_outputs_the_next_step_and_the_warning(self):
        stack = stack_of("CREATE_COMPLETE", outputs={"WebSocketAddress": "wss://x", "AppsTable": "t"})
        printed, _ = self.run_deploy(None, None, stack)
        for expected in ("nsl (new) in eu-west-1", "warning: loud", "WebSocketAddress  wss://x", "nsl app create --stack nsl"):
            self.assertIn(expected, printed)
        self.assertIn("ALARMS REACH NO PERSON", printed.splitlines()[-1])

    def test_a_deployment_that_begins_during_the_build_is_left_alone(self):
        _, message = self.run_deploy(stack_of("UPDATE_COMPLETE"), stack_of("UPDATE_IN_PROGRESS"))
        self.assertIn("another deployment is changing it", message)

    def test_a_failed_build_deploys_nothing(self):
        _, message = self.run_deploy(None, None, build_status=1)
        self.assertEqual(message, "the build failed; nothing was deployed")


class Program(unittest.TestCase):
    """The program itself, as make starts it."""

    def run_stack(self, *arguments, **variables):
        environment = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", **variables}
        return subprocess.run([sys.executable, "-B", ROOT / "infra/deploy/stack", *arguments], env=environment, cwd=ROOT,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def test_no_fault_is_a_traceback(self):
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
        for goal, name, variables, expected in [
            ("preflight", "dev", {}, "no Region is set"),
            ("preflight", "dev", {}, "no complete AWS credentials"),
            ("deploy", "dev", {"AWS_REGION": "eu-west-1"}, "no complete AWS credentials"),
            ("destroy", "dev", {"AWS_PROFILE": "missing"}, "missing"),
            ("destroy", "nowhere", keys, "there is no ENVIRONMENT=nowhere"),
            ("preflight", "dev", keys | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot be reached"),
            ("destroy", "dev", keys | {"AWS_ENDPOINT_URL": "nothing"}, "AWS_ENDPOINT_URL"),
            ("preflight", "dev", keys | {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z", "AWS_SESSION_TOKEN": "c"}, "have expired"),
            ("deploy", "dev", keys | {"SAMCONFIG": "missing.toml"}, "missing.toml cannot be read"),
            ("deploy", "dev", keys | {"PARAMETERS": "A='"}, "PARAMETERS"),
        ]:
            with self.subTest(f"{goal} {name} {expected}"):
                result = self.run_stack(goal, name, **variables)
                self.assertEqual(result.returncode, 1)
                self.assertIn(expected, result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_a_wrong_command_prints_the_commands(self):
        self.assertIn("stack deploy ENVIRONMENT", self.run_stack("explode", "dev").stderr)
        self.assertIn("stack deploy ENVIRONMENT", self.run_stack().stderr)


if __name__ == "__main__":
    unittest.main()
