"""Prints the ready file of a stack on MiniStack, as the gateway writes it for `nsl --local` and the tests.

    ministack_ready.py STACK ENDPOINT
"""

import json
import os
import sys

import boto3


def main(stack, endpoint):
    region = os.environ["AWS_DEFAULT_REGION"]
    stacks = boto3.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    secrets = boto3.client("secretsmanager", endpoint_url=endpoint)
    secret = secrets.get_secret_value(SecretId=outputs["TokenSecret"])["SecretString"]
    ready = {
        "ws": outputs["WebSocketAddress"],
        "http": outputs["HttpAddress"],
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
