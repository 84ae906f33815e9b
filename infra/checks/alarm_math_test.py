"""Tests with numbers: which conditions raise an alarm of the template, and which must not.

Run by `infra/checks/run`, which provides the translator and a region.
"""

import unittest
from pathlib import Path

import alarm_math
import transform

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class TheAlarms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = transform.read(TEMPLATE)
        cls.defaults = {name: body["Default"] for name, body in cls.template["Parameters"].items()}

    def breaches(self, alarm, values, **parameters):
        properties = self.template["Resources"][alarm]["Properties"]
        self.assertEqual(properties["ComparisonOperator"], "GreaterThanThreshold")
        return alarm_math.breaches(properties, values, {**self.defaults, **parameters})

    def test_a_window_of_any_length_raises_no_alarm_on_late_rollups(self):
        window = self.template["Parameters"]["RollupWindowSeconds"]
        for seconds in (window["MinValue"], window["Default"], window["MaxValue"]):
            # The batch waits for its window, then a poll, and three minutes for the backlog of another app.
            for late in (0, 1, 180):
                age = 1000 * (seconds + late)
                self.assertFalse(self.breaches("IteratorAgeAlarm", {"IteratorAge": age}, RollupWindowSeconds=seconds))

    def test_rollups_six_minutes_late_raise_an_alarm_with_any_window(self):
        for seconds in (0, 60, 300):
            age = 1000 * (seconds + 360)
            self.assertTrue(self.breaches("IteratorAgeAlarm", {"IteratorAge": age}, RollupWindowSeconds=seconds))

    def test_one_late_batch_is_enough_where_the_next_comes_after_a_period(self):
        alarm = self.template["Resources"]["IteratorAgeAlarm"]["Properties"]
        [period] = [one["MetricStat"]["Period"] for one in alarm["Metrics"] if "MetricStat" in one]
        self.assertGreaterEqual(period, self.template["Parameters"]["RollupWindowSeconds"]["MaxValue"])
        self.assertEqual(alarm["DatapointsToAlarm"], 1)

    def test_a_wrong_credential_is_in_no_metric_of_the_errors_alarm(self):
        properties = self.template["Resources"]["ErrorsAlarm"]["Properties"]
        watched = [one["MetricStat"]["Metric"] for one in properties["Metrics"] if "MetricStat" in one]
        functions = [one["Dimensions"][0]["Value"]["Ref"] for one in watched]
        self.assertEqual(sorted(functions), ["History", "Ingest", "Rollup", "Session"])
        with self.assertRaises(KeyError):
            self.breaches("ErrorsAlarm", {"authorize": 1_000_000})

    def test_one_failed_invocation_of_another_function_raises_the_errors_alarm(self):
        for name in ("session", "ingest", "rollup", "history"):
            self.assertTrue(self.breaches("ErrorsAlarm", {name: 1}))
        self.assertFalse(self.breaches("ErrorsAlarm", {"session": 0, "ingest": 0}))

    def test_one_fault_of_authorize_or_panic_raises_an_alarm(self):
        self.assertTrue(self.breaches("AuthorizeFaultsAlarm", {"AuthorizeFaults": 1}))
        self.assertTrue(self.breaches("PanicsAlarm", {"Panics": 1}))

    def test_faults_of_authorize_that_end_before_its_counter_are_counted(self):
        filters = transform.of_type(self.template, "AWS::Logs::MetricFilter")
        [properties] = transform.properties(filters)
        [metric] = properties["MetricTransformations"]
        alarm = self.template["Resources"]["AuthorizeFaultsAlarm"]["Properties"]
        self.assertEqual((metric["MetricNamespace"], metric["MetricName"]), (alarm["Namespace"], alarm["MetricName"]))

        def is_counted(kind, **record):
            return alarm_math.counts_line(properties["FilterPattern"], {"type": kind, "record": record})

        self.assertTrue(is_counted("platform.initRuntimeDone", status="error"), "does not start")
        self.assertTrue(is_counted("platform.initRuntimeDone", status="timeout"), "starts too slowly")
        self.assertTrue(is_counted("platform.report", status="timeout"))
        self.assertTrue(is_counted("platform.report", status="error", errorType="Runtime.ExitError"), "process ended")
        for status in ("success", "error"):
            self.assertFalse(is_counted("platform.report", status=status, errorType="Unhandled"), "a wrong credential")
            self.assertFalse(is_counted("platform.runtimeDone", status=status), "a wrong credential")
        self.assertFalse(is_counted("platform.initRuntimeDone", status="success"))
        self.assertFalse(alarm_math.counts_line(properties["FilterPattern"], {"level": "ERROR", "message": "x"}))

    def test_duration_is_a_part_of_each_functions_own_timeout(self):
        default = self.template["Globals"]["Function"]["Timeout"]
        for name, body in transform.of_type(self.template, transform.FUNCTION).items():
            timeout_ms = 1000 * body["Properties"].get("Timeout", default)
            self.assertTrue(self.breaches("DurationAlarm", {name.lower(): 0.51 * timeout_ms}), name)
            self.assertFalse(self.breaches("DurationAlarm", {name.lower(): 0.49 * timeout_ms}), name)

    def test_clients_of_a_full_app_do_not_raise_the_integration_alarm(self):
        # 2,500 publishers send a report a second; 1,000 more are refused with 429, and try again every ten seconds.
        refused, reports = 1_000 * 30, 2_500 * 300
        self.assertFalse(self.breaches("WebSocketIntegrationAlarm", {"errors": refused, "messages": reports + refused}))
        self.assertFalse(self.breaches("WebSocketIntegrationAlarm", {"errors": 40}), "a few")
        self.assertFalse(self.breaches("WebSocketIntegrationAlarm", {}), "no traffic")

    def test_failing_functions_raise_the_integration_alarm(self):
        self.assertTrue(self.breaches("WebSocketIntegrationAlarm", {"errors": 6_000, "messages": 6_000}), "every frame")
        self.assertTrue(self.breaches("WebSocketIntegrationAlarm", {"errors": 500}), "every handshake")

    def test_failed_reads_or_writes_of_tables_raise_an_alarm_that_ends(self):
        for metric in ("reads", "writes"):
            self.assertFalse(self.breaches("FailedCallsAlarm", {metric: 10}))
            self.assertTrue(self.breaches("FailedCallsAlarm", {metric: 11}))
        self.assertFalse(self.breaches("FailedCallsAlarm", {}))

    def test_throttles_of_each_table_and_index_raise_an_alarm_that_ends(self):
        for alarm in ("ReadThrottlesAlarm", "WriteThrottlesAlarm"):
            for store in ("apps", "byOwner", "connections", "reports", "rollups", "logs"):
                self.assertTrue(self.breaches(alarm, {store: 101}), f"{alarm} {store}")
            # DynamoDB has no value while nothing is throttled, and its alarms keep their state without one.
            properties = self.template["Resources"][alarm]["Properties"]
            self.assertEqual(alarm_math.computed(properties, {}, self.defaults), 0)

    def test_no_alarm_with_filled_values_depends_on_the_newest_period(self):
        alarms = transform.properties(transform.of_type(self.template, "AWS::CloudWatch::Alarm"))
        filled = [alarm for alarm in alarms if "FILL" in str(alarm.get("Metrics"))]
        self.assertGreaterEqual(len(filled), 3)
        for alarm in filled:
            self.assertLess(alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"], alarm["AlarmDescription"])

    def test_a_queue_that_reports_nothing_keeps_its_alarm(self):
        self.assertEqual(self.template["Resources"]["RollupFailuresAlarm"]["Properties"]["TreatMissingData"], "ignore")

    def test_rejections_are_compared_with_their_parameter(self):
        self.assertTrue(self.breaches("RejectionsAlarm", {"unauthorized": 600, "rate_limited": 401}))
        self.assertFalse(self.breaches("RejectionsAlarm", {"unauthorized": 600}))
        self.assertTrue(self.breaches("RejectionsAlarm", {"unauthorized": 600}, RejectionsThreshold=500))


class TheMath(unittest.TestCase):
    def test_missing_values_are_left_out_and_not_divided(self):
        metrics = [{"Id": name, "MetricStat": {}} for name in ("a", "b")]

        def computed(expression, values):
            return alarm_math.computed({"Metrics": [{"Id": "all", "Expression": expression}, *metrics]}, values, {"N": 3})

        self.assertEqual(computed("SUM(METRICS())", {"a": 1}), 1)
        self.assertIsNone(computed("SUM(METRICS())", {}))
        self.assertEqual(computed("SUM(FILL(METRICS(), 0))", {}), 0)
        self.assertIsNone(computed("a / b", {"a": 1, "b": 0}))
        self.assertIsNone(computed("a - b", {"a": 1}))
        self.assertEqual(computed("MAX([a/2, b])", {"a": 8}), 4)
        self.assertEqual(computed("IF(a > 2, a, 0)", {"a": 2}), 0)
        self.assertEqual(computed({"Fn::Sub": "a - ${N}"}, {"a": 5}), 2)
        with self.assertRaises(NameError):
            computed("AVG(METRICS())", {"a": 1})


if __name__ == "__main__":
    unittest.main()
