"""Adapts a built template so that its functions reach a gateway on this machine, and prints the changes.

`sam local` passes only the template's variables to a function and resolves no secrets. So the variables that the
gateway sets for its own functions are written into a copy of the template.

    local_template.py BUILT READY >TEMPLATE
"""

import json
import sys

import yaml


def main(built, ready):
    with open(built, encoding="utf-8") as file:
        template = yaml.safe_load(file)
    with open(ready, encoding="utf-8") as file:
        addresses = json.load(file)
    local = {
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": addresses["management"],
        "TOKEN_SECRET": addresses["secrets"]["TokenSecret"],
    }
    for name, body in template["Resources"].items():
        if body["Type"] != "AWS::Serverless::Function":
            continue
        variables = body["Properties"].setdefault("Environment", {}).setdefault("Variables", {})
        changed = {variable: value for variable, value in local.items() if variable in variables}
        changed["AWS_ENDPOINT_URL_DYNAMODB"] = addresses["dynamodb"]
        variables |= changed
        print(f"  {name}: {', '.join(sorted(changed))} set to the gateway's", file=sys.stderr)
    yaml.safe_dump(template, sys.stdout, sort_keys=False, width=1000)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
