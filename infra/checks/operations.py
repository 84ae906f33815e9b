"""What an operator must find in the template: an alarm, a log with an end and a curve for everything that runs.

A function or a counter that is added without them would be noticed on the day it fails. Each check returns its
findings as a list of sentences; docs/SEMANTICS.md, "Counters", says what is counted.
"""

import json
import re

from transform import FUNCTION, of_type, properties

ALARM = "AWS::CloudWatch::Alarm"
TABLE = "AWS::DynamoDB::Table"

# The variable of an access log that API Gateway puts into quotes itself.
QUOTED_VARIABLE = "$context.error.messageString"

# What every function is watched for.
WATCHED_METRICS = ("Errors", "Throttles", "Duration")

# What of every table is drawn: what it costs, and what it turns away.
TABLE_METRICS = ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", "WriteThrottleEvents", "ReadThrottleEvents")


def counters(source):
    """The names of the metrics in counters.rs, but for those of rejections, which end in a code."""
    return set(re.findall(r'Self::\w+ => "(\w+)"\.to_owned\(\)', source))


def codes(source):
    """The codes of rejections on the wire, as rejection.rs gives them."""
    return set(re.findall(r'Self::\w+ => "([a-z_]+)",', source))


def board(template):
    """The widgets of the dashboard, each name that it substitutes left as it is."""
    boards = properties(of_type(template, "AWS::CloudWatch::Dashboard"))
    return json.loads(boards[0]["DashboardBody"]["Fn::Sub"])["widgets"]


def curves(template):
    """Every (metric, value of a dimension) that the dashboard draws."""
    drawn = set()
    for widget in board(template):
        for metric in widget["properties"]["metrics"]:
            texts = [part for part in metric if isinstance(part, str)]
            drawn.update((texts[1], value) for value in texts[3::2] or [""])
    return drawn


def curve_findings(template, expected):
    """Every counter of the functions, what every function is watched for, and the use of every table are drawn."""
    drawn = curves(template)
    wanted = {(name, "") for name in expected}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, FUNCTION) for metric in WATCHED_METRICS}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, TABLE) for metric in TABLE_METRICS}
    return [f"the dashboard does not draw {metric} {value}".strip() for metric, value in sorted(wanted - drawn)]


def watched(template):
    """Every (metric, function) that an alarm looks at."""
    seen = set()
    for alarm in properties(of_type(template, ALARM)):
        stats = [metric["MetricStat"]["Metric"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric]
        for metric in stats + [alarm]:
            values = [dimension["Value"] for dimension in metric.get("Dimensions", [])]
            seen.update((metric.get("MetricName"), value.get("Ref")) for value in values)
    return seen


def alarm_findings(template):
    """Every function is watched by alarms, and every alarm can be turned off and is sent on."""
    seen = watched(template)
    wanted = {(metric, name) for name in of_type(template, FUNCTION) for metric in WATCHED_METRICS}
    findings = [f"no alarm looks at {metric} of {name}" for metric, name in sorted(wanted - seen)]
    for name, alarm in of_type(template, ALARM).items():
        if alarm.get("Condition") != "HasAlarms" or "AlarmActions" not in alarm["Properties"]:
            findings.append(f"{name} cannot be turned off or tells nobody")
    return findings


def log_findings(template):
    """Every function writes to a log group of the template, and every log group has an end."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    findings = [f"{name} is kept for ever" for name, group in groups.items() if "RetentionInDays" not in group["Properties"]]
    for name, function in of_type(template, FUNCTION).items():
        group = function["Properties"].get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if group not in groups:
            findings.append(f"{name} logs to no group of the template")
    return findings


def formats(template):
    """The formats of the access logs, by API."""
    apis = of_type(template, "AWS::Serverless::WebSocketApi", "AWS::Serverless::HttpApi")
    return {name: api["Properties"]["AccessLogSettings"]["Fn::If"][1]["Format"] for name, api in apis.items()}


def access_log_findings(template):
    """Every line of an access log is one JSON document, whether or not a variable has a value."""
    findings = []
    for api, text in formats(template).items():
        for told, variables in (("with values", text.replace(QUOTED_VARIABLE, '"Forbidden"')), ("without", text)):
            try:
                json.loads(re.sub(r"\$context(\.\w+)+", "-", variables))
            except ValueError:
                findings.append(f"the access log of {api} is no JSON {told}")
        if "\n" in text:
            findings.append(f"the access log of {api} has more than one line")
    return findings
