"""Runs the program given as the first argument and looks at its output and exit status."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

KASPAR = ""
PIPELINE = pathlib.Path(__file__).resolve().parents[2] / "pipelines" / "control-chart" / "control-chart.pipe"


def kaspar(*arguments, **options):
    return subprocess.run(
        [KASPAR, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


class ExitStatus(unittest.TestCase):
    def test_version_tells_program_and_libraries(self):
        result = kaspar("version")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\Akaspar \d+\.\d+\.\d+\n")
        self.assertIn("librdkafka", result.stdout)

    def test_help_is_no_mistake(self):
        result = kaspar("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("version", result.stdout)

    def test_wrong_usage_is_2_and_leaves_stdout_alone(self):
        for arguments in ([], ["no-such-command"], ["version", "--no-such-option"],
                          ["broker", "--topic", "t"], ["broker", "--topic", "t:0"]):
            with self.subTest(arguments=arguments):
                result = kaspar(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, "")
                self.assertNotEqual(result.stderr, "")

    def test_an_option_in_place_of_a_command_is_named(self):
        result = kaspar("--version")
        self.assertEqual(result.returncode, 2)
        self.assertIn("takes no option `--version`", result.stderr)
        self.assertIn("did you mean `kaspar version`?", result.stderr)

    def test_an_unknown_command_is_named(self):
        result = kaspar("chek", "x.pipe")
        self.assertEqual(result.returncode, 2)
        self.assertIn("no command `chek`", result.stderr)

    def test_full_standard_output_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run(
                [KASPAR, "version"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
            )
        self.assertEqual(result.returncode, 3)


    def test_an_instruction_set_can_be_asked_for(self):
        result = kaspar("version", env={"KASPAR_ISA": "portable"})
        self.assertEqual(result.returncode, 0)
        self.assertIn("instructions: portable\n", result.stdout)
        result = kaspar("version", env={"KASPAR_ISA": "mmx"})
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stdout, "")
        self.assertTrue(result.stderr.startswith(
            "error: KASPAR_ISA is `mmx`; it may be `portable`, `avx2` or `avx512`\nhelp: "), result.stderr)

    def test_wrong_usage_is_told_as_other_errors_are(self):
        cases = {
            ("check",): "error: FILE is required\nhelp: `kaspar check --help` tells how it is used\n",
            ("check", "--outptu", "x"): "error: `kaspar check` takes no option `--outptu`\nhelp: did you mean `--output`?\n",
            ("version", "x"): "error: `kaspar version` takes no argument `x`\nhelp: `kaspar version --help` tells",
            ("chekc",): "error: there is no command `chekc`\nhelp: did you mean `check`?\n",
            (): "error: no command is given\nhelp: `kaspar --help` lists them\n",
            ("check", "--output", "xml", "x"): "error: --output: xml not in {human,json,sarif,github}\nhelp: ",
        }
        for arguments, told in cases.items():
            with self.subTest(arguments=arguments):
                result = kaspar(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, "")
                self.assertTrue(result.stderr.startswith(told), result.stderr)


class CheckOnline(unittest.TestCase):
    """Nobody listens at the brokers' address."""

    TEXT = """pipe 1
source rows = kafka { topic: "in", group: "g" }
sink out = kafka { topic: "out", cluster: "west" }
on error drop
from rows
  |> to out { value: meta.value }
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "online.pipe")
        self.file.write_text(self.TEXT, encoding="utf-8")
        # Bound and not listening: connections are refused, and nobody else takes the port.
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{taken.getsockname()[1]}"
        self.file.with_name("kaspar.toml").write_text(f"""
[kafka]
brokers = "{self.address}"
connect_timeout = "300ms"
[kafka.options]
"security.protocol" = "SASL_PLAINTEXT"
"sasl.mechanism" = "PLAIN"
"sasl.username" = "kaspar"
"sasl.password" = {{ env = "CHECK_ONLINE_SECRET" }}
[clusters.west]
brokers = "{self.address}"
connect_timeout = "300ms"
""", encoding="utf-8")
        self.environment = {**os.environ, "CHECK_ONLINE_SECRET": "swordfish"}

    def check(self, *options):
        return kaspar("check", *options, str(self.file), env=self.environment)

    def test_every_cluster_that_does_not_answer_is_told_in_time_and_is_3(self):
        started = time.monotonic()
        result = self.check("--online", "--output", "json")
        self.assertLess(time.monotonic() - started, 10)  # s, the default of connect_timeout
        self.assertEqual((result.returncode, result.stderr), (3, ""))
        report = json.loads(result.stdout)
        self.assertEqual((report["valid"], report["error_count"]), (False, 2))
        text = self.TEXT.encode()
        places = [text[entry["span"]["start"]["byte"]:entry["span"]["end"]["byte"]] for entry in report["diagnostics"]]
        self.assertEqual(places, [b"kafka", b'"west"'])
        for entry in report["diagnostics"]:
            self.assertEqual(entry["code"], "K0604")
            self.assertIn(f"no Kafka broker answered at `{self.address}` within 300 ms", entry["message"])
        self.assertNotIn("swordfish", result.stdout)
        self.assertNotIn("swordfish", self.check("--online").stdout)

    def test_without_it_nobody_is_asked(self):
        result = self.check()
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_mistake_in_the_file_is_1_and_nobody_is_asked(self):
        self.file.write_text(self.TEXT.replace("to out", "to outt"), encoding="utf-8")
        result = self.check("--online", "--output", "json")
        self.assertEqual(result.returncode, 1)
        self.assertNotIn("K0604", result.stdout)

    def test_brokers_are_given_with_it_only(self):
        self.assertEqual(self.check("--brokers", self.address).returncode, 2)


class Check(unittest.TestCase):
    """Several files, and every form of output."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("sound.pipe", 'from a |> parse csv as S |> to b { value: x }\n')
        self.write("unused.pipe", 'schema T { x: f32 }\nfrom a |> parse csv as S |> to b { value: x }\n')
        self.write("broken.pipe", 'from a |> parse csv as S |> to b { value: z }\n')

    def write(self, name, text):
        (self.folder / name).write_text(
            "pipe 1\nschema S { x: f32 }\nsource a = stdin { }\nsink b = stdout { }\non error drop\n" + text, encoding="utf-8")

    def check(self, *arguments, **options):
        return kaspar("check", *arguments, cwd=self.folder, **options)

    def test_several_files_make_one_document(self):
        result = self.check("--output", "json", "broken.pipe", "sound.pipe", "unused.pipe")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        document = json.loads(result.stdout)
        self.assertEqual((document["valid"], document["error_count"], document["warning_count"]), (False, 1, 1))
        self.assertEqual([(entry["file"], entry["code"]) for entry in document["diagnostics"]],
                         [("broken.pipe", "K0201"), ("unused.pipe", "K0501")])
        human = self.check("broken.pipe", "sound.pipe", "unused.pipe")
        self.assertEqual(human.returncode, 1)
        self.assertIn("sound.pipe: sound\n", human.stdout)
        self.assertIn(" --> broken.pipe:6:", human.stdout)

    def test_sarif(self):
        result = self.check("--output", "sarif", "broken.pipe", "unused.pipe")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        log = json.loads(result.stdout)
        self.assertEqual(log["version"], "2.1.0")
        (run,) = log["runs"]
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        self.assertEqual(run["columnKind"], "unicodeCodePoints")
        self.assertEqual([(entry["ruleId"], entry["level"]) for entry in run["results"]],
                         [("K0201", "error"), ("K0501", "warning")])
        for entry in run["results"]:
            self.assertEqual(rules[entry["ruleIndex"]], entry["ruleId"])
            place = entry["locations"][0]["physicalLocation"]
            self.assertIn(place["artifactLocation"]["uri"], ("broken.pipe", "unused.pipe"))
            self.assertGreater(place["region"]["endColumn"], place["region"]["startColumn"])

    def test_github(self):
        result = self.check("--output", "github", "broken.pipe", "unused.pipe", "sound.pipe")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertEqual([line.split("::")[1] for line in result.stdout.splitlines()],
                         ["error file=broken.pipe,line=6,col=43,endLine=6,endColumn=44,title=K0201",
                          "warning file=unused.pipe,line=6,col=8,endLine=6,endColumn=9,title=K0501"])

    def test_a_file_that_another_uses_needs_no_chain(self):
        (self.folder / "shared.pipe").write_text("pipe 1\nschema T { x: f32 }\nschema U { x: f32 }\n", encoding="utf-8")
        (self.folder / "uses.pipe").write_text(
            'pipe 1\nuse "shared.pipe" as s\nsource a = stdin\nsink b = stdout\non error drop\n'
            "from a |> parse csv as s.T |> to b { value: x }\n", encoding="utf-8")
        alone = self.check("shared.pipe")
        self.assertEqual(alone.returncode, 1)
        self.assertIn("error[K0505]", alone.stdout)
        together = self.check("./shared.pipe", "uses.pipe")
        self.assertEqual((together.returncode, together.stdout), (0, "./shared.pipe: sound\nuses.pipe: sound\n"))
        self.assertEqual(kaspar("test", "shared.pipe", "uses.pipe", cwd=self.folder).returncode, 0)

    def test_denied_warnings_are_problems(self):
        self.assertEqual(self.check("unused.pipe").returncode, 0)
        for output in ("human", "json", "sarif", "github"):
            with self.subTest(output=output):
                denied = self.check("--deny-warnings", "--output", output, "unused.pipe")
                self.assertEqual(denied.returncode, 1)
                self.assertNotIn("sound", denied.stdout)
        self.assertEqual(self.check("--deny-warnings", "sound.pipe").returncode, 0)

    def test_a_missing_file_is_2_and_the_others_are_checked(self):
        for missing in ("missing.pipe", "-", "."):
            with self.subTest(missing=missing):
                result = self.check("--output", "json", missing, "broken.pipe")
                self.assertEqual(result.returncode, 2)
                self.assertIn(f"error: cannot read `{missing}`", result.stderr)
                document = json.loads(result.stdout)
                self.assertEqual((document["valid"], document["error_count"]), (False, 1))
                human = self.check(missing)
                self.assertEqual((human.returncode, human.stdout), (2, ""))
        sarif = json.loads(self.check("--output", "sarif", "missing.pipe").stdout)
        self.assertFalse(sarif["runs"][0]["invocations"][0]["executionSuccessful"])

    def test_colours_are_for_terminals_or_who_asks(self):
        self.assertNotIn("\x1b", self.check("broken.pipe").stdout)
        self.assertIn("\x1b[", self.check("--color", "always", "broken.pipe").stdout)
        self.assertNotIn("\x1b", self.check("--color", "always", "--output", "json", "broken.pipe").stdout)
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
            with self.subTest(environment=environment):
                self.assertEqual("\x1b[" in self.on_terminal("check", "broken.pipe", **environment), coloured)

    def on_terminal(self, *arguments, **environment):
        ours, theirs = os.openpty()
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        subprocess.run([KASPAR, *arguments], cwd=self.folder, stdout=theirs, env={**kept, **environment},
                       timeout=60, check=False)
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:
            pass  # the end, of a terminal that nobody holds any more
        os.close(ours)
        return text.decode("utf-8")


class Test(unittest.TestCase):
    """The tests of files: what they find, and every form of the report."""

    GOOD = 'test "passes" {\n  feed a { key: "k", value: "1.5" }\n  expect b { key: "k", value: "1.5" }\n  expect d none\n}\n'
    BAD = 'test "fails" {\n  feed a { key: "k", value: "1.5" }\n  expect b { key: "k", value: "2.5" }\n}\n'
    LOST = 'test "loses a row" {\n  feed a { value: "x" }\n  expect b none\n}\n'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, *tests):
        (self.folder / name).write_text(
            "pipe 1\nschema S { x: f32 }\nsource a = stdin\nsink b = stdout\nsink d = file { path: \"d\" }\non error d\n"
            "from a |> parse csv as S |> to b { value: x }\n" + "".join(tests), encoding="utf-8")
        return name

    def kaspar(self, *arguments):
        return kaspar("test", *arguments, cwd=self.folder)

    def test_the_tests_of_the_example_pass(self):
        result = kaspar("test", str(PIPELINE))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"(?m)^  ok      a falling chart \(")
        self.assertTrue(result.stdout.endswith("2 tests: 2 ok, 0 failed\n"), result.stdout)

    def test_a_difference_is_told_at_its_expectation(self):
        result = self.kaspar(self.write("a.pipe", self.GOOD, self.BAD, self.LOST))
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertEqual(re.sub(r"\([^()]*ms\)", "(TIME)", re.sub(r"(K0902 in `parse`: ).*", r"\1WHY", result.stdout)),
                         "a.pipe\n"
                         "  ok      passes (TIME)\n"
                         "  FAILED  fails (TIME)\n"
                         "      --> a.pipe:15:10\n"
                         "      record 1 of `b` has another `value`\n"
                         '        expected  "2.5"\n'
                         '        got       "1.5"\n'
                         "  FAILED  loses a row (TIME)\n"
                         "      --> a.pipe:17:1\n"
                         "      an error row that is not expected, in `d`: K0902 in `parse`: WHY\n"
                         '        got       raw "x"\n'
                         "3 tests: 1 ok, 2 failed\n")

    def test_reports_for_programs(self):
        files = [self.write("a.pipe", self.GOOD, self.BAD), self.write("b.pipe", self.GOOD)]
        for output in ("json", "junit", "sarif", "github"):
            with self.subTest(output=output):
                result = self.kaspar("--output", output, *files)
                self.assertEqual((result.returncode, result.stderr), (1, ""))
                if output == "json":
                    document = json.loads(result.stdout)
                    self.assertEqual((document["valid"], document["test_count"], document["failed_count"]), (True, 3, 1))
                    self.assertEqual([(test["file"], test["name"], test["status"]) for test in document["tests"]],
                                     [("a.pipe", "passes", "ok"), ("a.pipe", "fails", "failed"), ("b.pipe", "passes", "ok")])
                    (failure,) = document["tests"][1]["failures"]
                    self.assertEqual((failure["line"], failure["expected"], failure["got"]), (15, '"2.5"', '"1.5"'))
                elif output == "junit":
                    suites = xml.etree.ElementTree.fromstring(result.stdout)
                    self.assertEqual((suites.get("tests"), suites.get("failures"), suites.get("errors")), ("3", "1", "0"))
                    self.assertEqual([case.find("failure") is not None for case in suites.iter("testcase")], [False, True, False])
                elif output == "sarif":
                    (finding,) = json.loads(result.stdout)["runs"][0]["results"]
                    self.assertEqual(finding["ruleId"], "test-failed")
                    self.assertEqual(finding["locations"][0]["physicalLocation"]["region"]["startLine"], 15)
                else:
                    self.assertRegex(result.stdout, r"\A::error file=a.pipe,line=15,col=10,title=test-failed::test \"fails\": [^\n]*\n\Z")

    def test_an_unsound_file_shows_its_diagnostics_first(self):
        broken = self.write("broken.pipe", self.GOOD.replace("feed a", "feed aa"))
        good = self.write("good.pipe", self.GOOD)
        result = self.kaspar(broken, good)
        self.assertEqual(result.returncode, 1)
        self.assertTrue(result.stdout.startswith("error[K0801]"), result.stdout)
        self.assertIn("good.pipe\n  ok      passes", result.stdout)
        document = json.loads(self.kaspar("--output", "json", broken, good).stdout)
        self.assertEqual((document["valid"], document["error_count"], document["test_count"]), (False, 1, 1))
        suites = xml.etree.ElementTree.fromstring(self.kaspar("--output", "junit", broken, good).stdout)
        self.assertEqual((suites.get("tests"), suites.get("errors")), ("2", "1"))
        self.assertEqual(self.kaspar("missing.pipe", good).returncode, 2)

    def test_a_filter_chooses_by_name(self):
        file = self.write("a.pipe", self.GOOD, self.BAD)
        result = self.kaspar("--filter", "pass", file)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertTrue(result.stdout.endswith("1 test: 1 ok, 0 failed\n"), result.stdout)
        nothing = self.kaspar("--filter", "no such test", file)
        self.assertEqual(nothing.returncode, 2)
        self.assertIn("error: no test has `no such test` in its name\n", nothing.stderr)
        self.assertEqual(self.kaspar(self.write("none.pipe")).returncode, 0)


class Run(unittest.TestCase):
    """What needs no broker: files in place of topics, and refusals."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.text = PIPELINE.read_text(encoding="utf-8").replace('"control-chart.', f'"{PIPELINE.parent}/control-chart.')
        self.text = self.text.split("\ntest ")[0]
        # A broker that nobody may call: connections to it would wait here.
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.addCleanup(self.listener.close)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def write(self, name, text):
        path = pathlib.Path(self.folder.name) / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def assert_nobody_called(self):
        with self.assertRaises(BlockingIOError):
            self.listener.accept()

    def test_a_broken_file_ends_with_1_and_touches_no_broker(self):
        variants = {
            "K0201": ("y.label }", "y.lable }"),
            "K0101": ("|> apply", "apply"),
            "K0303": (', group: "kaspar"', ""),
            "K0401": ("f32[60]", "f32[59]"),
            "K0402": (', "Downward Shift"', ""),
            "K0405": ("control-chart.onnx", "missing.onnx"),
            "K0601": ("on error dead", ""),
        }
        for code, (before, after) in variants.items():
            with self.subTest(code=code):
                self.assertIn(before, self.text)
                file = self.write("broken.pipe", self.text.replace(before, after))
                result = kaspar("run", file, "--brokers", self.address)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(f"error[{code}]", result.stderr)
                self.assertEqual(result.stdout, "")
        self.assert_nobody_called()

    def test_wrong_usage_is_2_and_touches_no_broker(self):
        file = self.write("sound.pipe", self.text)
        rows = self.write("rows.csv", "1,2\n")
        for arguments in ([file + ".missing"], [file, "--embedded", "--brokers", self.address],
                          [file, "--feed", f"nobody={rows}"], [file, "--feed", "windows"],
                          [file, "--source", "nobody=stdin"], [file, "--source", "windows=ftp:x"],
                          [file, "--sink", f"labels=file:{self.folder.name}/no/such/folder/x", "--sink", "dead=stdout",
                           "--source", f"windows=file:{rows}"]):
            with self.subTest(arguments=arguments):
                brokers = [] if "--embedded" in arguments else ["--brokers", self.address]
                result = kaspar("run", *arguments, *brokers)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(result.stdout, "")
                self.assertNotEqual(result.stderr, "")
        self.assert_nobody_called()

    def test_an_embedded_broker_needs_none_configured(self):
        file = self.write("sound.pipe", self.text)
        result = kaspar("run", file, "--embedded", "--feed", f"windows={PIPELINE.parent}/falling.csv", "--until-end",
                        env={**os.environ, "KASPAR_BROKERS": self.address})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\Atopic = kaspar-outputs key = .* value = Decreasing Trend\n\Z")
        self.assert_nobody_called()

    def test_brokers_may_come_from_the_environment(self):
        self.listener.close()
        result = kaspar("consume", "--topic", "t", env={**os.environ, "KASPAR_BROKERS": self.address})
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn(self.address, result.stderr)

    def test_a_feed_that_cannot_be_opened_is_2(self):
        file = self.write("sound.pipe", self.text)
        result = kaspar("run", file, "--embedded", "--feed", "windows=/no/such/file", "--until-end")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("/no/such/file", result.stderr)

    def test_no_broker_is_3_with_a_clear_message(self):
        self.listener.close()
        for command in (["run", self.write("sound.pipe", self.text)], ["consume", "--topic", "t"],
                        ["produce", "--topic", "t", "/dev/null"]):
            with self.subTest(command=command):
                result = kaspar(*command, "--brokers", self.address)
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn(f"no Kafka broker answered at `{self.address}`", result.stderr)
                self.assertIn("--brokers", result.stderr)

    def test_files_replace_topics(self):
        file = self.write("sound.pipe", self.text)
        rows = (PIPELINE.parent / "sample-rows.csv").read_text(encoding="ascii").splitlines()
        records = [row.rsplit(",", 1)[0] for row in rows]
        labels = [row.rsplit(",", 1)[1] for row in rows]
        source = self.write("rows.csv", "".join(f"{record}\n" for record in [*records, "1,2,3", ""]))
        for fused in ([], ["--no-fuse"]):
            result = kaspar("run", file, "--source", f"windows=file:{source}", "--sink", "labels=stdout", "--sink",
                            f"dead=file:{self.folder.name}/dead.json", *fused)
            self.assertEqual(result.returncode, 0, result.stderr)
            found = result.stdout.splitlines()
            self.assertEqual(len(found), len(labels))
            self.assertLessEqual(sum(a != b for a, b in zip(found, labels)), 1)
            letters = [json.loads(line) for line in
                       (pathlib.Path(self.folder.name) / "dead.json").read_text(encoding="utf-8").splitlines()]
            self.assertEqual([(letter["code"], letter["raw"], letter["offset"]) for letter in letters],
                             [("K0901", "1,2,3", 120), ("K0901", "", 121)])

    def test_what_is_read_is_never_written(self):
        file = self.write("through.pipe", "pipe 1\nsource rows = stdin\nsink out = stdout\nfrom rows |> to out\n")
        rows = self.write("rows.txt", "1\n")
        other = f"{self.folder.name}/./rows.txt"
        result = kaspar("run", file, "--source", f"rows=file:{rows}", "--sink", f"out=file:{other}")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("the sink `out` writes the file", result.stderr)
        self.assertEqual(pathlib.Path(rows).read_text(encoding="ascii"), "1\n")

    def test_nothing_is_emptied_before_the_sources_are_there(self):
        file = self.write("through.pipe", "pipe 1\nsource rows = stdin\nsink out = stdout\nfrom rows |> to out\n")
        before = self.write("before.txt", "1\n")
        result = kaspar("run", file, "--source", f"rows=file:{self.folder.name}/none.txt", "--sink", f"out=file:{before}")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("cannot open the file", result.stderr)
        self.assertEqual(pathlib.Path(before).read_text(encoding="ascii"), "1\n")

    def test_a_file_in_place_of_another_is_read_and_written_alike(self):
        file = self.write("named.pipe", 'pipe 1\nschema Row { id: string from "name" }\n'
                          'source rows = file { path: "no-such-rows.csv", header: true }\n'
                          'sink out = file { path: "no-such-folder/out", show_key: true }\n'
                          'on error fail\nfrom rows |> parse csv as Row |> to out { key: id, value: id }\n')
        rows = self.write("rows.csv", "n,name\n1,a\n")
        result = kaspar("run", file, "--source", f"rows=file:{rows}", "--sink", "out=stdout")
        self.assertEqual((result.returncode, result.stdout), (0, "key = a value = a\n"), result.stderr)

    def test_eval_repeats_the_evaluation(self):
        result = kaspar("eval", str(PIPELINE), str(PIPELINE.parent / "sample-rows.csv"))
        self.assertEqual(result.returncode, 0, result.stderr)
        accuracy = float(re.search(r"^accuracy +([0-9.]+) %", result.stdout, re.M).group(1))
        self.assertGreaterEqual(accuracy, 99.0)
        self.assertRegex(result.stdout, r"(?m)^rows +120$")
        self.assertIn("Upward Shift", result.stdout)

    def test_eval_counts_rows_that_fail(self):
        good = (PIPELINE.parent / "sample-rows.csv").read_text(encoding="ascii").splitlines()[0]
        rows = self.write("rows.csv", f"{good}\n1,2,3,Normal\n{good.rsplit(',', 1)[0]},No such label\n")
        result = kaspar("eval", str(PIPELINE), rows)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("33.33 %", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^failed +1 +K0901 × 1$")
        unlabelled = kaspar("eval", str(PIPELINE), self.write("unlabelled.csv", f"{good}\nnothing\n"))
        self.assertEqual(unlabelled.returncode, 1)
        self.assertIn("unlabelled.csv:2", unlabelled.stderr)

    def test_eval_tells_of_each_class_and_writes_a_page(self):
        rows = str(PIPELINE.parent / "sample-rows.csv")
        page = pathlib.Path(self.write("page.html", "old"))
        result = kaspar("eval", str(PIPELINE), rows, "--output", "json", "--html", str(page))
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(len(report["classes"]), 6)
        for each in report["classes"]:
            self.assertGreater(each["rows"], 10)
            self.assertGreaterEqual(each["precision"], 0.9)
            self.assertGreaterEqual(each["recall"], 0.9)
        bins = report["reliability"]["bins"]
        self.assertEqual(sum(each["rows"] for each in bins), 120)
        self.assertGreater(bins[9]["rows"], 60)
        text = page.read_text(encoding="utf-8")
        self.assertIn("<h2>Reliability</h2>", text)
        self.assertNotRegex(text, r"<script|https?://")
        unwritable = kaspar("eval", str(PIPELINE), rows, "--html", "/no-such-folder/page.html")
        self.assertEqual(unwritable.returncode, 2)
        self.assertIn("no-such-folder", unwritable.stderr)

    def test_trace_shows_a_row_stage_by_stage(self):
        row = (PIPELINE.parent / "falling.csv").read_text(encoding="ascii").strip()
        result = kaspar("trace", str(PIPELINE), "--row", row, "--key", "k1")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for text in ("from windows\n", "|> parse csv as Window 15:6\n", "x = [", "y.label = \"Decreasing Trend\"",
                     "=> sink `labels`, topic `kaspar-outputs`, partition not asked for\n",
                     'key = "k1"\n       value = "Decreasing Trend"\n'):
            self.assertIn(text, result.stdout)
        failed = json.loads(kaspar("trace", str(PIPELINE), "--row", "1,2,3", "--output", "json").stdout)
        (chain,) = failed["chains"]
        self.assertEqual((chain["stages"][-1]["outcome"], chain["stages"][-1]["code"]), ("failed", "K0901"))
        (letter,) = chain["outputs"]
        self.assertEqual((letter["sink"], letter["dead_letter"], letter["value"], letter["key"]), ("dead", True, "1,2,3", None))

    def test_trace_follows_a_route_and_a_filter(self):
        file = self.write("routed.pipe", """pipe 1
schema Row { a: i64 }
source rows = stdin { }
sink small = stdout { }
sink large = file { path: "no-such-folder/large" }
on error drop
from rows |> parse csv as Row |> route { a < 10 => few, else => many }
from few |> derive { b = a * 2 } |> to small { value: b }
from many |> filter a < 100 |> to large { value: a }
""")
        def traced(row):
            result = kaspar("trace", file, "--row", row, "--output", "json")
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)["chains"]
        first, second = traced("7")
        self.assertEqual((first["stages"][-1]["arm"], second["from"]), ("few", "few"))
        self.assertEqual(second["stages"][0]["columns"], {"b": 14})
        self.assertEqual((second["outputs"][0]["sink"], second["outputs"][0]["value"]), ("small", "14"))
        first, second = traced("70")
        self.assertEqual((first["stages"][-1]["arm"], second["outputs"][0]["sink"]), ("many", "large"))
        first, second = traced("700")
        self.assertEqual((second["stages"][-1]["outcome"], second["outputs"]), ("filtered", []))

    def test_trace_wants_one_record_or_row(self):
        for arguments in ([], ["kaspar-inputs:0:1", "--row", "1"], ["kaspar-inputs:0"]):
            result = kaspar("trace", str(PIPELINE), *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))


class Broker(unittest.TestCase):
    def setUp(self):
        self.broker = subprocess.Popen(
            [KASPAR, "broker", "--topic", "rows:3"], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.broker.stdout.close)
        self.addCleanup(self.broker.wait)
        self.addCleanup(self.broker.kill)
        self.address = self.broker.stdout.readline().strip()

    def test_foreign_client_writes_and_reads_records_with_keys(self):
        self.assertRegex(self.address, r"\A127\.0\.0\.1:\d+\Z")
        produced = subprocess.run(
            ["kcat", "-b", self.address, "-P", "-t", "rows", "-K", "|"],
            input="22-11-2026 10:00:00|1,2\n22-11-2026 10:00:01|3,4\n",
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertEqual(produced.returncode, 0, produced.stderr)
        consumed = subprocess.run(
            ["kcat", "-b", self.address, "-C", "-t", "rows", "-e", "-q", "-f", "%k|%s\n"],
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertEqual(consumed.returncode, 0, consumed.stderr)
        self.assertEqual(
            sorted(consumed.stdout.splitlines()),
            ["22-11-2026 10:00:00|1,2", "22-11-2026 10:00:01|3,4"],
        )
        listed = subprocess.run(
            ["kcat", "-b", self.address, "-L", "-t", "rows"],
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertIn('topic "rows" with 3 partitions', listed.stdout)

    def test_a_profile_tells_produce_and_consume_of_the_cluster(self):
        with tempfile.TemporaryDirectory() as folder:
            profile = pathlib.Path(folder) / "profile.toml"
            profile.write_text(f'[kafka]\nbrokers = "{self.address}"\n[kafka.options]\nlinger.ms = 5\n', encoding="utf-8")
            environment = {name: value for name, value in os.environ.items() if name != "KASPAR_BROKERS"}
            produced = kaspar("produce", "--topic", "rows", "--key", "counter", "--profile", str(profile), input="1,a\n",
                              env=environment)
            consumed = kaspar("consume", "--topic", "rows", "--until-end", "--profile", str(profile), env=environment)
            for result in (produced, consumed):
                self.assertEqual((result.returncode, result.stdout), (0, "topic = rows key = 0 value = 1,a\n"), result.stderr)
            profile.write_text("[kafka.options]\nlinger.m = 5\n", encoding="utf-8")
            refused = kaspar("consume", "--topic", "rows", "--brokers", self.address, "--profile", str(profile))
            self.assertEqual(refused.returncode, 1)
            self.assertIn("did you mean `linger.ms`?", refused.stderr)

    def test_lines_before_a_wrong_one_are_written(self):
        produced = subprocess.run(
            [KASPAR, "produce", "--brokers", self.address, "--topic", "rows", "--key", "column:2"],
            input="1,a\n2,b\n3\n4,d\n", capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(produced.returncode, 1)
        self.assertIn("line 3 has no column 2", produced.stderr)
        self.assertEqual(sorted(produced.stdout.splitlines()),
                         ["topic = rows key = a value = 1,a", "topic = rows key = b value = 2,b"])

    def test_a_signal_ends_it_gracefully(self):
        self.broker.send_signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(timeout=60), 0)


class Show(unittest.TestCase):
    """Settings and where they come from; nothing of a secret."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "p.pipe").write_text("""pipe 1
param threshold: f64 = 0.5 { min: 0, max: 1 }
param topic: string = "in"
param token: string = "none"
schema S { x: f64 }
source a = kafka { topic: "${topic}", group: "g" }
sink b = stdout { }
sink c = stdout { deliver: best_effort }
on error drop
stream s = from a |> parse csv as S |> filter x > threshold
from s |> to b { value: x }
from s |> to c { value: "${token}" }
""", encoding="utf-8")
        (self.folder / "password").write_text("hunter3\n", encoding="utf-8")
        (self.folder / "kaspar.toml").write_text("""[kafka]
brokers = ["k1:9092", "k2:9092"]
[kafka.options]
"sasl.password" = { env = "PW" }
"sasl.username" = { file = "password" }
"linger.ms" = 3
[clusters.eu]
brokers = "eu:9092"
[run]
memory_budget = "128MiB"
instance = "one"
[params]
topic = "other"
token = { env = "PW" }
""", encoding="utf-8")

    def show(self, *arguments, **environment):
        result = kaspar("show", "p.pipe", *arguments, cwd=self.folder,
                        env=os.environ | {"PW": "hunter2"} | environment)
        self.assertNotIn("hunter", result.stdout + result.stderr)
        return result

    def settings(self, *arguments, **environment):
        result = self.show("--output", "json", *arguments, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        document = json.loads(result.stdout)
        listed = {f"{entry['section']}.{entry['name']}": (entry["value"], entry["origin"]) for entry in document["settings"]}
        listed |= {f"params.{entry['name']}": (entry["value"], entry["origin"]) for entry in document["params"]}
        return document, listed

    def test_each_value_has_its_origin(self):
        document, listed = self.settings("-p", "threshold=0.75")
        self.assertEqual((document["format_version"], document["file"], document["profile"]), (1, "p.pipe", "kaspar.toml"))
        expected = {
            "kafka.brokers": ("k1:9092,k2:9092", "kaspar.toml:2"),
            "kafka.connect_timeout": ("10s", "default"),
            "kafka.options.linger.ms": ("3", "kaspar.toml:6"),
            "kafka.options.sasl.password": (None, "kaspar.toml:4, environment variable PW"),
            "kafka.options.sasl.username": (None, "kaspar.toml:5, file password"),
            "clusters.eu.brokers": ("eu:9092", "kaspar.toml:8"),
            "run.memory_budget": ("128MiB", "kaspar.toml:10"),
            "run.instance": ("one", "kaspar.toml:11"),
            "run.commit_interval": ("1s", "default"),
            "http.listen": ("127.0.0.1:8080", "default"),
            "params.threshold": ("0.75", "command line"),
            "params.topic": ("other", "kaspar.toml:13"),
            "params.token": (None, "kaspar.toml:14"),
        }
        self.assertEqual({name: listed.get(name) for name in expected}, expected)
        mib = 1 << 20
        self.assertEqual(document["memory"], {"program": 32 * mib, "fetch": 24 * mib, "batches": 36 * mib, "best_effort": 12 * mib,
                                              "models": 0, "producers": 24 * mib})

    def test_models_leave_the_rest_of_the_budget_to_records(self):
        profile = self.folder / "models.toml"
        profile.write_text('[run]\nmemory_budget = "64MiB"\nthreads = 3\n', encoding="utf-8")
        result = kaspar("show", "--output", "json", str(PIPELINE), "--profile", str(profile))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        memory = json.loads(result.stdout)["memory"]
        described = json.loads(kaspar("model", "--output", "json", str(PIPELINE.with_suffix(".onnx"))).stdout)
        self.assertGreaterEqual(memory["models"], described["constant_bytes"] + 3 * described["thread_bytes"])
        self.assertEqual(sum(memory.values()), 64 << 20)
        self.assertEqual(memory["batches"], ((64 << 20) - memory["program"] - memory["models"]) // 2)

    def test_what_is_nearer_counts(self):
        _, listed = self.settings(KASPAR_BROKERS="e:1", KASPAR_INSTANCE="two", KASPAR_PARAM_TOPIC="unheard",
                                  KASPAR_PARAM_THRESHOLD="0.25")
        self.assertEqual(listed["kafka.brokers"], ("e:1", "environment variable KASPAR_BROKERS"))
        self.assertEqual(listed["run.instance"], ("two", "environment variable KASPAR_INSTANCE"))
        self.assertEqual(listed["params.topic"], ("other", "kaspar.toml:13"))
        self.assertEqual(listed["params.threshold"], ("0.25", "environment variable KASPAR_PARAM_THRESHOLD"))
        _, listed = self.settings("--brokers", "c:1", KASPAR_BROKERS="e:1")
        self.assertEqual(listed["kafka.brokers"], ("c:1", "command line"))

    def test_for_people(self):
        result = self.show()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = [line.split() for line in result.stdout.splitlines()]
        self.assertIn(["sasl.password", "(secret)", "kaspar.toml:4,", "environment", "variable", "PW"], lines)
        self.assertIn(["token:", "string", "(secret)", "kaspar.toml:14"], lines)

    def test_without_a_profile(self):
        (self.folder / "kaspar.toml").unlink()
        document, listed = self.settings()
        self.assertIsNone(document["profile"])
        self.assertEqual(listed["kafka.brokers"], ("localhost:9092", "default"))
        self.assertEqual(listed["params.topic"], ("in", "default"))

    def test_what_is_wrong(self):
        result = self.show("-p", "threshold=7")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("error[K0701]", result.stderr)
        self.assertEqual(kaspar("show", "nowhere.pipe", cwd=self.folder).returncode, 2)


class Model(unittest.TestCase):
    """What a model file holds, and what of it is not executed."""

    FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "nodes" / "model" / "fixtures"

    def describe(self, name, status=0):
        result = kaspar("model", "--output", "json", name, cwd=self.FIXTURES)
        self.assertEqual((result.returncode, result.stderr), (status, ""))
        return json.loads(result.stdout)

    def test_a_model_with_weights_beside_it(self):
        document = self.describe("dynamo-opset20.onnx")
        self.assertEqual((document["format_version"], document["file"], document["valid"], document["diagnostics"]),
                         (1, "dynamo-opset20.onnx", True, []))
        self.assertEqual((document["producer"], document["ir_version"], document["opsets"]["ai.onnx"]), ("pytorch", 10, 20))
        self.assertEqual(document["file_bytes"], (self.FIXTURES / "dynamo-opset20.onnx").stat().st_size)
        self.assertGreater(document["outside_bytes"], 0)
        self.assertLessEqual(document["outside_bytes"], (self.FIXTURES / "dynamo-opset20.onnx.data").stat().st_size)
        self.assertGreater(document["parameters"] * 8, document["outside_bytes"])
        self.assertEqual([port["type"] for port in document["inputs"]], ["float32"])
        self.assertIsNone(document["inputs"][0]["shape"][0])
        self.assertGreater(sum(document["operators"].values()), 3)
        self.assertEqual([cost["batch"] for cost in document["cost"]], [1, 64, 256])
        for cost in document["cost"]:
            self.assertGreater(cost["nanoseconds"], 0)

    def test_for_people(self):
        result = kaspar("model", str(self.FIXTURES / "learned" / "logistic-numbers.onnx"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for line in ("  producer    skl2onnx", "  ai.onnx.ml.LinearClassifier  1", "inputs", "outputs", "sequence of maps",
                     "takes 6 values a record: dimension 0 is the batch", "measured here", "  in batches of 256  "):
            self.assertIn(line, result.stdout)

    def test_everything_that_is_not_executed_is_told_with_its_node(self):
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hostile"))
        import onnx_bytes as onnx  # pylint: disable=import-outside-toplevel,import-error
        nodes = [onnx.node("Einsum", ["x"], ["a"], name="first"), onnx.node("Relu", ["a"], ["b"]),
                 onnx.node("Frobnicate", ["b"], ["c"], domain="com.example", name="second"),
                 onnx.node("Gather", ["x", "x"], ["d"], name="third"), onnx.node("Add", ["c", "d"], ["y"])]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "m.onnx"
            path.write_bytes(onnx.model(onnx.graph(nodes[:3] + [nodes[4]], inputs=[onnx.value("x"), onnx.value("d")])))
            document = self.describe(str(path), status=1)
            self.assertEqual([(d["code"], d["node"]) for d in document["diagnostics"]],
                             [("K0404", "first"), ("K0404", "second")])
            self.assertEqual(document["operators"], {"Add": 1, "Einsum": 1, "Relu": 1, "com.example.Frobnicate": 1})
            self.assertEqual((document["valid"], document["error_count"], document["cost"]), (False, 2, []))
            result = kaspar("model", str(path))
            self.assertEqual(result.returncode, 1)
            self.assertIn("error[K0404]: operator `com.example.Frobnicate` of node `second` is not supported", result.stdout)
            # Also what cannot be read at all.
            path.write_bytes(onnx.model(onnx.graph(nodes[:4])))
            self.assertEqual([d["code"] for d in self.describe(str(path), status=1)["diagnostics"]], ["K0405"])

    def test_what_cannot_be_opened_is_2(self):
        result = kaspar("model", "nowhere.onnx")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("cannot open `nowhere.onnx`", result.stderr)
        self.assertEqual(kaspar("model").returncode, 2)
        self.assertEqual(self.describe(".", status=1)["diagnostics"][0]["code"], "K0405")

    def test_a_run_verifies_golden_vectors_too(self):
        golden = pathlib.Path(__file__).resolve().parents[1] / "golden" / "check" / "fail_golden.pipe"
        result = kaspar("run", str(golden), "--source", "windows=stdin", input="")
        self.assertEqual(result.returncode, 1)
        self.assertIn("K0406", result.stderr)


if __name__ == "__main__":
    KASPAR = sys.argv.pop(1)
    unittest.main()
