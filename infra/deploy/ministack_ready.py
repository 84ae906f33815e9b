"""Corrects a stack on MiniStack and prints its ready file, as the gateway writes it for `nsl --local` and the tests.

    ministack_ready.py STACK ENDPOINT
"""

import json
import os
import sys

import boto3


def open_handshakes(endpoint):
    """Removes the identity source that MiniStack adds to an authorizer without one. With it, MiniStack rejects
    handshakes without an Authorization header, where AWS calls the authorizer."""
    apis = boto3.client("apigatewayv2", endpoint_url=endpoint)
    for api in apis.get_apis()["Items"]:
        if api["ProtocolType"] == "WEBSOCKET":
            for authorizer in apis.get_authorizers(ApiId=api["ApiId"])["Items"]:
                apis.update_authorizer(ApiId=api["ApiId"], AuthorizerId=authorizer["AuthorizerId"], IdentitySource=[])
                print(f"  {authorizer['Name']}: identity source added by MiniStack removed", file=sys.stderr)


def main(stack, endpoint):
    open_handshakes(endpoint)
    region = os.environ["AWS_DEFAULT_REGION"]
    stacks = boto3.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    secrets = boto3.client("secretsmanager", endpoint_url=endpoint)
    secret = secrets.get_secret_value(SecretId=outputs["TokenSecret"])["SecretString"]
    ready = {
        "ws": outputs["WebSocketAddress"],
        # MiniStack needs the stage in the path, even the default one.
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
