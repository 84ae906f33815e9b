"""Mends what MiniStack made of a stack, and prints its ready file: what the gateway writes, and `nsl --local` and the
tests read.

    ministack_ready.py STACK ENDPOINT
"""

import json
import os
import sys

import boto3


def open_handshakes(endpoint):
    """Takes off the identity source that MiniStack gives an authorizer without one: it would refuse every handshake
    that has no Authorization header, and AWS asks the authorizer."""
    apis = boto3.client("apigatewayv2", endpoint_url=endpoint)
    for api in apis.get_apis()["Items"]:
        if api["ProtocolType"] == "WEBSOCKET":
            for authorizer in apis.get_authorizers(ApiId=api["ApiId"])["Items"]:
                apis.update_authorizer(ApiId=api["ApiId"], AuthorizerId=authorizer["AuthorizerId"], IdentitySource=[])
                print(f"  {authorizer['Name']}: the identity source that MiniStack adds is taken off", file=sys.stderr)


def main(stack, endpoint):
    open_handshakes(endpoint)
    region = os.environ["AWS_DEFAULT_REGION"]
    stacks = boto3.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    secrets = boto3.client("secretsmanager", endpoint_url=endpoint)
    secret = secrets.get_secret_value(SecretId=outputs["TokenSecret"])["SecretString"]
    ready = {
        "ws": outputs["WebSocketAddress"],
        # MiniStack wants the stage in the path, the default one too.
        "http": outputs["HttpAddress"] + "/$default",
        "dynamodb": endpoint,
        "management": outputs["ManagementEndpoint"],
        "region": region,
        "outputs": outputs,
        "secrets": {"TokenSecret": secret},
        "app": None,
    }
    print(json.dumps(ready, indent=2))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
