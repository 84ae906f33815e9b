"""Tests of how `make smoke` calls `nsl`."""

import unittest

from fake_aws import settings_of

import smoke
from errors import Stop

SETTINGS = settings_of("prod")


class Smoke(unittest.TestCase):
    def test_the_stack_and_its_region_are_passed(self):
        command, environment = smoke.invocation(SETTINGS, "eu-west-1", {"PATH": "/bin", "AWS_REGION": "us-east-1"})
        self.assertEqual(command[-3:], ["smoke", "--stack", "nsl"])
        self.assertEqual(command[:2], ["cargo", "run"])
        self.assertEqual((environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]), ("eu-west-1", "eu-west-1"))
        self.assertNotIn("AWS_PROFILE", environment)

    def test_profile_program_and_options_are_passed(self):
        variables = {"NSL": "target/debug/nsl", "SMOKE": "--skip cors,wrong-key --json"}
        command, environment = smoke.invocation(SETTINGS | {"profile": "ops"}, "eu-west-1", variables)
        self.assertEqual(command, ["target/debug/nsl", "smoke", "--stack", "nsl", "--skip", "cors,wrong-key", "--json"])
        self.assertEqual(environment["AWS_PROFILE"], "ops")

    def test_options_that_cannot_be_split_are_named(self):
        with self.assertRaisesRegex(Stop, "^SMOKE: "):
            smoke.invocation(SETTINGS, "eu-west-1", {"SMOKE": "--skip 'cors"})


if __name__ == "__main__":
    unittest.main()
