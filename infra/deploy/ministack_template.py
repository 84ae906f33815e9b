"""Adapts a built template so that MiniStack can deploy it, and prints every change.

Only what MiniStack lacks is changed; everything else is deployed as on AWS.

    ministack_template.py BUILT PORT >TEMPLATE
"""

import re
import sys

import yaml

# Types that MiniStack does not support. It returns a function's body whether or not a route response exists.
UNSUPPORTED = ("AWS::ApiGatewayV2::RouteResponse", "AWS::Budgets::Budget")

# API Gateway's addresses in texts that CloudFormation fills in.
ADDRESS = re.compile(r"(wss|https)://\$\{(\w+)\}\.execute-api\.\$\{AWS::Region\}\.\$\{AWS::URLSuffix\}")

# A header that every handshake has.
ALWAYS_SENT = "route.request.header.Host"


def report(change):
    print(f"  {change}", file=sys.stderr)


def localised(value, addresses, place):
    """`value` with API Gateway's addresses replaced by MiniStack's, at any depth."""
    if isinstance(value, dict):
        return {key: localised(part, addresses, f"{place}.{key}") for key, part in value.items()}
    if isinstance(value, list):
        return [localised(part, addresses, place) for part in value]
    if not isinstance(value, str) or not ADDRESS.search(value):
        return value
    report(f"{place}: address replaced by MiniStack's")
    return ADDRESS.sub(addresses, value)


def addresses_at(port, http_apis):
    """What replaces each match of ADDRESS. MiniStack needs the stage in the path, even the default one."""
    scheme = {"wss": "ws", "https": "http"}

    def address(found):
        stage = "/$default" if found[2] in http_apis else ""
        return f"{scheme[found[1]]}://127.0.0.1:{port}/_aws/execute-api/${{{found[2]}}}{stage}"

    return address


def add_identity_source(name, properties):
    """Without a source, MiniStack adds one and rejects handshakes that lack it, where AWS calls the authorizer."""
    auth = properties.get("Auth", {})
    if auth.get("AuthType") == "CUSTOM" and not auth.get("IdentitySource"):
        auth["IdentitySource"] = [ALWAYS_SENT]
        report(f"{name}: identity source {ALWAYS_SENT} added to its authorizer, which has none")


def event_of_api(event, api):
    return event["Type"] == "HttpApi" and event["Properties"].get("ApiId") == {"Ref": api}


def take_routes(resources, api):
    """Removes the events of the HTTP API from the functions: (function, event, properties) of each."""
    found = []
    for name, body in resources.items():
        events = body.get("Properties", {}).get("Events", {}) if body["Type"] == "AWS::Serverless::Function" else {}
        for event in [event for event, body in events.items() if event_of_api(body, api)]:
            found.append((name, event, events.pop(event)["Properties"]))
    return found


def expand_http_api(resources, api):
    """Replaces the HTTP API `api` by the resources that its OpenAPI body defines, which MiniStack does not read."""
    properties = resources[api]["Properties"]
    own = {"ApiId": {"Ref": api}}
    [(guard, authorizer)] = properties["Auth"]["Authorizers"].items()
    function = authorizer["FunctionArn"]["Fn::GetAtt"][0]
    uri = f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{function}.Arn}}/invocations"
    made = {
        api: ("Api", {"Name": api, "ProtocolType": "HTTP", "CorsConfiguration": properties["CorsConfiguration"]}),
        f"{api}Stage": ("Stage", own | {"StageName": "$default", "AutoDeploy": True}),
        f"{api}{guard}": ("Authorizer", own | {
            "Name": guard, "AuthorizerType": "REQUEST", "AuthorizerUri": {"Fn::Sub": uri},
            "AuthorizerPayloadFormatVersion": "2.0", "EnableSimpleResponses": True,
            "IdentitySource": [f"$request.header.{name}" for name in authorizer["Identity"]["Headers"]],
            "AuthorizerResultTtlInSeconds": authorizer["Identity"]["ReauthorizeEvery"],
        }),
    }
    called = {function}
    for name, event, call in take_routes(resources, api):
        called.add(name)
        made[f"{api}{name}"] = ("Integration", own | {
            "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0",
            "IntegrationUri": {"Fn::GetAtt": [name, "Arn"]},
        })
        route = {"RouteKey": f"{call['Method']} {call['Path']}", "Target": {"Fn::Sub": f"integrations/${{{api}{name}}}"}}
        if call.get("Auth", {}).get("Authorizer") != "NONE":
            route |= {"AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": f"{api}{guard}"}}
        made[f"{api}{event}Route"] = ("Route", own | route)
    report(f"{api}: OpenAPI body replaced by {len(made) - 1} resources")
    resources |= {name: {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": body} for name, (kind, body) in made.items()}
    for name in called:
        permission = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": name}, "Principal": "apigateway.amazonaws.com"}
        resources[f"{api}{name}Permission"] = {"Type": "AWS::Lambda::Permission", "Properties": permission}


def is_metric_math(body):
    return body["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in body["Properties"]


def adapted(built, port):
    """The template in the file `built`, as MiniStack at `port` can deploy it."""
    with open(built, encoding="utf-8") as file:
        template = yaml.safe_load(file)
    print("changed for MiniStack:", file=sys.stderr)
    resources = template["Resources"]
    for name in [name for name, body in resources.items() if body["Type"] in UNSUPPORTED]:
        report(f"{name}: removed, {resources.pop(name)['Type']} is not supported")
    http_apis = [name for name, body in resources.items() if body["Type"] == "AWS::Serverless::HttpApi"]
    for name in http_apis:
        expand_http_api(resources, name)
    for name in [name for name, body in resources.items() if body["Type"] == "AWS::Serverless::WebSocketApi"]:
        add_identity_source(name, resources[name]["Properties"])
    # Mappings refer to the stage that SAM would generate.
    for name in [name for name, body in resources.items() if body["Type"] == "AWS::ApiGatewayV2::ApiMapping"]:
        report(f"{name}: removed, custom domain names are not supported")
        del resources[name]
    for name in [name for name, body in resources.items() if is_metric_math(body)]:
        report(f"{name}: removed, alarms on metric math are not supported")
        del resources[name]
    for section in ("Resources", "Outputs"):
        template[section] = localised(template[section], addresses_at(port, http_apis), section)
    return template


if __name__ == "__main__":
    yaml.safe_dump(adapted(sys.argv[1], sys.argv[2]), sys.stdout, sort_keys=False, width=1000)
