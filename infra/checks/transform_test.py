"""Tests that the deployed routes and functions are those of template.yaml, and that each check can fail.

Run by `infra/checks/run`, which provides the translator and a region.
"""

import json
import logging
import unittest
from pathlib import Path

import transform

# The translator logs errors about usage statistics, which are not collected here.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

TEMPLATE = Path(__file__).parents[2] / "template.yaml"

SMALL = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: provided.al2023, Handler: bootstrap } }
Resources:
  Talk: { Type: AWS::Serverless::Function }
  Ws:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      StageName: live
      RouteSelectionExpression: $request.body.type
      Routes:
        $default: { FunctionArn: !GetAtt Talk.Arn }
        ping: { FunctionArn: !GetAtt Talk.Arn, RouteResponseSelectionExpression: $default }
  PingAnswer:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: { ApiId: !Ref Ws, RouteId: !Ref WsPingRoute, RouteResponseKey: $default }
"""


def small():
    template = transform.yaml_parse(SMALL)
    return template, template["Resources"], template["Resources"]["Ws"]["Properties"]["Routes"]


def hand_written(key, target):
    properties = {"ApiId": {"Ref": "Ws"}, "RouteKey": key, "Target": {"Fn::Sub": target}}
    return {"Type": transform.ROUTE, "Properties": properties}


class TheTemplate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = transform.read(TEMPLATE)
        cls.deployed = transform.deploy(cls.template)

    def test_every_route_is_deployed_exactly_once(self):
        self.assertGreater(len(transform.declared_routes(self.template)), 3)
        self.assertEqual(transform.route_findings(self.template, self.deployed), [])

    def test_every_route_has_permission_to_call_its_function(self):
        self.assertEqual(transform.target_findings(self.deployed), [])

    def test_every_function_is_deployed_exactly_once(self):
        self.assertEqual(transform.function_findings(self.template, self.deployed), [])

    def test_exactly_the_two_way_routes_have_responses(self):
        self.assertEqual(transform.route_response_findings(self.deployed), [])

    def test_no_route_that_the_library_uses_is_two_way(self):
        self.assertEqual(transform.one_way_findings(self.deployed), [])

    def test_a_new_version_of_the_secret_changes_the_reference_to_it(self):
        values = transform.environments(self.deployed, "TOKEN_SECRET")
        self.assertEqual(sorted(values), ["Authorize", "Session"])
        for reference in values.values():
            self.assertEqual(
                reference["Fn::Sub"], "{{resolve:secretsmanager:${TokenSecret}:SecretString:::${TokenSecretVersion}}}"
            )

    def test_the_dashboard_has_the_address_of_the_outputs(self):
        [value] = transform.environments(self.deployed, "WEBSOCKET_ADDRESS").values()
        output = self.deployed["Outputs"]["WebSocketAddress"]["Value"]
        for conditions in [(), ("HasWebSocketDomain",), ("HasFront", "HasWebSocketDomain")]:
            self.assertEqual(transform.resolved(value, conditions), transform.resolved(output, conditions))
        self.assertEqual(
            transform.resolved(value, ["HasWebSocketDomain"]), {"Fn::Sub": "wss://${WebSocketDomainName}"}
        )

    def test_behind_a_proxy_no_authorisation_is_cached_and_both_apis_check_its_secret(self):
        values = transform.environments(self.deployed, "ORIGIN_SECRET")
        self.assertEqual(values, {"Authorize": {"Ref": "OriginSecret"}, "History": {"Ref": "OriginSecret"}})
        body = self.deployed["Resources"]["Http"]["Properties"]["Body"]
        [scheme] = body["components"]["securitySchemes"].values()
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        self.assertEqual(authorizer["identitySource"], ["$request.header.Authorization"])
        for conditions, seconds in [((), 60), (("HasOriginSecret",), 0)]:
            self.assertEqual(transform.resolved(authorizer["authorizerResultTtlInSeconds"], conditions), seconds)

    def test_the_proxy_lets_every_call_and_handshake_through_with_its_secret(self):
        distribution = transform.read(TEMPLATE.parent / "infra/waf/template.yaml")["Resources"]["Distribution"]
        config = distribution["Properties"]["DistributionConfig"]
        methods = {method for method, _ in transform.declared_calls(self.template)} | {"options"}
        self.assertLessEqual(methods, {method.lower() for method in config["DefaultCacheBehavior"]["AllowedMethods"]})
        [websocket] = config["CacheBehaviors"]
        self.assertEqual((websocket["PathPattern"], websocket["TargetOriginId"]), ({"Fn::Sub": "/${StageName}*"}, "websocket"))
        stage = self.template["Parameters"]["StageName"]["Default"]
        self.assertFalse(any(path.startswith(f"/{stage}") for _, path in transform.declared_calls(self.template)))
        for origin in config["Origins"]:
            self.assertEqual(origin["OriginCustomHeaders"], [{"HeaderName": "x-origin-verify", "HeaderValue": {"Ref": "OriginSecret"}}])

    def test_behind_a_proxy_the_outputs_name_it(self):
        named = {"WebSocketAddress": "wss://${FrontDomainName}/${StageName}", "HttpAddress": "https://${FrontDomainName}"}
        for output, address in named.items():
            for conditions in [("HasFront",), ("HasFront", "HasWebSocketDomain", "HasHttpDomain")]:
                value = self.deployed["Outputs"][output]["Value"]
                self.assertEqual(transform.resolved(value, conditions), {"Fn::Sub": address})

    def test_a_base_path_is_mapped_and_in_the_outputs(self):
        mapping = self.deployed["Resources"]["HttpMapping"]["Properties"]["ApiMappingKey"]
        address = self.deployed["Outputs"]["HttpAddress"]["Value"]
        for conditions, key, path in [((), "AWS::NoValue", ""), (("HasHttpBasePath",), "HttpBasePath", "/${HttpBasePath}")]:
            self.assertEqual(transform.resolved(mapping, conditions), {"Ref": key})
            self.assertEqual(
                transform.resolved(address, ("HasHttpDomain", *conditions)), {"Fn::Sub": "https://${HttpDomainName}" + path}
            )

    def test_only_functions_that_serve_people_can_be_reserved(self):
        for conditions in [(), ("ReservesHistory", "ReservesSession", "ReservesAuthorize")]:
            functions = transform.of_type(self.deployed, "AWS::Lambda::Function").items()
            key = "ReservedConcurrentExecutions"
            found = {name: transform.resolved(body["Properties"][key], conditions) for name, body in functions if key in body["Properties"]}
            for name in ("Authorize", "History", "Session"):
                self.assertEqual(found.pop(name), {"Ref": f"{name}Concurrency" if conditions else "AWS::NoValue"})
            self.assertEqual(found, {}, "storing and rolling up are never limited")
            for name in ("Authorize", "History", "Session"):
                self.assertEqual(self.template["Parameters"][f"{name}Concurrency"]["Default"], 0)

    def test_every_http_call_is_deployed_with_an_authorizer(self):
        self.assertGreater(len(transform.declared_calls(self.template)), 1)
        self.assertEqual(transform.call_findings(self.template, self.deployed), [])

    def test_the_tables_to_import_are_those_that_a_deleted_stack_leaves(self):
        imported = json.loads((TEMPLATE.parent / "infra/deploy/tables-to-import.json").read_text())
        own = {name: body for name, body in transform.of_type(self.template, "AWS::DynamoDB::Table").items() if name != "ConnectionsTable"}
        self.assertEqual(imported["Resources"].keys(), own.keys())
        # `make deploy` updates no stack without one of the service's parameters.
        self.assertIn("RawRetentionHours", imported["Parameters"].keys() & self.template["Parameters"].keys())
        for name, table in imported["Resources"].items():
            self.assertEqual(table["DeletionPolicy"], "Retain")
            for key in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "StreamSpecification"):
                self.assertEqual(table["Properties"].get(key), own[name]["Properties"].get(key), name)

    def test_every_role_has_the_documented_policies(self):
        self.assertEqual(transform.role_findings(self.template, self.deployed), [])
        document = (TEMPLATE.parent / "docs/SECURITY.md").read_text()
        for policy in transform.STREAM_ROLE:
            self.assertIn(f"`{policy}`", document)

    def test_exactly_what_cannot_be_rebuilt_remains_without_its_stack(self):
        for conditions in [(), ("RetainsData",)]:
            self.assertEqual(transform.retention_findings(self.deployed, conditions), [])
        for name, table in transform.of_type(self.deployed, transform.TABLE).items():
            recovers = "PointInTimeRecoverySpecification" in table["Properties"]
            self.assertEqual("DeletionPolicy" in table, recovers, f"{name}: what is recovered is retained")

    def test_the_template_needs_no_transform_but_sams(self):
        # AWS::LanguageExtensions rejects RetainExceptOnCreate.
        self.assertEqual(self.template["Transform"], "AWS::Serverless-2016-10-31")

    def test_a_budget_reports_to_topic_and_address(self):
        budget = self.deployed["Resources"]["Budget"]
        self.assertEqual(budget["Condition"], "HasBudget")
        self.assertNotIn("BudgetName", budget["Properties"]["Budget"], "a named budget cannot be replaced")
        for conditions, kinds in [(["HasAlarmTopic"], ["SNS"]), (["HasAlarmTopic", "HasBudgetEmail"], ["SNS", "EMAIL"])]:
            notifications = transform.resolved(budget["Properties"]["NotificationsWithSubscribers"], conditions)
            levels = [(one["Notification"]["NotificationType"], one["Notification"]["Threshold"]) for one in notifications]
            self.assertEqual(levels, [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)])
            for one in notifications:
                found = [subscriber["SubscriptionType"] for subscriber in one["Subscribers"] if "Ref" not in subscriber]
                self.assertEqual(found, kinds)


class TheChecks(unittest.TestCase):
    def test_a_correct_template_has_no_findings(self):
        template, _, _ = small()
        deployed = transform.deploy(template)
        findings = transform.route_findings(template, deployed) + transform.target_findings(deployed)
        findings += transform.function_findings(template, deployed)
        findings += transform.route_response_findings(deployed) + transform.one_way_findings(deployed)
        self.assertEqual(findings, [])

    def test_routes_that_differ_only_in_case_are_found(self):
        template, _, routes = small()
        routes["publish"] = routes["Publish"] = routes["$default"]
        findings = transform.route_findings(template, transform.deploy(template))
        self.assertEqual(len(findings), 1)
        self.assertIn("ublish is declared 1 times and deployed 0 times", findings[0])

    def test_a_route_named_like_a_predefined_one_is_found(self):
        template, _, routes = small()
        routes["default"] = routes["ping"]
        self.assertEqual(len(transform.route_findings(template, transform.deploy(template))), 1)

    def test_a_route_written_twice_is_found(self):
        template, resources, _ = small()
        resources["Again"] = hand_written("ping", "integrations/${WsPingIntegration}")
        findings = transform.route_findings(template, transform.deploy(template))
        self.assertEqual(findings, ["route ping is declared 2 times and deployed 2 times"])

    def test_a_route_without_an_integration_is_found(self):
        template, resources, _ = small()
        resources["Lost"] = hand_written("send_metrics", "integrations/${WsNowhereIntegration}")
        findings = transform.target_findings(transform.deploy(template))
        self.assertEqual(findings, ["route send_metrics (Lost) has no integration"])

    def test_a_route_without_a_permission_is_found(self):
        template, resources, _ = small()
        resources["Mute"] = hand_written("send_metrics", "integrations/${WsDefaultIntegration}")
        findings = transform.target_findings(transform.deploy(template))
        self.assertEqual(findings, ["route send_metrics (Mute) has no permission to call Talk"])

    def test_a_route_to_a_missing_function_is_found(self):
        template, _, routes = small()
        routes["publish"] = {"FunctionArn": {"Fn::GetAtt": ["Ghost", "Arn"]}}
        findings = transform.target_findings(transform.deploy(template))
        self.assertEqual(findings, ["route publish (WsPublishRoute) calls Ghost, which is not a function"])

    def test_a_missing_function_is_found(self):
        template, _, _ = small()
        deployed = transform.deploy(template)
        del deployed["Resources"]["Talk"]
        findings = transform.function_findings(template, deployed)
        self.assertEqual(findings, ["function Talk is not deployed as declared"])

    def test_a_two_way_route_without_a_response_is_found(self):
        template, resources, _ = small()
        del resources["PingAnswer"]
        findings = transform.route_response_findings(transform.deploy(template))
        self.assertEqual(findings, ["route ping needs 1 route responses"])

    def test_a_response_on_a_one_way_route_is_found(self):
        template, _, routes = small()
        del routes["ping"]["RouteResponseSelectionExpression"]
        findings = transform.route_response_findings(transform.deploy(template))
        self.assertEqual(findings, ["route ping needs 0 route responses"])

    def test_a_response_for_a_missing_route_is_found(self):
        template, resources, _ = small()
        resources["PingAnswer"]["Properties"]["RouteId"] = {"Ref": "WsPongRoute"}
        findings = transform.route_response_findings(transform.deploy(template))
        self.assertIn("a route response is for WsPongRoute, which is not a route", findings)

    def test_a_two_way_route_of_the_library_is_found(self):
        template, _, routes = small()
        routes["auth"] = routes["ping"]
        findings = transform.one_way_findings(transform.deploy(template))
        self.assertEqual(findings, ["route auth is two-way and would send empty messages"])

    def test_a_missing_or_open_http_call_is_found(self):
        template, resources, _ = small()
        resources["Http"] = {"Type": "AWS::Serverless::HttpApi"}
        call = {"ApiId": {"Ref": "Http"}, "Method": "GET", "Path": "/apps"}
        resources["Talk"]["Properties"] = {"Events": {"Apps": {"Type": "HttpApi", "Properties": call}}}
        deployed = transform.deploy(template)
        self.assertEqual(transform.call_findings(template, deployed), ["get /apps has no authorizer"])
        del deployed["Resources"]["Http"]
        self.assertEqual(transform.call_findings(template, deployed), ["get /apps is not deployed"])

    def test_an_additional_policy_is_found(self):
        template, resources, _ = small()
        resources["Talk"]["Properties"] = {"Tracing": "Active", "PermissionsBoundary": {"Ref": "PermissionsBoundary"}}
        self.assertEqual(transform.role_findings(template, transform.deploy(template)), [])
        resources["Talk"]["Properties"]["Policies"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
        [finding] = transform.role_findings(template, transform.deploy(template))
        self.assertIn("Talk has the managed policies ['AWSLambdaBasicExecutionRole', 'AWSXrayWriteOnlyAccess', 'AdministratorAccess']", finding)

    def test_a_role_without_the_boundary_is_found(self):
        template, resources, _ = small()
        resources["Talk"]["Properties"] = {"Tracing": "Active"}
        findings = transform.role_findings(template, transform.deploy(template))
        self.assertEqual(findings, ["Talk has a role without PermissionsBoundary"])

    def test_wrong_retention_is_found(self):
        template, resources, _ = small()
        resources["Kept"] = {"Type": transform.TABLE, "DeletionPolicy": "Retain"}
        resources["Lost"] = {"Type": transform.TABLE}
        deployed = transform.deploy(template)
        findings = [
            "Kept has the policies Retain and Delete, not RetainExceptOnCreate and Retain",
            "Kept is not updated when only RetainData changes",
            "Lost has the policies Delete and Delete, not RetainExceptOnCreate and Retain",
        ]
        self.assertEqual(transform.retention_findings(deployed, ["RetainsData"]), findings)

    def test_a_role_without_function_is_found(self):
        template, resources, _ = small()
        resources["Talk"]["Properties"] = {"Tracing": "Active", "PermissionsBoundary": {"Ref": "PermissionsBoundary"}}
        resources["Spare"] = {"Type": transform.ROLE, "Properties": {"AssumeRolePolicyDocument": {}}}
        findings = transform.role_findings(template, transform.deploy(template))
        self.assertEqual(findings, ["role Spare belongs to no function"])


if __name__ == "__main__":
    unittest.main()
