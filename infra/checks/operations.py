"""Checks that everything in the template is observable: alarms, logs with a retention, metrics on the dashboard.

Each check returns its findings as a list of sentences. The counters are listed in docs/SEMANTICS.md, "Counters".
"""

import json
import re

from transform import FUNCTION, of_type, properties, reference

ALARM = "AWS::CloudWatch::Alarm"
TABLE = "AWS::DynamoDB::Table"

# A variable of access logs whose value API Gateway puts into quotes.
QUOTED_VARIABLE = "$context.error.messageString"

# Metrics of every function that have alarms.
ALARM_METRICS = ("Errors", "Throttles", "Duration")

# The function whose Errors count what callers do wrong: an authorizer answers a wrong credential with an error.
AUTHORIZER = "Authorize"
# Counters of faults, each of which raises an alarm.
FAULT_COUNTERS = ("AuthorizeFaults", "FailedReads", "FailedWrites", "Panics", "Rejections.unavailable")
# Metrics that count faults of calls, by the type of API. 4xx and ClientError count what callers do wrong.
API_METRICS = {
    "AWS::Serverless::HttpApi": ("5xx",),
    "AWS::Serverless::WebSocketApi": ("ExecutionError", "IntegrationError"),
}

# Metrics of every table and index that have alarms. Those of a table leave out its indexes.
THROTTLE_METRICS = ("WriteThrottleEvents", "ReadThrottleEvents")
# Metrics of every table on the dashboard: cost and throttling.
TABLE_METRICS = ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", *THROTTLE_METRICS)

# CloudWatch's limit of metrics in the expression of one alarm.
MAX_ALARM_METRICS = 10


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
    """Every (metric, dimension values) that the dashboard plots; a stage is no value, because each API has one."""
    plotted_metrics = set()
    for widget in widgets(template):
        for metric in widget["properties"]["metrics"]:
            texts = [part for part in metric if isinstance(part, str)]
            if texts:
                dimensions = zip(texts[2::2], texts[3::2])
                plotted_metrics.add((texts[1], *(value for name, value in dimensions if name != "Stage")))
    return plotted_metrics


def stores(template):
    """The names of each table, and of each index with that of its table."""
    found = []
    for name, table in of_type(template, TABLE).items():
        found.append((name,))
        indexes = table["Properties"].get("GlobalSecondaryIndexes", [])
        found += [(name, index["IndexName"]) for index in indexes]
    return found


def plot_findings(template, expected):
    """The dashboard plots every counter, the alarm metrics of every function and API, and those of every table."""
    wanted = {(name,) for name in expected}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, FUNCTION) for metric in ALARM_METRICS}
    wanted |= {(metric, f"${{{name}}}") for name in of_type(template, TABLE) for metric in TABLE_METRICS}
    wanted |= {(metric, f"${{{name}}}", *index) for name, *index in stores(template) for metric in THROTTLE_METRICS}
    wanted |= {(metric, f"${{{name}}}") for name, metric in api_metrics(template)}
    return [" ".join(["the dashboard does not plot", *one]) for one in sorted(wanted - plotted(template))]


def api_metrics(template):
    """Every (API, metric of its faults)."""
    return [(name, metric) for kind, metrics in API_METRICS.items() for name in of_type(template, kind) for metric in metrics]


def watched(alarm):
    """The metrics of an alarm, each with its name and dimensions."""
    stats = [metric["MetricStat"]["Metric"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric]
    return stats or [alarm]


def alarm_targets(template):
    """Every (metric, dimension values) that has an alarm, without stages."""
    seen = set()
    for alarm in properties(of_type(template, ALARM)):
        for metric in watched(alarm):
            dimensions = [one["Value"] for one in metric.get("Dimensions", []) if one["Name"] != "Stage"]
            values = [value if isinstance(value, str) else reference(value) for value in dimensions]
            seen.add((metric["MetricName"], *values))
    return seen


def alarm_findings(template):
    """Every function, API, table, index and counter of faults has its alarms, and every alarm can be turned off, has an
    action, and watches as many metrics as CloudWatch allows."""
    seen = alarm_targets(template)
    wanted = {(metric, name) for name in of_type(template, FUNCTION) for metric in ALARM_METRICS}
    wanted -= {("Errors", AUTHORIZER)}
    wanted |= {(metric, name) for name, metric in api_metrics(template)}
    wanted |= {(metric, *names) for names in stores(template) for metric in THROTTLE_METRICS}
    wanted |= {(counter,) for counter in FAULT_COUNTERS}
    findings = [" of ".join([f"no alarm on {metric}", *names]) for metric, *names in sorted(wanted - seen)]
    for name, alarm in of_type(template, ALARM).items():
        if alarm.get("Condition") != "HasAlarms" or "AlarmActions" not in alarm["Properties"]:
            findings.append(f"{name} has no condition HasAlarms or no action")
        if len(watched(alarm["Properties"])) > MAX_ALARM_METRICS:
            findings.append(f"{name} watches more than {MAX_ALARM_METRICS} metrics")
    return findings


def false_alarm_findings(template):
    """No alarm counts what anybody can raise with a wrong credential or a malformed call."""
    of_callers = {("Errors", AUTHORIZER)} | {(metric, api) for api, _ in api_metrics(template) for metric in ("4xx", "ClientError")}
    return [f"an alarm counts {metric} of {name}, which callers raise" for metric, name in sorted(of_callers & alarm_targets(template))]


def log_findings(template):
    """Every function writes to a log group of the template, which Lambda cannot create again after the stack's end. Every
    log group has a retention, an output, and a name from CloudFormation, so that a second stack does not meet it."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    findings = [f"{name} never expires" for name, group in groups.items() if "RetentionInDays" not in group["Properties"]]
    findings += [f"{name} has a fixed name" for name, group in groups.items() if "LogGroupName" in group["Properties"]]
    outputs = [reference(output["Value"]) for output in template["Outputs"].values()]
    findings += [f"{name} is in no output" for name in groups if name not in outputs]
    for name, function in of_type(template, FUNCTION).items():
        group = function["Properties"].get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if group not in groups:
            findings.append(f"{name} logs to no group of the template")
        elif group not in denied_groups(function["Properties"]):
            findings.append(f"{name} may create {group} again after its deletion")
    return findings


def denied_groups(function):
    """The log groups that the policies of a function deny it to create."""
    statements = [one for policy in function.get("Policies", []) for one in policy["Statement"]]
    denied = [one for one in statements if one["Effect"] == "Deny" and "logs:CreateLogGroup" in one["Action"]]
    return {reference(resource) for one in denied for resource in one["Resource"]}


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
