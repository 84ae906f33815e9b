"""Tests of the template's alarms, dashboard and logs, and that each check can fail.

Run by `infra/checks/run`, which provides the translator and a region.
"""

import copy
import unittest
from pathlib import Path

import operations
import transform

ROOT = Path(__file__).parents[2]


class TheTemplate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = transform.read(ROOT / "template.yaml")
        counters = operations.counters((ROOT / "functions/shared/aws/src/counters.rs").read_text())
        codes = operations.codes((ROOT / "functions/shared/domain/src/rejection.rs").read_text())
        assert len(counters) > 5 and len(codes) > 10, "the counters and codes were not found"
        cls.metrics = counters | {f"Rejections.{code}" for code in codes}

    def test_the_dashboard_plots_counters_functions_and_tables(self):
        self.assertEqual(operations.plot_findings(self.template, self.metrics), [])

    def test_every_function_api_table_and_index_has_alarms(self):
        self.assertGreater(len(operations.stores(self.template)), len(transform.of_type(self.template, operations.TABLE)))
        self.assertEqual(operations.alarm_findings(self.template), [])

    def test_the_documented_cost_counts_every_watched_metric(self):
        alarms = transform.properties(transform.of_type(self.template, operations.ALARM))
        count = sum(len(operations.watched(alarm)) for alarm in alarms)
        dollars = f"| alarms: {count} watched metrics | {count / 10:.2f} |"
        self.assertIn(dollars, (ROOT / "docs/COST.md").read_text())

    def test_no_alarm_counts_what_anybody_can_raise(self):
        self.assertEqual(operations.false_alarm_findings(self.template), [])

    def test_every_log_expires_under_a_name_that_cannot_exist(self):
        self.assertEqual(operations.log_findings(self.template), [])

    def test_every_line_of_an_access_log_is_json(self):
        self.assertEqual(sorted(operations.formats(self.template)), ["Http", "Ws"])
        self.assertEqual(operations.access_log_findings(self.template), [])


class TheChecks(unittest.TestCase):
    def setUp(self):
        self.template = copy.deepcopy(transform.read(ROOT / "template.yaml"))

    def test_a_counter_that_is_not_plotted_is_found(self):
        self.assertEqual(
            operations.plot_findings(self.template, ["LostReports"]), ["the dashboard does not plot LostReports"]
        )

    def test_a_function_without_alarms_is_found(self):
        resources = self.template["Resources"]
        resources["Stray"] = {"Type": transform.FUNCTION, "Properties": {}}
        self.assertEqual(len(operations.plot_findings(self.template, [])), 3)
        self.assertIn("no alarm on Errors of Stray", operations.alarm_findings(self.template))
        self.assertEqual(operations.log_findings(self.template), ["Stray logs to no group of the template"])

    def test_an_index_without_alarm_or_plot_is_found(self):
        self.template["Resources"]["LogsTable"]["Properties"]["GlobalSecondaryIndexes"] = [{"IndexName": "byUser"}]
        self.assertIn("no alarm on ReadThrottleEvents of LogsTable of byUser", operations.alarm_findings(self.template))
        self.assertIn(
            "the dashboard does not plot ReadThrottleEvents ${LogsTable} byUser", operations.plot_findings(self.template, [])
        )

    def test_an_api_without_alarm_is_found(self):
        del self.template["Resources"]["HttpErrorsAlarm"]
        self.assertEqual(operations.alarm_findings(self.template), ["no alarm on 5xx of Http"])

    def test_an_alarm_on_too_many_metrics_is_found(self):
        metrics = self.template["Resources"]["ErrorsAlarm"]["Properties"]["Metrics"]
        metrics += metrics[1:] * 2
        self.assertEqual(operations.alarm_findings(self.template), ["ErrorsAlarm watches more than 10 metrics"])

    def test_an_alarm_on_wrong_credentials_is_found(self):
        dimension = {"Name": "FunctionName", "Value": {"Ref": "Authorize"}}
        metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [dimension]}
        metrics = self.template["Resources"]["ErrorsAlarm"]["Properties"]["Metrics"]
        metrics.append({"Id": "authorize", "MetricStat": {"Metric": metric}})
        self.template["Resources"]["HttpErrorsAlarm"]["Properties"]["MetricName"] = "4xx"
        findings = ["an alarm counts 4xx of Http, which callers raise", "an alarm counts Errors of Authorize, which callers raise"]
        self.assertEqual(operations.false_alarm_findings(self.template), findings)

    def test_a_table_that_is_not_plotted_is_found(self):
        self.template["Resources"]["SpareTable"] = {"Type": operations.TABLE, "Properties": {}}
        findings = operations.plot_findings(self.template, [])
        self.assertEqual(len(findings), len(operations.TABLE_METRICS))
        self.assertIn("the dashboard does not plot ReadThrottleEvents ${SpareTable}", findings)

    def test_an_alarm_without_action_is_found(self):
        del self.template["Resources"]["ErrorsAlarm"]["Properties"]["AlarmActions"]
        self.assertEqual(
            operations.alarm_findings(self.template), ["ErrorsAlarm has no condition HasAlarms or no action"]
        )

    def test_a_log_that_never_expires_is_found(self):
        del self.template["Resources"]["IngestLog"]["Properties"]["RetentionInDays"]
        self.assertEqual(operations.log_findings(self.template), ["IngestLog never expires"])

    def test_a_log_that_a_second_stack_would_meet_is_found(self):
        self.template["Resources"]["IngestLog"]["Properties"]["LogGroupName"] = "/nsl/ingest"
        self.assertEqual(operations.log_findings(self.template), ["IngestLog has a fixed name"])

    def test_a_log_that_comes_back_or_is_not_in_the_outputs_is_found(self):
        del self.template["Outputs"]["RollupLog"]
        statements = self.template["Resources"]["Ingest"]["Properties"]["Policies"][0]["Statement"]
        statements[:] = [one for one in statements if one["Effect"] == "Allow"]
        findings = ["RollupLog is in no output", "Ingest may create IngestLog again after its deletion"]
        self.assertEqual(operations.log_findings(self.template), findings)

    def test_wrongly_quoted_variables_are_found(self):
        settings = self.template["Resources"]["Ws"]["Properties"]["AccessLogSettings"]["Fn::If"][1]
        for text, case in [('"$context.error.messageString"', "with values"), ("$context.error.messageString", "without")]:
            settings["Format"] = f'{{"error":{text}}}'
            self.assertEqual(
                operations.access_log_findings(self.template), [f"the access log of Ws is not JSON {case}"]
            )


if __name__ == "__main__":
    unittest.main()
