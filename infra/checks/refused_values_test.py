"""Tests of what the template refuses: values that AWS would refuse halfway through a deployment.

`make deploy` checks them with the same patterns and Rules before CloudFormation does.

Run by `infra/checks/run`, which provides the translator and a region.
"""

import unittest

from cfnlint.helpers import REGIONS
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from fake_aws import ROOT

import template

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-1111-2222-333344445555"
TOPIC = "arn:aws:sns:us-east-1:123456789012:oncall"
DOMAINS = {"WebSocketDomainName": "ws.example.com", "HttpDomainName": "metrics.example.com", "CertificateArn": CERTIFICATE}

ACCEPTED = {
    "StageName": ["live", "prod", "v1_2-x"],
    "AllowedOrigins": [
        "https://metrics.example.com",
        "https://metrics.example.com,http://localhost:3000,http://[::1]:8080,tauri://localhost",
    ],
    "TokenSecretVersion": ["", "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"],
    "TokenKeys": ["", '{"keys":[]}', '{ "keys" : [\n {"kty":"EC","crv":"P-256"}] }'],
    "PermissionsBoundary": ["", "arn:aws:iam::123456789012:policy/team/boundary", "arn:aws-us-gov:iam::aws:policy/PowerUserAccess"],
    "AlarmTopic": ["", TOPIC, "arn:aws-cn:sns:cn-north-1:123456789012:on-call_2"],
    "WebSocketDomainName": ["", "ws.example.com", "xn--bcher-kva.example"],
    "HttpBasePath": ["", "api/logger", "v1", "pings"],
    "CertificateArn": ["", CERTIFICATE],
    "HostedZoneId": ["", "Z0123456789ABCDEFGHIJ"],
    "BudgetEmail": ["", "oncall@example.com"],
    "BudgetTag": ["", "aws:cloudformation:stack-name$nsl", "user:environment$prod"],
}
REFUSED = {
    "StageName": ["", "$default", "a b", "x" * 65],
    "AllowedOrigins": [
        "", "*", "https://*.example.com", "https://metrics.example.com/", "https://metrics.example.com/app", "metrics.example.com",
        "https://a.example.com, https://b.example.com", "https://a.example.com,", "https://Metrics.example.com", "null",
        ",".join(["https://metrics.example.com"] * 80),
    ],
    "TokenSecretVersion": ["AWSCURRENT"],
    "TokenKeys": ["@keys.json", '["keys"]', '{"kty":"EC"}', "https://issuer.example.com/jwks", '{"keys":[' + " " * 3072 + "]}"],
    "PermissionsBoundary": ["boundary", "arn:aws:iam::123456789012:role/team", "arn:aws:iam::1234:policy/team"],
    "AlarmTopic": ["oncall", TOPIC + ".fifo", "arn:aws:sqs:us-east-1:123456789012:oncall", TOPIC + ":0a1b"],
    "WebSocketDomainName": ["WS.example.com", "wss://ws.example.com", "ws.example.com/live", "*.example.com", "localhost", "ws.example.com."],
    "HttpDomainName": ["Metrics.example.com", "https://metrics.example.com", "metrics_1.example.com"],
    "HttpBasePath": ["/api", "api/", "api//logger", "api logger", "x" * 301],
    "CertificateArn": ["0a1b2c3d", "arn:aws:iam::123456789012:server-certificate/web"],
    "HostedZoneId": ["example.com", "/hostedzone/Z0123456789ABCDEFGHIJ"],
    "BudgetEmail": ["oncall", "a@example.com,b@example.com"],
    "BudgetTag": ["environment", "environment$prod", "user:environment"],
    "MonthlyBudget": ["-1"],
    "RollupWindowSeconds": ["301"],
    "MemorySize": ["64"],
}


class TheParameters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = template.load(ROOT / "template.yaml")

    def refusals(self, region="us-east-1", **given):
        declared = self.template["Parameters"]
        values = template.defaults(declared) | given
        return template.value_faults(values, declared) or template.rule_faults(self.template, values | {"AWS::Region": region})

    def fault(self, name, value):
        return template.value_fault(value, self.template["Parameters"][name])

    def test_defaults_are_accepted(self):
        self.assertEqual(self.refusals(), [])

    def test_correct_values_meet_their_constraints(self):
        for name, values in ACCEPTED.items():
            for value in values:
                self.assertIsNone(self.fault(name, value), f"{name}={value}")

    def test_values_that_aws_would_refuse_are_refused_first(self):
        for name, values in REFUSED.items():
            for value in values:
                self.assertIsNotNone(self.fault(name, value), f"{name}={value}")

    def test_every_pattern_has_a_sentence_about_correct_values(self):
        for name, body in self.template["Parameters"].items():
            if "AllowedPattern" in body:
                self.assertRegex(body["ConstraintDescription"], "^must (be|have) ", name)

    def test_one_domain_cannot_serve_both_apis(self):
        self.assertEqual(self.refusals(**DOMAINS), [])
        [refusal] = self.refusals(**DOMAINS | {"HttpDomainName": DOMAINS["WebSocketDomainName"]})
        self.assertIn("WebSocketDomainName and HttpDomainName must differ", refusal)
        self.assertEqual(self.refusals(HttpDomainName="metrics.example.com", CertificateArn=CERTIFICATE), [])

    def test_a_case_cannot_make_one_domain_two(self):
        [refusal] = self.refusals(**DOMAINS | {"HttpDomainName": DOMAINS["WebSocketDomainName"].upper()})
        self.assertIn("HttpDomainName=WS.EXAMPLE.COM: the value must be a domain name in lower case", refusal)

    def test_what_belongs_to_a_domain_needs_one(self):
        for name, value in [("CertificateArn", CERTIFICATE), ("HostedZoneId", "Z0123456789ABCDEFGHIJ"), ("HttpBasePath", "api")]:
            [refusal] = self.refusals(**{name: value})
            self.assertIn(name, refusal)
            self.assertIn("HttpDomainName", refusal)
        for name in ("WebSocketDomainName", "HttpDomainName"):
            self.assertEqual(self.refusals(**{name: DOMAINS[name]}), ["A domain name needs CertificateArn."])

    def test_paths_that_api_gateway_keeps_are_refused(self):
        for path in ("ping", "sping"):
            [refusal] = self.refusals(**DOMAINS, HttpBasePath=path)
            self.assertIn("Use another HttpBasePath", refusal)

    def test_a_budget_that_nothing_reports_is_refused(self):
        self.assertEqual(self.refusals(MonthlyBudget="100"), ["MonthlyBudget needs AlarmTopic or BudgetEmail, or nothing reports it."])
        self.assertEqual(self.refusals(MonthlyBudget="100", AlarmTopic=TOPIC), [])
        self.assertEqual(self.refusals(MonthlyBudget="100", BudgetEmail="a@example.com", BudgetTag="user:a$b"), [])
        for setting in ({"BudgetEmail": "a@example.com"}, {"BudgetTag": "user:a$b"}):
            self.assertEqual(self.refusals(**setting), ["BudgetEmail and BudgetTag are for a budget. Set MonthlyBudget, or leave them empty."])

    def test_a_budget_is_refused_exactly_where_cloudformation_has_none(self):
        [assertion] = [one["Assert"] for one in self.template["Rules"]["BudgetsAreReported"]["Assertions"] if "Region" in str(one)]
        listed = assertion["Fn::Not"][0]["Fn::Contains"][0]
        self.assertEqual(listed, sorted(region for region in REGIONS if not has_budgets(region)))
        [refusal] = self.refusals("eu-north-1", MonthlyBudget="100", AlarmTopic=TOPIC)
        self.assertIn("CloudFormation cannot create a budget in this Region", refusal)
        self.assertEqual(self.refusals("eu-north-1"), [])

    def test_default_throttles_are_what_every_region_allows(self):
        parameters = self.template["Parameters"]
        self.assertLessEqual(parameters["ThrottlingRate"]["Default"], 2500)
        self.assertLessEqual(parameters["ThrottlingBurst"]["Default"], 1250)


def has_budgets(region):
    try:
        return bool(PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, "AWS::Budgets::Budget"))
    except ResourceNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
