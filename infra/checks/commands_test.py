"""Tests that the `aws` commands of the documents exist, and that each check can fail.

Run by `infra/checks/run`.
"""

import unittest

import commands


class TheDocuments(unittest.TestCase):
    def test_every_command_exists_with_its_options(self):
        self.assertEqual(commands.document_findings(), [])

    def test_commands_are_found(self):
        text = (commands.ROOT / "docs/DEPLOYMENT.md").read_text()
        self.assertGreater(len(commands.commands(text)), 30)


class TheChecks(unittest.TestCase):
    def found(self, text):
        return [finding for one in commands.commands(text) for finding in commands.findings_of(one)]

    def test_a_command_ends_where_the_shell_ends_it(self):
        text = 'A="$(aws sts get-caller-identity --query Account --output text)"\naws sns list-topics \\\n  --region us-east-1 | wc'
        self.assertEqual([one[1:3] for one in commands.commands(text)], [["sts", "get-caller-identity"], ["sns", "list-topics"]])
        self.assertEqual(self.found(text), [])

    def test_a_wrong_operation_service_or_waiter_is_found(self):
        self.assertEqual(self.found("aws dynamodb restore-table --x 1"), ["aws dynamodb restore-table --x: dynamodb has no operation restore-table"])
        self.assertEqual(self.found("aws dynamo list-tables"), ["aws dynamo list-tables: there is no service dynamo"])
        self.assertEqual(self.found("aws dynamodb wait table-ready"), ["aws dynamodb wait table-ready: dynamodb has no waiter table-ready"])

    def test_a_wrong_or_missing_option_is_found(self):
        findings = self.found("run `aws dynamodb delete-table --name x` now")
        self.assertEqual(findings, ["aws dynamodb delete-table --name: there is no option --name", "aws dynamodb delete-table --name: --table-name is required"])
        self.assertEqual(self.found("aws dynamodb update-table --table-name T --no-deletion-protection-enabled"), [])


if __name__ == "__main__":
    unittest.main()
