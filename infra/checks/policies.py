"""The IAM policies of infra/policies and of the functions, and what they must allow.

    policies.py    prints every policy as one JSON document, by name, for infra/checks/lint_policies.py

Each check returns its findings as a list of sentences. What CloudFormation calls for a resource is in its schema, which
cfn-lint carries; what scripts and SAM call is found in their source.
"""

import ast
import fnmatch
import functools
import json
import re
import sys
from pathlib import Path

import botocore.session
import samcli
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

import transform

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra/policies"
TEMPLATE = ROOT / "template.yaml"
WAF_TEMPLATE = ROOT / "infra/waf/template.yaml"
DEPLOYER = ("deployer", "deployer-iam-and-monitoring")

# What docs/DEPLOYMENT.md has the reader fill in.
EXAMPLE = {"ACCOUNT": "123456789012", "REGION": "us-east-1", "STACK": "nsl", "ZONE": "Z0123456789EXAMPLE"}
# Characters of a managed policy without white space: AWS's limit.
MAX_CHARACTERS = 6144

# Services that `make deploy` and `make destroy` call, with their prefixes in IAM.
SERVICES = {
    "apigateway": "apigateway",
    "cloudformation": "cloudformation",
    "dynamodb": "dynamodb",
    "lambda": "lambda",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "service-quotas": "servicequotas",
    "sns": "sns",
    "sts": "sts",
}
# Operations that need another action than their own name.
OTHER_NAMES = {
    "apigateway:GetAccount": "apigateway:GET",
    "s3:DeleteObjects": "s3:DeleteObjectVersion",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
}
# Where SAM calls CloudFormation for `sam deploy` and `sam delete`.
SAM_SOURCES = ("deploy/deployer.py", "delete/cfn_utils.py", "utils/managed_cloudformation_stack.py")

# What CloudFormation calls only for properties that the template does not have, by type and reason.
NOT_NEEDED = {
    "AWS::DynamoDB::Table": {
        "no key of the account": ["kms:*"],
        "no Kinesis stream of its changes": ["kinesis:*", "dynamodb:*KinesisStreamingDestination"],
        "no import of items": ["dynamodb:*Import*", "logs:*", "s3:*"],
        "no replica": ["dynamodb:*TableReplica", "dynamodb:*Item", "dynamodb:Query", "dynamodb:Scan", "iam:CreateServiceLinkedRole"],
        "no contributor insights": ["dynamodb:UpdateContributorInsights"],
        "no policy of a table": ["dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"],
    },
    "AWS::Lambda::Function": {
        "no key of the account": ["kms:*"],
        "no VPC and no file system": ["ec2:*", "elasticfilesystem:*", "s3files:*"],
        "no code signing": ["lambda:GetCodeSigningConfig", "lambda:PutFunctionCodeSigningConfig", "lambda:DeleteFunctionCodeSigningConfig"],
        "no layers": ["lambda:GetLayerVersion"],
        "no setting of the runtime": ["lambda:PutRuntimeManagementConfig", "lambda:AssociateRuntimeAlias"],
        "no setting of recursion": ["lambda:PutFunctionRecursionConfig"],
        "no managed instances": ["lambda:*FunctionScalingConfig", "lambda:PassCapacityProvider"],
    },
    "AWS::Lambda::EventSourceMapping": {"no key of the account": ["kms:*"]},
    "AWS::Logs::LogGroup": {
        "no key of the account": ["logs:*KmsKey"],
        "no masking": ["logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy"],
        "no field indexes": ["logs:PutIndexPolicy", "logs:DeleteIndexPolicy"],
        "no delivery to Firehose or S3": ["firehose:*", "s3:*"],
        "API Gateway's policy for access logs is of the account": ["logs:DeleteResourcePolicy"],
        "no protection and no OTLP endpoint": ["logs:PutLogGroupDeletionProtection", "logs:PutBearerTokenAuthentication"],
    },
    "AWS::IAM::Role": {"a role keeps its boundary": ["iam:DeleteRolePermissionsBoundary"]},
    "AWS::SecretsManager::Secret": {"no replica": ["secretsmanager:ReplicateSecretToRegions", "secretsmanager:RemoveRegionsFromReplication"]},
    "AWS::CloudFront::Distribution": {
        "no tenants": ["cloudfront:*ConnectionGroup"],
        "no VPC": ["cloudfront:GetVpcOrigin"],
        "no tags of its own": ["cloudfront:CreateDistributionWithTags"],
        "no staging": ["cloudfront:UpdateDistributionWithStagingConfig"],
    },
    "AWS::WAFv2::WebACL": {"no rules that cost a subscription": ["payments:*"]},
    "nsl": {"lists the stacks where the named one does not exist, if it may": ["cloudformation:ListStacks"]},
    # Other commands of SAM.
    "deployer.py": {"sam sync": ["cloudformation:CreateStack", "cloudformation:UpdateStack"]},
    "managed_cloudformation_stack.py": {"sam pipeline": ["cloudformation:UpdateStack"]},
}

# What the functions use of the managed policies that SAM attaches. Creating log groups is left out: the stack has them.
MANAGED_ACTIONS = {
    "AWSLambdaBasicExecutionRole": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "AWSXrayWriteOnlyAccess": ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"],
    "AWSLambdaDynamoDBExecutionRole": ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
}

# Service, and what stands around the name, in the ARNs of the resources that functions use.
ARN_PARTS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/", ""),
    "AWS::Logs::LogGroup": ("logs", "log-group:", ":*"),
    "AWS::SQS::Queue": ("sqs", "", ""),
}

# The permissions of a transaction are those of its parts.
TRANSACTION = ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")


def filled(text):
    """The policy's text with every placeholder filled in, as by the command of docs/DEPLOYMENT.md."""
    for placeholder, value in EXAMPLE.items():
        text = text.replace(placeholder, value)
    return text


def documents():
    """The policies of infra/policies, filled in, by name."""
    return {path.stem: json.loads(filled(path.read_text())) for path in sorted(FOLDER.glob("*.json"))}


def listed(value):
    return value if isinstance(value, list) else [value]


def allowed(document):
    """Every (action in lower case, resource pattern) that the policy allows."""
    pairs = set()
    for statement in document["Statement"]:
        if statement["Effect"] != "Allow":
            continue
        for action in listed(statement["Action"]):
            pairs.update((action.lower(), resource) for resource in listed(statement["Resource"]))
    return pairs


def actions_of(*names):
    found = documents()
    return {action for name in names for action, _ in allowed(found[name])}


def is_needed(action, caller):
    patterns = [pattern for some in NOT_NEEDED.get(caller, {}).values() for pattern in some]
    return not any(fnmatch.fnmatch(action.lower(), pattern.lower()) for pattern in patterns)


def missing(needed, names, caller):
    """The actions that `caller` needs and that none of the policies allows."""
    have = actions_of(*names)
    return [f"{caller}: {action} is not allowed" for action in sorted(needed) if is_needed(action, caller) and action.lower() not in have]


def resource_findings(deployed, names=DEPLOYER):
    """The deployer may create, read, update and delete every type of resource of the stack."""
    findings = []
    for kind in sorted({body["Type"] for body in deployed["Resources"].values()}):
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        handlers = schema.get("handlers", {})
        if not {"create", "delete"} <= handlers.keys():
            findings.append(f"{kind}: its schema does not list what CloudFormation calls")
        needed = {action for name in ("create", "read", "update", "delete") for action in handlers.get(name, {}).get("permissions", [])}
        findings += missing(needed, names, kind)
    return findings


@functools.cache
def operations(service):
    """The operations of an AWS service by their names in Python."""
    model = botocore.session.get_session().get_service_model(service)
    return {botocore.xform_name(name): name for name in model.operation_names}


def calls_of(source):
    """The AWS operations that a Python source calls, waits for or pages through, as IAM actions."""
    tree, names = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names.add(node.func.attr)
            if node.func.attr == "get_paginator":
                names.update(part.value for part in node.args if isinstance(part, ast.Constant))
    actions = set()
    for service, prefix in SERVICES.items():
        known = operations(service)
        actions.update(f"{prefix}:{known[name]}" for name in names & known.keys())
    return {OTHER_NAMES.get(action, action) for action in actions}


def script_findings(names=DEPLOYER):
    """The deployer may call what `make deploy`, `make destroy` and SAM call."""
    scripts = [*sorted((ROOT / "infra/deploy").glob("stack.py")), *sorted((ROOT / "infra/deploy/stack").glob("*.py"))]
    scripts += [Path(samcli.__file__).parent / "lib" / path for path in SAM_SOURCES]
    return [finding for path in scripts for finding in missing(calls_of(path.read_text()), names, path.name)]


def store_calls(source):
    """The IAM actions of the DynamoDB and @connections calls in a Rust source."""
    actions = set()
    tables, connections = operations("dynamodb"), operations("apigatewaymanagementapi")
    for name in re.findall(r"\.([a-z_]+)\(\)", source):
        if name == "transact_write_items":
            actions.update(f"dynamodb:{part}" for part in TRANSACTION)
        elif name in tables:
            actions.add(f"dynamodb:{tables[name]}")
        elif name in connections:
            actions.add("execute-api:ManageConnections")
    return actions


def named_calls(source):
    """The IAM actions of CloudFormation and Secrets Manager whose operations a Rust source names in texts: in requests
    of its own, or as words of the `aws` command."""
    actions = set()
    words = {word for text in re.findall(r'"((?:[^"\\]|\\.)*)"', source) for word in re.findall(r"[A-Za-z-]+", text)}
    for service in ("cloudformation", "secretsmanager"):
        known = {name.replace("_", "-"): operation for name, operation in operations(service).items()}
        known |= {operation: operation for operation in known.values()}
        actions.update(f"{service}:{known[word]}" for word in words & known.keys())
    return actions


def operator_findings(names=("operator",)):
    """The operator may call what `nsl` calls."""
    sources = [*sorted((ROOT / "functions/shared/aws/src").rglob("*.rs")), *sorted((ROOT / "infra/cli/src").rglob("*.rs"))]
    needed = {action for path in sources for action in store_calls(path.read_text()) | named_calls(path.read_text())}
    return missing(needed, names, "nsl")


def arn_of(name, deployed):
    """An ARN such as the resource's own."""
    kind = deployed["Resources"][name]["Type"]
    service, before, after = ARN_PARTS[kind]
    return f"arn:aws:{service}:{EXAMPLE['REGION']}:{EXAMPLE['ACCOUNT']}:{before}{EXAMPLE['STACK']}-{name}-1ABCDEFGHIJKL{after}"


def resolved(value, deployed):
    """A resource of a function's policy as an ARN."""
    if isinstance(value, list):
        return [resolved(part, deployed) for part in value]
    if isinstance(value, str):
        return value
    if "Fn::GetAtt" in value:
        name, attribute = value["Fn::GetAtt"] if isinstance(value["Fn::GetAtt"], list) else value["Fn::GetAtt"].split(".")
        return arn_of(name, deployed) + ("/stream/2026-01-01T00:00:00.000" if attribute == "StreamArn" else "")
    text = value["Fn::Sub"]
    for name, known in {"AWS::Partition": "aws", "AWS::Region": EXAMPLE["REGION"], "AWS::AccountId": EXAMPLE["ACCOUNT"], "Ws": "abcdef1234", "StageName": "live"}.items():
        text = text.replace(f"${{{name}}}", known)
    return re.sub(r"\$\{(\w+)\.Arn\}", lambda match: arn_of(match[1], deployed), text)


def function_policies(deployed):
    """The policies that the template gives to functions, by role and name."""
    found = {}
    for role, body in transform.of_type(deployed, transform.ROLE).items():
        for policy in body["Properties"].get("Policies", []):
            statements = [
                {**statement, "Resource": resolved(statement["Resource"], deployed)}
                for statement in listed(policy["PolicyDocument"]["Statement"])
            ]
            found[f"{role} {policy['PolicyName']}"] = {"Version": "2012-10-17", "Statement": statements}
    return found


def boundary_findings(deployed, boundary):
    """The boundary allows all that the functions' own policies and the used parts of managed ones allow."""
    pairs, findings = allowed(boundary), []
    for name, document in function_policies(deployed).items():
        for action, resource in sorted(allowed(document)):
            if not any(action == has and fnmatch.fnmatchcase(resource, pattern) for has, pattern in pairs):
                findings.append(f"{name}: {action} on {resource} is outside of the boundary")
    actions = {action for action, _ in pairs}
    used = {policy for role in transform.properties(transform.of_type(deployed, transform.ROLE)) for policy in transform.managed(role)}
    for policy in sorted(used):
        for action in MANAGED_ACTIONS.get(policy, [f"{policy}:*"]):
            if action.lower() not in actions:
                findings.append(f"{policy}: {action} is outside of the boundary")
    return findings


def size_findings(found):
    """Every policy fits into one managed policy."""
    sizes = {name: len(json.dumps(document, separators=(",", ":"))) for name, document in found.items()}
    return [f"{name} has {size} characters, more than {MAX_CHARACTERS}" for name, size in sizes.items() if size > MAX_CHARACTERS]


def main():
    deployed = transform.deploy(transform.read(TEMPLATE))
    json.dump(documents() | function_policies(deployed), sys.stdout)


if __name__ == "__main__":
    main()
