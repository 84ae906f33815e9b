"""Tests of `make destroy`: what it refuses, asks, deletes and keeps, for every state of a stack."""

import unittest
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from fake_aws import FakeBucket, FakeCloudFormation, FakeSession, FakeTables, event, failure, settings_of, stack_of

import destroy
from errors import Stop

TABLES = [("AppsTable", "AWS::DynamoDB::Table"), ("Session", "AWS::Lambda::Function")]
GONE = {"delete_stack": ["DELETE_IN_PROGRESS", None]}
HASH = "0123456789abcdef0123456789abcdef"


def destroyed(status, parameters=None, termination=False, after=GONE, resources=TABLES, tables=None, answer="nsl",
              has_terminal=True, bucket=None, template=None, events=(), **settings):
    """(the account, everything printed) of a deletion; the message of Stop is printed too."""
    account = FakeCloudFormation(stack_of(status, parameters, termination) if status else None, after, resources, template)
    account.found_events = list(events)
    session = FakeSession(account, dynamodb=FakeTables(**(tables or {"appstable": False})), s3=bucket or FakeBucket())
    output = StringIO()
    with patch("account.connect", return_value=session), patch("time.sleep"), redirect_stdout(output), redirect_stderr(output):
        try:
            destroy.destroy(settings_of(**settings), has_terminal, lambda _: answer)
        except Stop as stop:
            print(stop)
    return account, output.getvalue()


class Refused(unittest.TestCase):
    def test_a_protected_stack_is_kept_and_the_way_out_printed(self):
        for status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "IMPORT_COMPLETE"):
            for parameters, termination in [({"DeletionProtection": "true"}, False), ({}, True)]:
                account, output = destroyed(status, parameters, termination, confirm="nsl")
                self.assertEqual(account.calls, [])
                for expected in ("nothing was deleted", "DeletionProtection=false", "make deploy ENVIRONMENT=prod"):
                    self.assertIn(expected, output)

    def test_a_table_protected_by_hand_is_found_before_anything_is_deleted(self):
        account, output = destroyed("UPDATE_COMPLETE", tables={"appstable": True}, confirm="nsl")
        self.assertEqual(account.calls, [])
        self.assertIn("has tables that were protected by hand, nothing was deleted", output)
        self.assertIn("update-table --region eu-west-1 --table-name appstable --no-deletion-protection-enabled", output)

    def test_the_stack_of_another_application_is_left_alone(self):
        other = stack_of("UPDATE_COMPLETE") | {"Parameters": []}
        account = FakeCloudFormation(other)
        with patch("account.connect", return_value=FakeSession(account)), self.assertRaises(Stop) as stop:
            destroy.destroy(settings_of(confirm="nsl"), True)
        self.assertIn("another application", str(stop.exception))
        self.assertEqual(account.calls, [])

    def test_a_protected_stack_is_named_so_without_a_terminal(self):
        _, output = destroyed("UPDATE_COMPLETE", {"DeletionProtection": "true"}, has_terminal=False)
        self.assertIn("is protected", output)

    def test_a_stack_at_work_is_left_alone(self):
        for status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
            account, output = destroyed(status, confirm="nsl")
            self.assertEqual(account.calls, [])
            self.assertIn("wait until that has ended, then run make destroy ENVIRONMENT=prod", output)


class Asked(unittest.TestCase):
    def test_without_a_terminal_dev_is_deleted_and_prod_is_not(self):
        account, _ = destroyed("CREATE_COMPLETE", environment="dev", has_terminal=False)
        self.assertEqual(account.calls, ["delete_stack"])
        account, output = destroyed("CREATE_COMPLETE", has_terminal=False)
        self.assertEqual(account.calls, [])
        self.assertIn("add CONFIRM=nsl; nothing was deleted", output)

    def test_the_name_of_the_stack_confirms(self):
        for answer, confirm, calls in [("nsl", None, 1), ("y", None, 0), ("", None, 0), ("no", "nsl", 1), ("nsl", "other", 0)]:
            account, _ = destroyed("CREATE_COMPLETE", answer=answer, confirm=confirm)
            self.assertEqual(len(account.calls), calls, (answer, confirm))

    def test_the_end_of_the_input_confirms_nothing(self):
        def end(_):
            raise EOFError
        with self.assertRaises(Stop):
            destroy.confirm(settings_of(), True, end)


class Deleted(unittest.TestCase):
    def test_every_state_that_can_be_deleted_is(self):
        for status in ("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE",
                       "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_FAILED"):
            account, output = destroyed(status, confirm="nsl")
            self.assertEqual(account.calls, ["delete_stack"], status)
            self.assertIn("nsl is deleted", output)

    def test_a_missing_stack_is_no_failure(self):
        account, output = destroyed(None, confirm="nsl")
        self.assertEqual(account.calls, [])
        self.assertIn("there is no stack nsl in eu-west-1, account 123456789012: nothing to delete", output)

    def test_a_deletion_that_runs_is_waited_for(self):
        account = FakeCloudFormation(stack_of("DELETE_IN_PROGRESS"))
        account.next = ["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", None]
        with patch("account.connect", return_value=FakeSession(account)), patch("time.sleep"), redirect_stdout(StringIO()) as output:
            destroy.destroy(settings_of(confirm="nsl"), False)
        self.assertEqual(account.calls, [])
        self.assertIn("nsl is deleted", output.getvalue())

    def test_what_goes_and_what_stays_is_printed(self):
        template = {"Resources": {"AppsTable": {"DeletionPolicy": "RetainExceptOnCreate"}, "Session": {}}}
        _, output = destroyed("CREATE_COMPLETE", template=template, confirm="nsl")
        self.assertIn("deletes 1 resources, 0 of them tables", output)
        self.assertIn("keeps   AppsTable, appstable", output)
        self.assertIn("aws dynamodb delete-table --table-name appstable --region eu-west-1", output)
        self.assertIn("keeps   the bucket bucket", output)

    def test_a_condition_decides_what_stays(self):
        policy = {"Fn::If": ["RetainsData", "RetainExceptOnCreate", "Delete"]}
        conditions = {"RetainsData": {"Fn::Equals": [{"Ref": "RetainData"}, "true"]}}
        template = {"Conditions": conditions, "Resources": {"AppsTable": {"DeletionPolicy": policy}}}
        for value, stays in [("true", True), ("false", False)]:
            _, output = destroyed("CREATE_COMPLETE", {"RetainData": value}, template=template, confirm="nsl")
            self.assertEqual("keeps   AppsTable, appstable" in output, stays)

    def test_a_failed_deletion_names_the_resources_and_two_ways_out(self):
        events = [event(3, "nsl", "DELETE_FAILED", "The following resource(s) failed to delete: [AppsTable]"),
                  event(2, "AppsTable", "DELETE_FAILED", "is in use"), event(1, "nsl", "DELETE_IN_PROGRESS")]
        account = FakeCloudFormation(stack_of("DELETE_FAILED"))
        account.found_events = events
        with self.assertRaises(Stop) as stop, patch("time.sleep"):
            destroy.wait_deleted(account, stack_of("DELETE_FAILED"), settings_of())
        self.assertIn("AppsTable (AWS::DynamoDB::Table): is in use", str(stop.exception))
        self.assertIn("make destroy ENVIRONMENT=prod again", str(stop.exception))
        self.assertIn("--retain-resources AppsTable", str(stop.exception))


class DeadEnds(unittest.TestCase):
    """Stacks that can only be deleted, with tables that DynamoDB protects."""

    PROTECTED = {"DeletionProtection": "true"}

    def test_the_protection_is_removed_after_the_confirmation(self):
        for status in ("ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"):
            tables = FakeTables(appstable=True)
            account = FakeCloudFormation(stack_of(status, self.PROTECTED, termination=True), GONE, TABLES)
            session = FakeSession(account, dynamodb=tables)
            with patch("account.connect", return_value=session), patch("time.sleep"), redirect_stdout(StringIO()) as output:
                destroy.destroy(settings_of(), True, lambda _: "nsl")
            self.assertEqual(account.calls, ["termination protection False", "delete_stack"])
            self.assertFalse(tables.protected["appstable"])
            self.assertIn("These tables are protected from deletion: appstable", output.getvalue())

    def test_it_stays_without_a_confirmation(self):
        for environment, answer, has_terminal in [("prod", "no", True), ("dev", "nsl", False), ("prod", "", False)]:
            tables = FakeTables(appstable=True)
            account = FakeCloudFormation(stack_of("ROLLBACK_FAILED", self.PROTECTED), GONE, TABLES)
            with patch("account.connect", return_value=FakeSession(account, dynamodb=tables)), redirect_stdout(StringIO()), \
                 self.assertRaises(Stop) as stop:
                destroy.destroy(settings_of(environment), has_terminal, lambda _: answer)
            self.assertIn("nothing was deleted", str(stop.exception))
            self.assertEqual((account.calls, tables.protected["appstable"]), ([], True))

    def test_a_deletion_that_stopped_at_data_names_how_to_keep_it(self):
        _, output = destroyed("DELETE_FAILED", self.PROTECTED, tables={"appstable": True}, answer="no")
        self.assertIn("They may have data", output)
        self.assertIn("--retain-resources AppsTable", output)


class Objects(unittest.TestCase):
    def test_only_the_stacks_own_objects_are_deleted(self):
        bucket = FakeBucket([f"nsl/{HASH}", f"nsl/{HASH}.template", f"nsl-dev/{HASH}", HASH, f"nsl/other/{HASH}", "nsl/notes.txt"])
        _, output = destroyed("CREATE_COMPLETE", bucket=bucket, confirm="nsl")
        self.assertEqual(bucket.keys, [f"nsl-dev/{HASH}", HASH, f"nsl/other/{HASH}", "nsl/notes.txt"])
        self.assertIn("deleted 2 objects in s3://bucket/nsl/", output)

    def test_a_stack_that_is_kept_keeps_its_objects(self):
        for status, parameters in [("UPDATE_COMPLETE", {"DeletionProtection": "true"}), ("UPDATE_IN_PROGRESS", {})]:
            bucket = FakeBucket([f"nsl/{HASH}"])
            destroyed(status, parameters, bucket=bucket, confirm="nsl")
            self.assertEqual(len(bucket.keys), 1)

    def test_without_the_permission_they_stay_with_a_warning(self):
        bucket = FakeBucket(error=failure("AccessDenied", "no", "ListObjectVersions"))
        _, output = destroyed("CREATE_COMPLETE", bucket=bucket, confirm="nsl")
        self.assertIn("warning: the objects in s3://bucket/nsl/ were not deleted", output)
        self.assertIn("nsl is deleted", output)


if __name__ == "__main__":
    unittest.main()
