#!/usr/bin/env python3
"""The status page in a headless Chromium, on a live run with a real Kafka: what it shows, how it is steered, and that nothing
that a record or a name holds becomes markup. Screenshots are kept: look at them."""
import shutil
import sys
import threading
import time
import unittest

from observed_cluster import ARTIFACTS, ROOT, Kafka

if not shutil.which("chromium"):
    print("skipped: there is no chromium", file=sys.stderr)
    sys.exit(77)

import confluent_kafka  # noqa: E402
from browser import Browser  # noqa: E402
from observed_run import ObservedRun  # noqa: E402

KAFKA = Kafka()
import brokers  # noqa: E402
from control_chart_job import Job, rows  # noqa: E402

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
TEXT = """pipe 1
# </script><script>document.title = 'owned'</script>
schema Window {{ x: f32[60] }}

source windows = kafka {{ topic: "{inputs}", group: "{group}" }}
sink   labels  = kafka {{ topic: "{outputs}" }}
sink   dead    = kafka {{ topic: "{dead}" }}
model  chart   = onnx "{folder}/control-chart.onnx" {{
  labels: ["Normal", "Cyclic", "Increasing Trend", "Decreasing Trend", "Upward Shift", "{label}"],
  golden: file "{folder}/golden.csv",
}}

on error dead

stream scored = from windows
  |> parse csv as Window
  |> standardize x using "{folder}/control-chart.scaler.toml"
  |> apply chart(x) as y

from scored |> route {{ y.score > 0.99 => sure, else => unsure }}
from sure |> to labels {{ key: meta.key, value: y.label }}
from unsure |> filter y.index != 0 |> to labels {{ key: meta.key, value: y.label }}
"""


class Feed:
    """Rows at a rate that may be changed; every fiftieth one is broken, with hostile text in key and value."""

    def __init__(self, topic):
        self.producer = confluent_kafka.Producer({"bootstrap.servers": KAFKA.address, "linger.ms": 5,
                                                  "queue.buffering.max.messages": 1_000_000})
        self.topic, self.rate, self.ending = topic, 0, False
        self.rows = [value for _, value, code in rows(500, 3, broken_every=10**9) if not code]
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        number = 0
        while not self.ending:
            for _ in range(self.rate // 20):
                number += 1
                value = HOSTILE if number % 50 == 0 else self.rows[number % len(self.rows)]
                try:
                    self.producer.produce(self.topic, value, HOSTILE if number % 50 == 0 else str(number))
                except BufferError:
                    break
            self.producer.poll(0)
            time.sleep(0.05)

    def stop(self):
        self.ending = True
        self.thread.join()
        self.producer.purge()
        self.producer.flush(10)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(KAFKA.stop)
        cls.job = Job(brokers.RealBroker(), "page")
        cls.addClassCleanup(cls.job.close)
        cls.job.file = cls.job.file.with_name("charts<b>&amp;.pipe")
        cls.job.file.write_text(TEXT.format(inputs=cls.job.inputs, outputs=cls.job.outputs, dead=cls.job.dead, group=cls.job.group,
                                            folder=ROOT / "pipelines" / "control-chart", label="Downward <i>Shift</i>"),
                                encoding="utf-8")
        cls.run_ = ObservedRun(cls.job.file, KAFKA.address, profile='[run]\nthreads = 1\nmemory_budget = "32MiB"\n')
        cls.addClassCleanup(cls.run_.stop)
        cls.feed = Feed(cls.job.inputs)
        cls.addClassCleanup(cls.feed.stop)
        cls.feed.rate = 1_000
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.browser.colour_scheme("light")
        cls.browser.open(cls.run_.page + "/")
        cls.browser.wait_for("document.querySelectorAll('#graph [data-node]').length")

    def setUp(self):
        self.feed.rate = 1_000

    def shot(self, name):
        self.browser.screenshot(ARTIFACTS / f"{name}.png")

    def wait(self, expression, seconds=60):
        return self.browser.wait_for(expression, seconds)

    def test_1_the_graph_is_drawn_and_numbers_move(self):
        nodes = self.browser.evaluate("[...document.querySelectorAll('#graph [data-node]')].map(n => n.querySelector('title').textContent)")
        self.assertEqual(len(nodes), 10, nodes)
        for part in ("source windows", "parse csv as Window", "apply chart(x) as y", "sink labels", "sink dead"):
            self.assertIn(part, nodes)
        self.wait("document.getElementById('state').textContent === 'running'")
        read = "Number(document.querySelector('[data-tile=\"read so far\"]').textContent.replace(/\\D/g, ''))"
        first = self.wait(read)
        self.wait(f"{read} > {first} + 1000")
        self.wait("document.querySelectorAll('#graph .edge.flowing').length >= 6")
        labels = self.browser.evaluate("[...document.querySelectorAll('#graph .label')].map(l => l.textContent)")
        self.assertTrue(any("sure" in label for label in labels), labels)
        self.wait("document.querySelectorAll('#partitions tr').length === 3")
        self.wait("document.querySelector('#members').textContent.includes('(this one)')")
        text = self.browser.evaluate("document.body.innerText")
        for part in ("at least once", "golden vectors:", "sha256", "p99", "rebalances", "pipe 1", "resident"):
            self.assertIn(part, text)
        self.shot("light")

    def test_2_error_rows_appear_without_their_payload(self):
        self.wait("document.querySelectorAll('#errors tr').length > 5")
        row = self.browser.evaluate("document.querySelector('#errors tr').innerText")
        self.assertIn("K0903", row)
        self.assertIn(self.job.inputs, row)
        self.wait("document.querySelectorAll('#graph .failing').length")
        self.assertNotIn("onerror", self.browser.evaluate("document.querySelector('#errors').innerHTML"))

    def test_3_lag_rises_when_input_is_faster_and_falls_after(self):
        lag = "[...document.querySelectorAll('[data-lag]')].reduce((sum, cell) => sum + Number(cell.dataset.lag), 0)"
        self.feed.rate = 400_000
        self.wait(f"{lag} > 30000", 120)
        self.shot("lag")
        self.feed.rate = 200
        self.wait(f"{lag} < 2000", 300)

    def test_4_dark_and_back_by_keyboard(self):
        self.browser.colour_scheme("dark")
        self.wait("document.documentElement.dataset.theme === 'dark'")
        dark = self.browser.evaluate("getComputedStyle(document.body).backgroundColor")
        self.shot("dark")
        self.browser.colour_scheme("light")
        self.wait("document.documentElement.dataset.theme === 'light'")
        self.assertNotEqual(self.browser.evaluate("getComputedStyle(document.body).backgroundColor"), dark)
        self.browser.evaluate("document.activeElement.blur()")
        seen = []
        for _ in range(30):
            self.browser.press("Tab")
            seen.append(self.browser.evaluate("document.activeElement.id || document.activeElement.dataset.node || document.activeElement.className"))
            if seen[-1] == "theme":
                self.browser.press("Enter")
            if seen[-1] == "2":
                break
        self.assertEqual(seen[:3], ["skip", "theme", "0"])
        self.assertEqual(self.browser.evaluate("document.documentElement.dataset.theme"), "dark")
        self.browser.press("Enter")
        self.wait("document.getElementById('detail').innerText.includes('% of a thread')")
        self.assertEqual(self.browser.evaluate("document.activeElement.getAttribute('aria-pressed')"), "true")
        self.browser.press("ArrowDown")
        self.assertEqual(self.browser.evaluate("document.activeElement.dataset.node"), "3")
        self.shot("keyboard")
        self.browser.evaluate("document.getElementById('theme').click()")

    def test_5_it_fits_a_phone(self):
        self.browser.resize(360, 740, mobile=True)
        self.addCleanup(self.browser.resize, 1280, 900)
        time.sleep(1)  # it draws anew a little after the last change of size
        self.wait("document.querySelectorAll('#graph [data-node]').length === 10")
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 360)
        self.shot("phone")

    def test_6_nothing_is_injected_and_nothing_leaves_the_machine(self):
        self.assertNotEqual(self.browser.evaluate("document.title"), "owned")
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('img, b > *, i, iframe, object').length"), 0)
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('script').length"), 1)
        self.assertIn("<b>", self.browser.evaluate("document.getElementById('name').textContent"))
        self.assertEqual([url for url in self.browser.requests if not url.startswith((self.run_.page, "data:,", "about:"))], [])
        self.assertEqual(self.browser.problems, [])
        self.assertEqual(self.browser.violations, [])
        # The policy holds: a script and a style of somebody else do not run, nor does text become markup.
        for attack in ("""(() => { const s = document.createElement('script'); s.textContent = "document.title = 'owned'";
                          document.body.append(s); s.remove(); return document.title; })()""",
                       """(() => { const a = document.createElement('a'); a.setAttribute('onclick', "document.title = 'owned'");
                          document.body.append(a); a.click(); a.remove(); return document.title; })()"""):
            try:
                self.assertNotEqual(self.browser.evaluate(attack), "owned")
            except AssertionError as refused:
                self.assertIn("TrustedScript", str(refused))
        refused = self.browser.evaluate("(() => { try { document.body.insertAdjacentHTML('beforeend', '<b></b>'); return ''; } "
                                        "catch (error) { return String(error); } })()")
        self.assertIn("TrustedHTML", refused)
        outside = self.browser.evaluate("fetch('http://127.0.0.2:1/').then(() => 'went out', error => String(error))")
        self.assertIn("Failed to fetch", outside)
        self.assertTrue(self.browser.violations, "the policy let everything pass")

    def test_7_the_brokers_loss_turns_the_state_and_their_return_turns_it_back(self):
        KAFKA.stop_broker()
        self.wait("document.getElementById('state').textContent === 'no broker answers'", 60)
        self.wait("!document.getElementById('notice').hidden")
        self.assertEqual(self.run_.get("/healthz", self.run_.probes)[0], 200)
        self.assertEqual(self.run_.get("/readyz", self.run_.probes)[0], 200)
        self.shot("unreachable")
        KAFKA.start_broker()
        self.wait("document.getElementById('state').textContent === 'running'", 90)
        self.wait("document.getElementById('notice').hidden")

    def test_8_it_shows_that_it_is_stale_and_goes_on_by_itself(self):
        # The process is gone from the network, as it were, and comes back.
        self.run_.process.send_signal(19)  # SIGSTOP
        try:
            self.wait("document.getElementById('state').textContent === 'stale'", 30)
            self.assertIn("The connection is broken", self.browser.evaluate("document.getElementById('notice').textContent"))
            self.shot("stale")
        finally:
            self.run_.process.send_signal(18)  # SIGCONT
        self.wait("document.getElementById('state').textContent === 'running'", 60)


if __name__ == "__main__":
    unittest.main()
