"""Transforms the SAM template offline and compares what is declared with what would be deployed.

SAM silently drops routes whose generated names collide, and generates no route responses. Neither `sam validate` nor
cfn-lint detects this. Each check returns its findings as a list of sentences. For two-way routes see
docs/PROTOCOL.md, "Routes that answer by themselves".
"""

import copy
from collections import Counter
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# The message types that the published library and its dashboard send. An empty message ends the library's process,
# and a two-way route sends one whenever its function returns no body.
LIBRARY_ROUTES = frozenset(
    "auth metrics send_metrics logs history check_status get_last_actions filter clear command "
    "request_metrics request_history".split()
)
PREDEFINED_ROUTES = frozenset(["$connect", "$disconnect", "$default"])

# Paths that need no credential (docs/PROTOCOL.md, "HTTP").
OPEN_PATHS = frozenset(["/", "/health"])

SOCKET_API = "AWS::Serverless::WebSocketApi"
FUNCTION = "AWS::Serverless::Function"
ROUTE = "AWS::ApiGatewayV2::Route"
TWO_WAY_KEY = "RouteResponseSelectionExpression"
ROLE = "AWS::IAM::Role"

# Managed policies that SAM adds to roles; they apply to every resource (docs/SECURITY.md, "Least privilege").
EVERY_ROLE = frozenset(["AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"])
STREAM_ROLE = EVERY_ROLE | {"AWSLambdaDynamoDBExecutionRole"}

# The parameter that bounds every role, and the condition that it is set.
BOUNDARY, BOUNDARY_CONDITION = "PermissionsBoundary", "HasPermissionsBoundary"

TABLE = "AWS::DynamoDB::Table"
# The table whose rows expire within hours and need no recovery.
EPHEMERAL = frozenset(["ConnectionsTable"])


class NoManagedPolicies:
    """Replaces the translator's request to AWS for managed policies; the template uses none."""

    def load(self):
        return {}


def read(path):
    return yaml_parse(Path(path).read_text())


def deploy(template):
    """The CloudFormation template that SAM generates from `template`, without a build and without AWS."""
    packaged = copy.deepcopy(template)
    packaged.setdefault("Globals", {}).setdefault("Function", {})["CodeUri"] = "s3://bucket/key"
    return transform(packaged, {}, NoManagedPolicies())


def of_type(template, *types):
    return {name: body for name, body in template["Resources"].items() if body["Type"] in types}


def properties(resources):
    return [body.get("Properties", {}) for body in resources.values()]


def environments(deployed, variable):
    """The value of an environment variable, by each deployed function that has it."""
    functions = of_type(deployed, "AWS::Lambda::Function")
    found = {name: body["Properties"]["Environment"]["Variables"] for name, body in functions.items()}
    return {name: variables[variable] for name, variables in found.items() if variable in variables}


def resolved(value, conditions):
    """`value` with each `!If` resolved, where only `conditions` are true."""
    if isinstance(value, list):
        return [resolved(part, conditions) for part in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, where, otherwise = value["Fn::If"]
        return resolved(where if condition in conditions else otherwise, conditions)
    return {key: resolved(part, conditions) for key, part in value.items()}


def declared_routes(template):
    """Every (route key, route properties) of the source, from the API and from route resources."""
    routes = [pair for api in properties(of_type(template, SOCKET_API)) for pair in api["Routes"].items()]
    return routes + [(route["RouteKey"], route) for route in properties(of_type(template, ROUTE))]


def reference(value):
    """The logical name inside `!Ref`, `!GetAtt X.Arn`, `!Sub …/${X}` or SAM's own joins of those; else None."""
    if isinstance(value, str):
        name = value.rsplit("${", 1)[-1].rstrip("}").split(".")[0]
        return name if "${" in value else None
    if isinstance(value, list):
        return next((name for name in map(reference, reversed(value)) if name), None)
    if not isinstance(value, dict):
        return None
    if "Ref" in value:
        return value["Ref"]
    if "Fn::GetAtt" in value:
        attribute = value["Fn::GetAtt"]
        return attribute.split(".")[0] if isinstance(attribute, str) else attribute[0]
    if "Fn::Join" in value:
        return reference(value["Fn::Join"][1])
    if "Fn::Sub" in value:
        source = value["Fn::Sub"]
        return reference(source) if isinstance(source, str) else reference(source[1].get("FunctionArn"))
    return None


def route_findings(template, deployed):
    """Every declared route key is deployed exactly once, and no other."""
    declared = Counter(key for key, _ in declared_routes(template))
    emitted = Counter(route["RouteKey"] for route in properties(of_type(deployed, ROUTE)))
    return [
        f"route {key} is declared {declared[key]} times and deployed {emitted[key]} times"
        for key in sorted(declared.keys() | emitted.keys())
        if (declared[key], emitted[key]) != (1, 1)
    ]


def target_findings(deployed):
    """Every route has an integration, which calls a function that permits this route."""
    integrations = of_type(deployed, "AWS::ApiGatewayV2::Integration")
    functions = of_type(deployed, "AWS::Lambda::Function")
    permitted = {
        (reference(permission["FunctionName"]), source_route(permission.get("SourceArn")))
        for permission in properties(of_type(deployed, "AWS::Lambda::Permission"))
    }
    findings = []
    for name, route in of_type(deployed, ROUTE).items():
        key = route["Properties"]["RouteKey"]
        integration = integrations.get(reference(route["Properties"].get("Target")))
        if integration is None:
            findings.append(f"route {key} ({name}) has no integration")
            continue
        function = reference(integration["Properties"]["IntegrationUri"])
        if function not in functions:
            findings.append(f"route {key} ({name}) calls {function}, which is not a function")
        elif (function, key) not in permitted:
            findings.append(f"route {key} ({name}) has no permission to call {function}")
    return findings


def source_route(source_arn):
    """The last segment of a permission's source ARN: the route key for a WebSocket API."""
    pattern = source_arn.get("Fn::Sub", "") if isinstance(source_arn, dict) else source_arn or ""
    text = pattern[0] if isinstance(pattern, list) else pattern
    return text.rsplit("/", 1)[-1]


def function_findings(template, deployed):
    """Every function of the source appears once under its own name."""
    declared, emitted = set(of_type(template, FUNCTION)), set(of_type(deployed, "AWS::Lambda::Function"))
    return [f"function {name} is not deployed as declared" for name in sorted(declared ^ emitted)]


def route_response_findings(deployed):
    """Exactly the routes that select a response have one: neither works without the other."""
    responses = Counter(
        reference(response["RouteId"])
        for response in properties(of_type(deployed, "AWS::ApiGatewayV2::RouteResponse"))
        if response.get("RouteResponseKey") == "$default"
    )
    findings = []
    for name, route in of_type(deployed, ROUTE).items():
        expected = 1 if TWO_WAY_KEY in route["Properties"] else 0
        if responses.pop(name, 0) != expected:
            findings.append(f"route {route['Properties']['RouteKey']} needs {expected} route responses")
    return findings + [f"a route response is for {name}, which is not a route" for name in responses]


def one_way_findings(deployed):
    """No route that the library or API Gateway uses is two-way."""
    return [
        f"route {route['RouteKey']} is two-way and would send empty messages"
        for route in properties(of_type(deployed, ROUTE))
        if route["RouteKey"] in LIBRARY_ROUTES | PREDEFINED_ROUTES and TWO_WAY_KEY in route
    ]


def declared_calls(template):
    """Every (method, path) of the HTTP API in the source."""
    events = [event for body in properties(of_type(template, FUNCTION)) for event in body.get("Events", {}).values()]
    calls = [event["Properties"] for event in events if event["Type"] == "HttpApi"]
    return [(call["Method"].lower(), call["Path"]) for call in calls]


def call_findings(template, deployed):
    """Every HTTP call of the source has an integration, and all but OPEN_PATHS have an authorizer."""
    paths = {}
    for api in properties(of_type(deployed, "AWS::ApiGatewayV2::Api")):
        paths.update(api.get("Body", {}).get("paths", {}))
    findings = []
    for method, path in declared_calls(template):
        operation = paths.get(path, {}).get(method, {})
        if "x-amazon-apigateway-integration" not in operation:
            findings.append(f"{method} {path} is not deployed")
        elif path not in OPEN_PATHS and not any(name != "NONE" for rule in operation.get("security", []) for name in rule):
            findings.append(f"{method} {path} has no authorizer")
    return findings


def managed(role):
    """The names of the AWS-managed policies of a role."""
    return {arn.rsplit("/", 1)[-1] for arn in role.get("ManagedPolicyArns", [])}


def role_findings(template, deployed):
    """Every function has its own role with the expected managed policies and the account's boundary, if any, and there are
    no other roles."""
    functions = of_type(template, FUNCTION)
    readers = {name for name, body in functions.items() if reads_stream(body["Properties"])}
    roles = {name: body["Properties"] for name, body in of_type(deployed, ROLE).items()}
    findings = [f"role {name} belongs to no function" for name in sorted(roles.keys() - {f"{one}Role" for one in functions})]
    for name in functions:
        expected = STREAM_ROLE if name in readers else EVERY_ROLE
        found = managed(roles.get(f"{name}Role", {}))
        if found != expected:
            findings.append(f"{name} has the managed policies {sorted(found)}, not {sorted(expected)}")
        if resolved(roles.get(f"{name}Role", {}).get("PermissionsBoundary"), [BOUNDARY_CONDITION]) != {"Ref": BOUNDARY}:
            findings.append(f"{name} has a role without {BOUNDARY}")
    return findings


def reads_stream(function):
    return any(event["Type"] == "DynamoDB" for event in function.get("Events", {}).values())


def retention_findings(deployed, conditions):
    """With RetainData, the tables that cannot be rebuilt remain without their stack, but not after a creation that failed;
    nothing else remains. Without, nothing does. A change of the parameter changes each of the tables."""
    findings = []
    for name, body in deployed["Resources"].items():
        remains = body["Type"] == TABLE and name not in EPHEMERAL and "RetainsData" in conditions
        expected = ("RetainExceptOnCreate", "Retain") if remains else ("Delete", "Delete")
        found = tuple(resolved(body.get(policy, "Delete"), conditions) for policy in ("DeletionPolicy", "UpdateReplacePolicy"))
        if found != expected:
            findings.append(f"{name} has the policies {' and '.join(found)}, not {' and '.join(expected)}")
        tag = {"Key": "RetainData", "Value": {"Ref": "RetainData"}}
        if "DeletionPolicy" in body and tag not in body.get("Properties", {}).get("Tags", []):
            findings.append(f"{name} is not updated when only RetainData changes")
    return findings
