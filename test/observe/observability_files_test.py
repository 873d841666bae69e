"""The files of deploy/observability agree with the metrics that there are, and promtool accepts the rules and their tests."""
import json
import pathlib
import re
import subprocess
import unittest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "observability"
SUFFIXES = ("_bucket", "_sum", "_count")


def known():
    return set(re.findall(r"^\| `(\w+)` ", (FOLDER / "metrics.md").read_text(encoding="utf-8"), re.M))


def used(text):
    return set(re.findall(r"\b(?:kaspar|process)_\w+", text))


class Files(unittest.TestCase):
    def check(self, names):
        self.assertTrue(names)
        metrics = known()
        unknown = [name for name in names if name not in metrics and
                   not any(name.endswith(suffix) and name.removesuffix(suffix) in metrics for suffix in SUFFIXES)]
        self.assertEqual(unknown, [])

    def test_the_dashboard_shows_metrics_that_there_are(self):
        dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.check(set().union(*map(used, expressions)))
        places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
        for index, (x, y, w, h) in enumerate(places):
            self.assertLessEqual(x + w, 24)
            for x2, y2, w2, h2 in places[:index]:
                self.assertFalse(x < x2 + w2 and x2 < x + w and y < y2 + h2 and y2 < y + h, "two panels overlap")

    def test_the_alerts_judge_metrics_that_there_are(self):
        self.check(used("\n".join(re.findall(r"expr: (.*)", (FOLDER / "alerts.yaml").read_text(encoding="utf-8")))))

    def test_every_alert_is_tested(self):
        alerts = set(re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yaml").read_text(encoding="utf-8")))
        self.assertEqual(set(re.findall(r"alertname: (\w+)", (FOLDER / "alerts_test.yaml").read_text(encoding="utf-8"))), alerts)

    def test_promtool_accepts_rules_tests_and_configuration(self):
        for arguments in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"],
                          ["check", "config", "prometheus.yaml"]):
            done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool_refuses_a_broken_rule(self):
        broken = (FOLDER / "alerts.yaml").read_text(encoding="utf-8").replace("kaspar_ready == 0", "kaspar_ready == ")
        done = subprocess.run(["promtool", "check", "rules"], input=broken, cwd=FOLDER, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
