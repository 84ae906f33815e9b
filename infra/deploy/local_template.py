"""Makes of a built template one whose functions reach a gateway on this machine, and says what it changed.

`sam local` gives a function the variables of the template and no others, and resolves no secret. What the gateway
puts into the environment of its own functions is written into a copy of the template here.

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
        print(f"  {name}: {', '.join(sorted(changed))} are the gateway's", file=sys.stderr)
    yaml.safe_dump(template, sys.stdout, sort_keys=False, width=1000)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
