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

    def test_every_function_has_alarms(self):
        self.assertEqual(operations.alarm_findings(self.template), [])

    def test_every_log_expires(self):
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

    def test_wrongly_quoted_variables_are_found(self):
        settings = self.template["Resources"]["Ws"]["Properties"]["AccessLogSettings"]["Fn::If"][1]
        for text, case in [('"$context.error.messageString"', "with values"), ("$context.error.messageString", "without")]:
            settings["Format"] = f'{{"error":{text}}}'
            self.assertEqual(
                operations.access_log_findings(self.template), [f"the access log of Ws is not JSON {case}"]
            )


if __name__ == "__main__":
    unittest.main()
