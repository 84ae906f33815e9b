"""Evaluates an alarm of the template for given values of its metrics, as CloudWatch does for one period.

A value that is missing is None. Of CloudWatch's metric math and filter patterns there is what the template uses; anything
else is an error.
"""

import re
from fnmatch import fnmatchcase


class Point:
    """A value of one period. What is computed with a missing value, or divided by zero, is missing."""

    def __init__(self, value):
        self.value = value

    def combined(self, other, operation):
        values = [self.value, other.value if isinstance(other, Point) else other]
        if None in values:
            return Point(None)
        try:
            return Point(operation(*values))
        except ZeroDivisionError:
            return Point(None)

    def __add__(self, other):
        return self.combined(other, lambda left, right: left + right)

    def __sub__(self, other):
        return self.combined(other, lambda left, right: left - right)

    def __mul__(self, other):
        return self.combined(other, lambda left, right: left * right)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self.combined(other, lambda left, right: left / right)

    def __gt__(self, other):
        return self.combined(other, lambda left, right: left > right).value is True


def present(points):
    return [point.value for point in points if point.value is not None]


def fill(points, value):
    if isinstance(points, list):
        return [fill(point, value) for point in points]
    return Point(value) if points.value is None else points


def over(function):
    """A function of a list of points that leaves out missing ones."""
    return lambda points: Point(function(present(points)) if present(points) else None)


def text_of(expression, parameters):
    """The expression as text, with parameters' values in place of their names."""
    if isinstance(expression, str):
        return expression
    return re.sub(r"\$\{(\w+)\}", lambda name: str(parameters[name[1]]), expression["Fn::Sub"])


def computed(alarm, values, parameters):
    """The value that the alarm compares, from the values of its metrics by their ids, or by name if it has only one."""
    metrics = [one for one in alarm.get("Metrics", []) if "MetricStat" in one]
    names = {one["Id"]: one["Id"] for one in metrics}
    if len(metrics) < 2:
        metric = metrics[0]["MetricStat"]["Metric"] if metrics else alarm
        names = {metric["MetricName"]: metrics[0]["Id"] if metrics else None}
    unknown = values.keys() - names.keys()
    if unknown:
        raise KeyError(f"the alarm has no metric {', '.join(sorted(unknown))}")
    if not metrics:
        return values.get(alarm["MetricName"])
    points = {identifier: Point(values.get(name)) for name, identifier in names.items()}
    [expression] = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    functions = {
        "METRICS": lambda: list(points.values()),
        "FILL": fill,
        "SUM": over(sum),
        "MAX": over(max),
        "IF": lambda condition, value, otherwise: value if condition else otherwise,
    }
    # The expression is the template's own; it sees nothing but its metrics and these functions.
    result = eval(text_of(expression, parameters), {"__builtins__": {}}, {**functions, **points})
    return result.value if isinstance(result, Point) else result


def breaches(alarm, values, parameters):
    """Whether a period with these values counts towards the alarm."""
    value = computed(alarm, values, parameters)
    return value is not None and value > number(alarm["Threshold"], parameters)


def number(threshold, parameters):
    return parameters[threshold["Ref"]] if isinstance(threshold, dict) else threshold


def counts_line(pattern, line):
    """Whether the filter pattern of a log group matches a line, which is JSON."""

    def compared(found):
        path, operator, value = found.groups()
        part = line
        for key in path.split("."):
            part = part.get(key) if isinstance(part, dict) else None
        return str(part is not None and fnmatchcase(part, value) == (operator == "="))

    text = re.sub(r'\$\.([\w.]+) (!?=) "([^"]*)"', compared, pattern.strip().removeprefix("{").removesuffix("}"))
    return eval(text.replace("&&", " and ").replace("||", " or ").strip(), {"__builtins__": {}})
