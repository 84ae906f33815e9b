"""Tests of the parameters of a deployment: what is read, what is refused, what reaches SAM."""

import tempfile
import unittest
from pathlib import Path

from fake_aws import ROOT
from samcli.cli.types import CfnParameterOverridesType

import parameters
import settings
import template
from errors import Stop

KEYS = '{"keys":[{"kty":"RSA","kid":"a b","n":"x-_y","e":"AQAB"}]}'
TEMPLATE = template.load(ROOT / "template.yaml")


def faults(*overrides, of=TEMPLATE):
    return parameters.checked(of, overrides)[1]


class Sam(unittest.TestCase):
    """What SAM reads from the file that is passed to it."""

    def read_by_sam(self, *overrides):
        values, wrong = parameters.checked(TEMPLATE, overrides)
        self.assertEqual(wrong, [])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "parameters.yaml"
            parameters.write(values, path)
            self.assertEqual(path.stat().st_mode & 0o077, 0)
            return CfnParameterOverridesType().convert([f"file://{path}"], None, None)

    def test_every_parameter_is_passed_each_time(self):
        self.assertEqual(set(self.read_by_sam()), set(TEMPLATE["Parameters"]))

    def test_a_default_is_passed_as_the_template_has_it(self):
        self.assertEqual(self.read_by_sam()["MemorySize"], str(TEMPLATE["Parameters"]["MemorySize"]["Default"]))
        self.assertEqual(self.read_by_sam()["AlarmTopic"], "")

    def test_quotes_and_spaces_reach_sam_unchanged(self):
        self.assertEqual(self.read_by_sam(f"TokenKeys={KEYS}")["TokenKeys"], KEYS)

    def test_a_value_can_be_read_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(KEYS.replace(",", ",\n  "))
            file.flush()
            self.assertEqual(self.read_by_sam(f"TokenKeys=@{file.name}")["TokenKeys"], KEYS)

    def test_a_text_in_a_file_is_the_value(self):
        secret = "0123456789abcdef0123456789abcdef"
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(f'"{secret}"')
            file.flush()
            self.assertEqual(self.read_by_sam(f"OriginSecret=@{file.name}")["OriginSecret"], secret)

    def test_only_the_user_can_read_what_is_passed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "parameters.yaml"
            path.touch(mode=0o644)
            parameters.write({"OriginSecret": "x"}, path)
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_the_last_of_two_values_counts(self):
        self.assertEqual(self.read_by_sam("LogRetentionDays=30", "LogRetentionDays=90")["LogRetentionDays"], "90")


class Refused(unittest.TestCase):
    def test_each_wrong_parameter_has_its_sentence(self):
        for override, expected in [
            ("NoSuchParameter=1", "NoSuchParameter is not a parameter of the template"),
            ("loglevel=DEBUG", "did you mean LogLevel?"),
            ("AlarmTopics=x", "did you mean AlarmTopic?"),
            ("LogLevel=debug", "must be one of TRACE, DEBUG"),
            ("LogRetentionDays=8", "must be one of 1, 3"),
            ("AlarmTopic=oncall", "must be the ARN of a standard SNS topic"),
            ("MemorySize=64", "at least 128"),
            ("MemorySize=9000", "at most 3008"),
            ("MemorySize=much", "must be a number"),
            ("MemorySize=\u0663\u0660\u0660", "must be a number"),
            ("MemorySize=256.5", "must be a whole number"),
            ("MemorySize=", "must be a number"),
            ("TokenAudience=", "must not be empty"),
            ("TokenKeys=@missing.json", "missing.json cannot be read"),
            ("TokenKeys=@docs", "cannot be read"),
            ("TokenKeys=@README.md", "README.md is not valid JSON"),
            (f"TokenKeys={'x' * 4097}", "at most 4096 bytes"),
            ('TokenKeys={"kid":"a\\"b"}', "backslash"),
            ("TokenKeys", "is not KEY=VALUE"),
            ("=1", "is not KEY=VALUE"),
        ]:
            with self.subTest(override[:40]):
                [fault] = faults(override)
                self.assertIn(expected, fault)

    def test_all_faults_are_found_at_once(self):
        self.assertEqual(len(faults("NoSuchParameter=1", "LogLevel=x", "TokenKeys=@missing.json", "MemorySize=1")), 4)

    def test_the_rules_of_the_template_are_checked(self):
        self.assertIn("needs HttpDomainName", faults("HttpBasePath=api")[0])
        self.assertIn("needs CertificateArn", faults("HttpDomainName=a.example.com")[0])
        self.assertEqual(faults("HttpDomainName=a.example.com", "CertificateArn=arn:aws:acm:eu-west-1:123456789012:certificate/x"), [])

    def test_a_rule_about_the_region_is_checked_where_it_is_known(self):
        rules = {"Parameters": {}, "Resources": {}, "Rules": {"R": {"Assertions": [
            {"Assert": {"Fn::Not": [{"Fn::Contains": [["eu-north-1"], {"Ref": "AWS::Region"}]}]}, "AssertDescription": "not here"}]}}}
        self.assertEqual(parameters.checked(rules, [], region="eu-north-1")[1], ["not here"])
        self.assertEqual(parameters.checked(rules, [], region="eu-west-1")[1], [])
        self.assertEqual(parameters.checked(rules, [])[1], [])

    def test_a_rule_that_only_aws_can_evaluate_is_left_to_it(self):
        rules = {"Rules": {"R": {"Assertions": [{"Assert": {"Fn::ValueOf": ["A", "B"]}}]}}}
        self.assertEqual(template.rule_faults(rules, {}), [])

    def test_lists_and_hidden_values(self):
        declared = {"L": {"Type": "List<Number>", "MaxValue": 5}, "S": {"Type": "String", "NoEcho": True, "MaxLength": 3}}
        found = faults("L=1,2,9", "S=secret", of={"Parameters": declared, "Resources": {}})
        self.assertIn("at most 5", found[0])
        self.assertNotIn("secret", found[1])

    def test_a_parameter_without_default_needs_a_value(self):
        self.assertIn("needs a value", faults(of={"Parameters": {"X": {"Type": "String"}}, "Resources": {}})[0])


class Changes(unittest.TestCase):
    def test_old_and_new_values_are_shown_but_hidden_ones_not(self):
        declared = {"Key": {"NoEcho": "true"}}
        lines = parameters.changes({"A": "1", "Gone": "x", "Key": "****"}, {"A": "2", "New": "", "Key": "secret"}, declared)
        self.assertEqual([line.split(None, 1) for line in lines],
                         [["A", "1 -> 2"], ["New", '(none) -> ""'], ["Key", "(hidden, cannot be compared)"], ["Gone", "x -> (none)"]])


class Configuration(unittest.TestCase):
    def read(self, text, environment="x", **variables):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("version = 0.1\n" + text)
            file.flush()
            return settings.read(environment, {"SAMCONFIG": file.name, **variables})

    def test_any_section_with_a_stack_name_can_be_deployed(self):
        found = self.read('[x.deploy.parameters]\nstack_name = "mine"\n')
        self.assertEqual((found["stack_name"], found["prefix"], found["overrides"]), ("mine", "mine", []))
        self.assertTrue(found["asks_before_delete"])

    def test_every_form_of_sam_is_read(self):
        for overrides in ['["A=1", "B=x y"]', "'A=1 B=\"x y\"'", '{A = 1, B = "x y"}', '[{A = 1}, "B=x y"]']:
            text = f'[x.deploy.parameters]\nstack_name = "mine"\nparameter_overrides = {overrides}\n'
            self.assertEqual(self.read(text)["overrides"], ["A=1", "B=x y"], overrides)

    def test_options_for_all_commands_and_of_make_are_read(self):
        text = '[x.global.parameters]\nstack_name = "mine"\nregion = "eu-west-1"\n[x.deploy.parameters]\n'
        found = self.read(text, PARAMETERS="A=1 B='x y'")
        self.assertEqual((found["region"], found["overrides"]), ("eu-west-1", ["A=1", "B=x y"]))

    def test_sections_of_one_stack_find_each_other(self):
        sections = "".join(f'[{name}.deploy.parameters]\nstack_name = "{stack}"\n' for name, stack in [("x", "a"), ("y", "a"), ("z", "b")])
        self.assertEqual(self.read(sections)["twins"], ["y"])

    def test_each_stack_has_its_own_folder_in_the_bucket(self):
        for prefix, expected in [("", "mine"), ("mine", "mine"), ("shared", "shared/mine"), ("/a/mine/", "a/mine")]:
            text = f'[x.deploy.parameters]\nstack_name = "mine"\ns3_prefix = "{prefix}"\n'
            self.assertEqual(self.read(text)["prefix"], expected)

    def test_a_wrong_file_is_one_sentence(self):
        for text, expected in [
            ("[x.deploy.parameters\n", "is not valid TOML"),
            ("[y.deploy.parameters]\n", "there is no ENVIRONMENT=x"),
            ("[x.deploy.parameters]\n", "needs a stack_name"),
            ('[x.deploy.parameters]\nstack_name = "1_"\n', "needs a stack_name"),
            ('[x.deploy.parameters]\nstack_name = "a"\nparameter_overrides = 3\n', "parameter_overrides"),
            ('[x.deploy.parameters]\nstack_name = "a"\nregion = 3\n', "region in [x.deploy.parameters] is not a text"),
            ('[x]\ndeploy = 3\n', "needs a stack_name"),
            ('[x.deploy.parameters]\nstack_name = "a"\n[x.delete.parameters]\nstack_name = "b"\n', "deploys a but deletes b"),
        ]:
            with self.subTest(text), self.assertRaises(Stop) as stop:
                self.read(text)
            self.assertIn(expected, str(stop.exception))
        with self.assertRaises(Stop):
            settings.read("dev", {"SAMCONFIG": "missing.toml"})
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file, self.assertRaises(Stop):
            file.write('[x.deploy.parameters]\nstack_name = "a"\n')
            file.flush()
            settings.read("x", {"SAMCONFIG": file.name})

    def test_a_command_to_repeat_names_the_file_and_the_environment(self):
        found = self.read('[x.deploy.parameters]\nstack_name = "a"\n')
        self.assertEqual(settings.command(found, "deploy"), f"make deploy ENVIRONMENT=x SAMCONFIG={found['config']}")
        self.assertEqual(settings.command(settings.read("dev", {}), "deploy"), "make deploy")

    def test_the_projects_own_environments_are_valid(self):
        for name in ("dev", "prod"):
            found = settings.read(name, {})
            self.assertEqual(faults(*found["overrides"]), [])
            self.assertEqual(found["prefix"], found["stack_name"])


if __name__ == "__main__":
    unittest.main()
