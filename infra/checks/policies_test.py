"""Tests that the policies of infra/policies allow what is needed, and that each check can fail.

Run by `infra/checks/run`, which provides the translator and a region.
"""

import logging
import unittest

import commands
import policies
import transform

logging.getLogger("samtranslator").setLevel(logging.ERROR)


class ThePolicies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployed = transform.deploy(transform.read(policies.TEMPLATE))
        cls.documents = policies.documents()

    def test_the_deployer_may_do_what_cloudformation_does_for_the_stack(self):
        self.assertEqual(policies.resource_findings(self.deployed), [])

    def test_a_policy_allows_what_cloudformation_does_for_the_proxy(self):
        self.assertEqual(policies.resource_findings(transform.read(policies.WAF_TEMPLATE), ["waf"]), [])

    def test_the_deployer_may_call_what_scripts_and_sam_call(self):
        self.assertEqual(policies.script_findings(), [])

    def test_the_operator_may_call_what_nsl_calls(self):
        self.assertEqual(policies.operator_findings(), [])

    def test_the_restorer_may_run_the_commands_of_a_restore(self):
        document = (policies.ROOT / "docs/DEPLOYMENT.md").read_text()
        actions = commands.actions_of(commands.section(document, "13. Restore"))
        self.assertGreater(len(actions), 15)
        self.assertEqual(policies.missing(actions, ["restorer"], "restore"), [])

    def test_functions_stay_within_the_boundary(self):
        self.assertGreater(len(policies.function_policies(self.deployed)), 4)
        self.assertEqual(policies.boundary_findings(self.deployed, self.documents["boundary"]), [])

    def test_every_policy_fits_into_a_managed_policy(self):
        self.assertEqual(policies.size_findings(self.documents | policies.function_policies(self.deployed)), [])

    def test_no_placeholder_is_left(self):
        for name, document in self.documents.items():
            for placeholder in policies.EXAMPLE:
                self.assertNotIn(placeholder, str(document), name)

    def test_a_deployer_can_make_no_role_without_the_boundary(self):
        boundary = "arn:aws:iam::123456789012:policy/nsl-boundary"
        for statement in self.documents["deployer-iam-and-monitoring"]["Statement"]:
            grants = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
            if grants & set(policies.listed(statement["Action"])):
                self.assertEqual(statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"], boundary)


class TheChecks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deployed = transform.deploy(transform.read(policies.TEMPLATE))

    def test_a_new_type_of_resource_is_found(self):
        findings = policies.resource_findings({"Resources": {"Stream": {"Type": "AWS::Kinesis::Stream"}}})
        self.assertIn("AWS::Kinesis::Stream: kinesis:CreateStream is not allowed", findings)

    def test_the_policy_of_another_person_is_not_enough(self):
        self.assertIn("AWS::Lambda::Function: lambda:CreateFunction is not allowed", policies.resource_findings(self.deployed, ["viewer"]))
        self.assertIn("nsl: dynamodb:PutItem is not allowed", policies.operator_findings(["viewer"]))
        self.assertNotEqual(policies.script_findings(["viewer"]), [])

    def test_a_policy_too_large_is_found(self):
        self.assertEqual(len(policies.size_findings({"all": {"Action": "x" * policies.MAX_CHARACTERS}})), 1)

    def test_calls_are_found_in_python(self):
        source = 'client.describe_stacks(StackName=name)\nclient.get_paginator("describe_stack_events")\nclient.close()'
        self.assertEqual(policies.calls_of(source), {"cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"})

    def test_calls_are_found_in_rust(self):
        source = "self.client.batch_write_item()\n.send(); client.delete_connection().send(); .iter()"
        self.assertEqual(policies.store_calls(source), {"dynamodb:BatchWriteItem", "execute-api:ManageConnections"})

    def test_requests_of_its_own_are_found_in_rust(self):
        source = r'query(&format!("Action=DescribeStacks&Version={V}")); ("x-amz-target", "secretsmanager.GetSecretValue") // ListSecrets'
        self.assertEqual(policies.named_calls(source), {"cloudformation:DescribeStacks", "secretsmanager:GetSecretValue"})
        self.assertEqual(policies.named_calls('aws(&["cloudformation", "describe-stacks"])'), {"cloudformation:DescribeStacks"})

    def test_a_function_outside_of_the_boundary_is_found(self):
        boundary = policies.documents()["boundary"]
        boundary["Statement"] = [one for one in boundary["Statement"] if one["Sid"] != "FailedRecords"]
        findings = policies.boundary_findings(self.deployed, boundary)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn("sqs:sendmessage", findings[0])


if __name__ == "__main__":
    unittest.main()
