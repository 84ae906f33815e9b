"""Tests of what `make deploy` checks before a build: every fault has its sentence, and all are listed at once."""

import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from fake_aws import ROOT, FakeCloudFormation, FakeGateway, FakeLambda, FakeQuotas, FakeSession, FakeSts, FakeTopics
from fake_aws import failure, settings_of, stack_of

import boto3
from botocore import exceptions as aws

import account
import preflight
import quotas
import statuses
import template
import toolchain
from errors import Stop, explained

TOPIC = "AlarmTopic=arn:aws:sns:eu-west-1:123456789012:oncall"
STATUSES = boto3.client("cloudformation", region_name="eu-west-1").meta.service_model.shape_for("StackStatus").enum


def run(session=None, has_terminal=False, rust=(), **settings):
    """The plan for the template of the project, or the message of Stop."""
    with patch("account.connect", return_value=session or FakeSession()), patch("toolchain.rust_faults", return_value=list(rust)):
        try:
            return preflight.run(settings_of(**settings), has_terminal)
        except Stop as stop:
            return str(stop)


class Faults(unittest.TestCase):
    def test_all_kinds_are_listed_together(self):
        session = FakeSession(FakeCloudFormation(stack_of("UPDATE_IN_PROGRESS")), service_quotas=FakeQuotas(rate=1))
        message = run(session, rust=["no Rust"], overrides=["NoSuchParameter=1"], asks_before_deploy=True)
        for expected in ("no Rust", "NoSuchParameter", "CONFIRM=nsl", "UPDATE_IN_PROGRESS", "ThrottlingRate"):
            self.assertIn(expected, message)
        self.assertIn("nothing was changed", message)

    def test_without_faults_the_plan_has_every_value(self):
        plan = run(overrides=[TOPIC])
        self.assertEqual((plan["account"], plan["region"], plan["stack"]), ("123456789012", "eu-west-1", None))
        self.assertEqual(set(plan["values"]), set(plan["template"]["Parameters"]))
        self.assertEqual(plan["warnings"], [])

    def test_wrong_credentials_are_one_fault_among_others(self):
        message = run(FakeSession(sts=FakeSts(failure("ExpiredToken"))), overrides=["LogLevel=x"])
        self.assertIn("have expired", message)
        self.assertIn("LogLevel=x", message)

    def test_a_build_is_checked_instead_of_the_toolchain(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("has no template.yaml", run(build=folder, rust=["no Rust"]))
            Path(folder, "template.yaml").write_text("Resources: {F: {Type: T}}\nParameters: {Architecture: {Type: String, Default: arm64}}\n")
            self.assertIn("has no functions", run(build=folder))
            for machine, header in [("x86_64", b"\x7fELF" + bytes(14) + b"\x3e\0"), ("no executable", b"#!/bin/sh")]:
                Path(folder, "F").mkdir(exist_ok=True)
                Path(folder, "F/bootstrap").write_bytes(header)
                self.assertIn(f"is for {machine}, not for arm64", run(build=folder))
            Path(folder, "F/bootstrap").write_bytes(b"\x7fELF" + bytes(14) + b"\xb7\0")
            self.assertEqual(run(build=folder)["values"], {"Architecture": "arm64"})

    def test_a_broken_template_is_one_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            for text in ("a: [", "[]", "Resources: 1"):
                Path(folder, "template.yaml").write_text(text)
                self.assertIn("template.yaml", run(build=folder))


    def test_the_stack_of_another_application_is_left_alone(self):
        other = stack_of("UPDATE_COMPLETE") | {"Parameters": [{"ParameterKey": "Stage", "ParameterValue": "x"}]}
        self.assertIn("another application", run(FakeSession(FakeCloudFormation(other))))

    def test_a_secret_that_cannot_be_read_is_found_before_the_build(self):
        class Denied:
            def describe_secret(self, SecretId):
                raise failure("AccessDeniedException", "no", "DescribeSecret")
        session = FakeSession(FakeCloudFormation(stack_of("UPDATE_COMPLETE", outputs={"TokenSecret": "arn"})), secretsmanager=Denied())
        self.assertIn("may not do DescribeSecret", run(session))


class Confirmation(unittest.TestCase):
    def test_without_a_terminal_the_stack_must_be_named(self):
        self.assertIn("CONFIRM=nsl", run(asks_before_deploy=True))
        self.assertIsInstance(run(asks_before_deploy=True, has_terminal=True), dict)
        self.assertIsInstance(run(asks_before_deploy=True, confirm="nsl"), dict)
        self.assertIsInstance(run(asks_before_deploy=False), dict)

    def test_another_name_confirms_nothing(self):
        self.assertIn("CONFIRM=nsl-dev is not the name", run(confirm="nsl-dev"))


class Alarms(unittest.TestCase):
    def test_alarms_without_a_topic_are_a_loud_warning(self):
        [warning] = run()["warnings"]
        self.assertIn("ALARMS REACH NO PERSON", warning)
        self.assertEqual(run(overrides=["Alarms=off"])["warnings"], [])

    def test_a_topic_elsewhere_or_nowhere_is_a_fault(self):
        elsewhere = run(FakeSession(sns=FakeTopics(failure("InvalidParameter"))), overrides=[TOPIC.replace("eu-west-1", "us-east-1")])
        self.assertIn("AlarmTopic is in us-east-1, the stack in eu-west-1", elsewhere)
        self.assertNotIn("does not exist", elsewhere)
        self.assertIn("does not exist", run(FakeSession(sns=FakeTopics(failure("NotFound"))), overrides=[TOPIC]))
        self.assertEqual(run(FakeSession(sns=FakeTopics(failure("AuthorizationError"))), overrides=[TOPIC])["warnings"], [])

    def test_every_other_arn_must_be_in_the_region_too(self):
        certificate = "CertificateArn=arn:aws:acm:us-east-1:123456789012:certificate/x"
        self.assertIn("CertificateArn is in us-east-1", run(overrides=[certificate]))
        self.assertEqual(preflight.region_faults({"Boundary": "arn:aws:iam::123456789012:policy/x"}, "eu-west-1"), [])


class Twins(unittest.TestCase):
    def test_two_sections_of_one_stack_are_a_warning(self):
        [_, warning] = run(twins=["staging"])["warnings"]
        self.assertIn("prod and staging of infra/deploy/samconfig.toml have the same stack_name, nsl", warning)


class Account(unittest.TestCase):
    def settings(self, region=None):
        return settings_of(region=region)

    def region(self, environment, region=None, profile=None):
        class Session:
            region_name = profile
        try:
            return account.region_of(self.settings(region), environment, Session)
        except Stop as stop:
            return str(stop)

    def test_the_region_has_an_order(self):
        both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
        self.assertEqual(self.region(both, region="eu-south-1"), "eu-south-1")
        self.assertEqual(self.region(both, profile="us-east-1"), "eu-west-1")
        self.assertEqual(self.region({"AWS_REGION": "eu-west-1"}), "eu-west-1")
        self.assertEqual(self.region({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": ""}), "eu-west-1")
        self.assertEqual(self.region({}, profile="us-east-1"), "us-east-1")

    def test_no_region_or_two_are_a_sentence(self):
        self.assertIn("export AWS_REGION", self.region({}))
        self.assertIn("differ", self.region({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}))

    def test_an_unknown_profile_or_region_is_a_sentence(self):
        for settings, expected in [
            (settings_of(profile="no-such-profile", region="eu-west-1"), "no-such-profile"),
            (settings_of(region="nowhere"), "nowhere"),
        ]:
            with self.assertRaises(Stop) as stop:
                account.connect(settings, {})
            self.assertIn(expected, str(stop.exception))

    def test_every_failure_is_one_line_that_says_what_to_do(self):
        for error, expected in [
            (failure("ExpiredToken"), "log in again"),
            (failure("RequestExpired"), "log in again"),
            (failure("InvalidClientTokenId"), "does not accept the access key"),
            (failure("UnrecognizedClientException"), "does not accept the access key"),
            (failure("SignatureDoesNotMatch"), "clock"),
            (failure("AccessDenied", "no\npolicy", "DescribeStacks"), "may not do DescribeStacks"),
            (failure("AccessDeniedException"), "grant it"),
            (failure("Throttling"), "again in a minute"),
            (failure("OptInRequired", "sign up"), "not enabled"),
            (failure("Other", "the reason"), "the reason"),
            (aws.NoCredentialsError(), "no complete AWS credentials"),
            (aws.PartialCredentialsError(provider="env", cred_var="x"), "no complete AWS credentials"),
            (aws.ProfileNotFound(profile="x"), "AWS_PROFILE"),
            (aws.UnauthorizedSSOTokenError(), "aws sso login"),
            (aws.SSOTokenLoadError(profile_name="x", error_msg="y"), "aws sso login"),
            (aws.TokenRetrievalError(provider="sso", error_msg="y"), "aws sso login"),
            (aws.CredentialRetrievalError(provider="process", error_msg="y"), "could not be loaded"),
            (aws.EndpointConnectionError(endpoint_url="https://x"), "cannot be reached"),
            (aws.ConnectTimeoutError(endpoint_url="https://x"), "cannot be reached"),
            (aws.ReadTimeoutError(endpoint_url="https://x"), "cannot be reached"),
            (aws.ProxyConnectionError(proxy_url="http://x"), "proxy"),
            (aws.SSLError(endpoint_url="https://x", error="y"), "cannot be reached"),
            (aws.NoRegionError(), "AWS_REGION"),
            (aws.InvalidRegionError(region_name="a b"), "AWS_REGION"),
            (aws.ConfigParseError(path="x", error="y"), "configuration file"),
            (aws.ParamValidationError(report="a\nb"), "a b"),
        ]:
            with self.subTest(repr(error)):
                self.assertIn(expected, explained(error))
                self.assertNotIn("\n", explained(error))


class Quotas(unittest.TestCase):
    def concurrency(self, limit=1000, unreserved=1000, deployed=None, **wanted):
        stack = None if deployed is None else stack_of("UPDATE_COMPLETE", {"HistoryConcurrency": str(deployed)})
        return quotas.concurrency_fault(stack, wanted, FakeLambda(limit, unreserved))

    def test_nothing_is_reserved_by_default_and_no_call_made(self):
        self.assertIsNone(quotas.concurrency_fault(None, {"HistoryConcurrency": "0"}, None))

    def test_a_hundred_stay_unreserved(self):
        self.assertIsNone(self.concurrency(HistoryConcurrency="500", SessionConcurrency="400"))
        self.assertIn("can reserve 900", self.concurrency(HistoryConcurrency="500", SessionConcurrency="401"))

    def test_a_new_account_can_reserve_nothing(self):
        message = self.concurrency(limit=10, unreserved=10, AuthorizeConcurrency="1")
        self.assertIn("AuthorizeConcurrency=1 reserves 1", message)
        self.assertIn("can reserve 0", message)

    def test_a_new_account_is_a_warning(self):
        [_, warning] = run(FakeSession(**{"lambda": FakeLambda(10, 10)}))["warnings"]
        self.assertIn("at most 10 functions at once", warning)

    def test_what_the_stack_has_reserved_counts_as_available(self):
        self.assertIsNone(self.concurrency(unreserved=700, deployed=300, HistoryConcurrency="300"))
        self.assertIsNotNone(self.concurrency(unreserved=700, deployed=300, HistoryConcurrency="901"))

    def test_every_reservation_of_the_template_is_counted(self):
        found = template.reservations(template.load(ROOT / "template.yaml"))
        self.assertLessEqual({"HistoryConcurrency", "SessionConcurrency", "AuthorizeConcurrency"}, set(found))

    def test_throttles_above_the_accounts_are_a_fault(self):
        values = {"ThrottlingRate": "2500", "ThrottlingBurst": "1250"}
        for changed in (True, False):
            self.assertIsNone(quotas.throttle_fault(values, FakeQuotas(2500.0, 1250.0, changed)))
            fault = quotas.throttle_fault(values, FakeQuotas(2000.0, 1000.0, changed))
            self.assertIn("ThrottlingRate=2500 exceeds the account's 2000 and ThrottlingBurst=1250", fault)

    def test_the_throttles_of_open_routes_count_too(self):
        self.assertIn("OpenRouteThrottlingRate", quotas.throttle_fault({"OpenRouteThrottlingRate": "3000"}, FakeQuotas(2500.0)))

    def test_a_quota_that_cannot_be_read_is_a_warning(self):
        class Denied:
            def get_service_quota(self, **_):
                raise failure("AccessDeniedException", "no", "GetServiceQuota")
        [_, warning] = run(FakeSession(service_quotas=Denied()))["warnings"]
        self.assertIn("API Gateway quotas of the account could not be checked", warning)

    def test_access_logs_need_the_role_of_the_account(self):
        self.assertIn("CloudWatch role", run(FakeSession(apigateway=FakeGateway(None)), overrides=["AccessLogs=on"]))
        self.assertIsInstance(run(FakeSession(apigateway=FakeGateway(None))), dict)


class Statuses(unittest.TestCase):
    def test_every_status_of_cloudformation_has_an_action_and_a_sentence(self):
        commands = {"again": "make deploy", "destroy": "make destroy"}
        for status in STATUSES:
            for before in (statuses.before_deploy, statuses.before_destroy):
                action, reason = before(status)
                self.assertNotIn("does not list", reason, status)
                if action not in ("create", "update", "delete", "nothing", "wait"):
                    self.assertTrue(reason, status)
                if action == "stop":
                    self.assertIn("make " if "IMPORT_ROLLBACK_FAILED" not in status else "console",
                                  statuses.sentence("nsl", status, reason, commands), status)

    def test_a_deployment_does_what_is_safe(self):
        for status, expected in [
            (None, "create"), ("REVIEW_IN_PROGRESS", "create"), ("ROLLBACK_COMPLETE", "recreate"),
            ("UPDATE_ROLLBACK_FAILED", "continue"), ("UPDATE_FAILED", "rollback"), ("UPDATE_ROLLBACK_COMPLETE", "update"),
            ("IMPORT_COMPLETE", "update"), ("CREATE_IN_PROGRESS", "stop"), ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "stop"),
            ("DELETE_IN_PROGRESS", "stop"), ("DELETE_FAILED", "stop"), ("ROLLBACK_FAILED", "stop"), ("CREATE_FAILED", "stop"),
            ("A_NEW_STATUS", "stop"), ("A_NEW_ONE_IN_PROGRESS", "stop"),
        ]:
            self.assertEqual(statuses.before_deploy(status)[0], expected, status)

    def test_a_deletion_does_what_is_safe(self):
        for status, expected in [
            (None, "nothing"), ("DELETE_IN_PROGRESS", "wait"), ("CREATE_IN_PROGRESS", "stop"), ("UPDATE_IN_PROGRESS", "stop"),
            ("ROLLBACK_FAILED", "delete"), ("DELETE_FAILED", "delete"), ("REVIEW_IN_PROGRESS", "delete"),
            ("UPDATE_ROLLBACK_FAILED", "delete"), ("UPDATE_COMPLETE", "delete"), ("IMPORT_ROLLBACK_FAILED", "delete"),
        ]:
            self.assertEqual(statuses.before_destroy(status)[0], expected, status)

    def test_a_broken_stack_of_sams_bucket_is_found(self):
        broken = stack_of("ROLLBACK_COMPLETE") | {"StackName": preflight.SAM_STACK}
        self.assertIn("delete-stack", preflight.bucket_fault(FakeCloudFormation(broken)))
        self.assertIsNone(preflight.bucket_fault(FakeCloudFormation()))


class Toolchain(unittest.TestCase):
    def faults(self, missing=(), sysroot=(0, "/"), architecture="arm64"):
        with patch("shutil.which", lambda name: None if name in missing else name), \
             patch("toolchain.output_of", return_value=sysroot):
            return toolchain.rust_faults(architecture)

    def test_what_is_missing_is_named_with_its_command(self):
        self.assertIn("install rustup", self.faults(missing=["cargo"])[0])
        self.assertIn("C compiler", self.faults(missing=["cc"])[0])
        self.assertIn("rustup toolchain install", self.faults(sysroot=(1, "error: not installed"))[0])
        self.assertIn("rustup target add aarch64-unknown-linux-gnu", self.faults()[0])
        self.assertIn("rustup target add x86_64-unknown-linux-gnu", self.faults(architecture="x86_64")[0])

    def test_an_installed_target_is_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "lib/rustlib/aarch64-unknown-linux-gnu/lib").mkdir(parents=True)
            self.assertEqual(self.faults(sysroot=(0, folder)), [])


if __name__ == "__main__":
    unittest.main()
