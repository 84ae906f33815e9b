"""Checks that everything in the template is observable: alarms, logs with a retention, metrics on the dashboard.

Each check returns its findings as a list of sentences. The counters are listed in docs/SEMANTICS.md, "Counters".
"""

import json
import re

from transform import FUNCTION, of_type, properties

ALARM = "AWS::CloudWatch::Alarm"
TABLE = "AWS::DynamoDB::Table"

# A variable of access logs whose value API Gateway puts into quotes.
QUOTED_VARIABLE = "$context.error.messageString"

# Metrics of every function that have alarms.
ALARM_METRICS = ("Errors", "Throttles", "Duration")

# Metrics of every table on the dashboard: cost and throttling.
TABLE_METRICS = ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", "WriteThrottleEvents", "ReadThrottleEvents")


def counters(source):
    """The names of the metrics in counters.rs, except those of rejections, which end in a code."""
    return set(re.findall(r'Self::\w+ => "(\w+)"\.to_owned\(\)', source))


def codes(source):
    """The rejection codes of the wire protocol, read from rejection.rs."""
    return set(re.findall(r'Self::\w+ => "([a-z_]+)",', source))


def widgets(template):
    """The widgets of the dashboard, without substituting names."""
    boards = properties(of_type(template, "AWS::CloudWatch::Dashboard"))
    return json.loads(boards[0]["DashboardBody"]["Fn::Sub"])["widgets"]


def plotted(template):
    """Every (metric, dimension value) that the dashboard plots."""
    plotted_metrics = set()
    for widget in widgets(template):
        for metric in widget["properties"]["metrics"]:
            texts = [part for part in metric if isinstance(part, str)]
            plotted_metrics.update((texts[1], value) for value in texts[3::2] or [""])
    return plotted_metrics


def plot_findings(template, expected):
    """The dashboard plots every counter, the alarm metrics of every function and the metrics of every table."""
    plotted_metrics = plotted(template)
    wanted = {(name, "") for name in expected}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, FUNCTION) for metric in ALARM_METRICS}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, TABLE) for metric in TABLE_METRICS}
    return [f"the dashboard does not plot {metric} {value}".strip() for metric, value in sorted(wanted - plotted_metrics)]


def alarm_targets(template):
    """Every (metric, function) that has an alarm."""
    seen = set()
    for alarm in properties(of_type(template, ALARM)):
        stats = [metric["MetricStat"]["Metric"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric]
        for metric in stats + [alarm]:
            values = [dimension["Value"] for dimension in metric.get("Dimensions", [])]
            seen.update((metric.get("MetricName"), value.get("Ref")) for value in values)
    return seen


def alarm_findings(template):
    """Every function has its alarms, and every alarm can be turned off and has an action."""
    seen = alarm_targets(template)
    wanted = {(metric, name) for name in of_type(template, FUNCTION) for metric in ALARM_METRICS}
    findings = [f"no alarm on {metric} of {name}" for metric, name in sorted(wanted - seen)]
    for name, alarm in of_type(template, ALARM).items():
        if alarm.get("Condition") != "HasAlarms" or "AlarmActions" not in alarm["Properties"]:
            findings.append(f"{name} has no condition HasAlarms or no action")
    return findings


def log_findings(template):
    """Every function writes to a log group of the template, and every log group has a retention."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    findings = [f"{name} never expires" for name, group in groups.items() if "RetentionInDays" not in group["Properties"]]
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
    """Every line of an access log is one JSON document, with and without values of the variables."""
    findings = []
    for api, text in formats(template).items():
        for case, variables in (("with values", text.replace(QUOTED_VARIABLE, '"Forbidden"')), ("without", text)):
            try:
                json.loads(re.sub(r"\$context(\.\w+)+", "-", variables))
            except ValueError:
                findings.append(f"the access log of {api} is not JSON {case}")
        if "\n" in text:
            findings.append(f"the access log of {api} has more than one line")
    return findings
