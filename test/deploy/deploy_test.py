"""`kaspar deploy`, run as a person would run it: deploy_test.py KASPAR."""

import filecmp
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "pipelines" / "control-chart"
FIXTURES = ROOT / "nodes" / "model" / "fixtures"
KASPAR = ""


def deploy(*arguments, **environment):
    return subprocess.run([KASPAR, "deploy", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, **environment))


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def pipeline(self, **replaced):
        """A copy of control-chart in a folder of its own, with texts replaced."""
        copy = self.folder / "pipeline"
        shutil.copytree(CHART, copy)
        pipe = copy / "control-chart.pipe"
        text = pipe.read_text(encoding="utf-8")
        for old, new in replaced.get("texts", {}).items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        pipe.write_text(text, encoding="utf-8")
        return pipe

    def refused(self, *arguments, status=2, **environment):
        result = deploy(*arguments, **environment)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stdout, "")
        return result.stderr


class Written(Case):
    def test_the_committed_manifests_are_its_output(self):
        done = subprocess.run([ROOT / "test" / "deploy" / "update-manifests", KASPAR, self.folder], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        committed, written = files_of(ROOT / "deploy" / "kubernetes"), files_of(self.folder)
        self.assertEqual(sorted(committed), sorted(written))
        changed = [path for path in written if committed[path] != written[path]]
        self.assertEqual(changed, [], "test/deploy/update-manifests writes them anew")

    def test_overlays_are_left_to_their_owner(self):
        first = deploy(CHART / "control-chart.pipe", "--to", self.folder)
        self.assertEqual(first.returncode, 0, first.stderr)
        own, base = self.folder / "overlays/local/kaspar.toml", self.folder / "base/services.yaml"
        before = own.read_bytes(), base.read_bytes()
        for file in (own, base):
            file.write_text("mine\n", encoding="utf-8")
        second = deploy(CHART / "control-chart.pipe", "--to", self.folder)
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertIn(f"note: `{own}` is left as it is", second.stderr)
        self.assertEqual((own.read_bytes(), base.read_bytes()), (b"mine\n", before[1]))
        self.assertEqual(deploy(CHART / "control-chart.pipe", "--to", self.folder, "--force").returncode, 0)
        self.assertEqual(own.read_bytes(), before[0])

    def test_printed_names_change_with_what_is_in_them(self):
        pipe = self.pipeline()
        first, again = deploy(pipe).stdout, deploy(pipe).stdout
        self.assertEqual(first, again)
        with open(pipe.parent / "falling.csv", "a", encoding="utf-8") as file:
            file.write("\n")

        def names(text):
            return sorted({line.split()[-1] for line in text.splitlines() if "name: control-chart-" in line and line[-16:].isalnum()})

        second = deploy(pipe).stdout
        self.assertEqual(len(set(names(first)) ^ set(names(second))), 2, (names(first), names(second)))

    def test_files_from_elsewhere_keep_their_places(self):
        self.pipeline()
        (self.folder / "shared").mkdir()
        shutil.move(self.folder / "pipeline/control-chart.onnx", self.folder / "shared/control-chart.onnx")
        pipe = self.folder / "pipeline/control-chart.pipe"
        pipe.write_text(pipe.read_text(encoding="utf-8").replace('onnx "control', 'onnx "../shared/control'), encoding="utf-8")
        to = self.folder / "to"
        self.assertEqual(deploy(pipe, "--to", to).returncode, 0)
        self.assertTrue((to / "base/pipeline/shared/control-chart.onnx").exists())
        text = (to / "base/stateful-set.yaml").read_text(encoding="utf-8")
        self.assertIn('- "/pipeline/pipeline/control-chart.pipe"', text)
        self.assertIn('mountPath: "/pipeline/shared/control-chart.onnx"\n              subPath: "shared_control-chart.onnx"', text)
        # What was written is whole: it runs from there.
        checked = subprocess.run([KASPAR, "check", to / "base/pipeline/pipeline/control-chart.pipe"], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_weights_beside_the_model_go_along(self):
        pipe = self.folder / "p.pipe"
        pipe.write_text("""pipe 1
schema R { x: f32[60] }
source s = kafka { topic: "in", group: "g" }
sink   t = kafka { topic: "out" }
model  m = onnx "dynamo-opset20.onnx"
on error drop
from s |> parse csv as R |> apply m(x) as y |> to t { value: y.out }
""", encoding="utf-8")
        for name in ("dynamo-opset20.onnx", "dynamo-opset20.onnx.data"):
            shutil.copy(FIXTURES / name, self.folder)
        to = self.folder / "to"
        result = deploy(pipe, "--to", to)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(filecmp.cmp(to / "base/pipeline/dynamo-opset20.onnx.data", FIXTURES / "dynamo-opset20.onnx.data"))
        result = deploy(pipe, "--models", "volume")
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in ("dynamo-opset20.onnx", "dynamo-opset20.onnx.data"):
            self.assertRegex(result.stderr, rf"note: pods read `{name}` as `[0-9a-f]{{16}}/{name}` of the volume `p-models`")
        self.assertNotIn("binaryData", result.stdout)

    def test_a_profile_of_ones_own(self):
        pipe = self.pipeline()
        (pipe.parent / "kaspar.toml").write_text(
            '[kafka]\nbrokers = "b:9094"\n[kafka.options]\n"security.protocol" = "SASL_SSL"\n"sasl.mechanism" = "PLAIN"\n'
            '"sasl.password" = { env = "NOT_SET_HERE" }\n"sasl.username" = { file = "/run/secrets/kaspar/user" }\n'
            '[run]\nthreads = 2\n', encoding="utf-8")
        to = self.folder / "to"
        result = deploy(pipe, "--to", to)
        self.assertEqual(result.returncode, 0, result.stderr)
        profile = (to / "base/kaspar.toml").read_text(encoding="utf-8")
        self.assertIn('probes = "0.0.0.0:8081"', profile)
        local = (to / "overlays/local/kaspar.toml").read_text(encoding="utf-8")
        self.assertIn("threads = 2", local)
        self.assertNotIn("SASL", local)
        self.assertIn("key: NOT_SET_HERE", (to / "base/stateful-set.yaml").read_text(encoding="utf-8"))
        self.assertEqual(profile, (to / "overlays/production/kaspar.toml").read_text(encoding="utf-8"))

    def test_the_environment_of_here_is_not_that_of_the_pods(self):
        plain = deploy(CHART / "control-chart.pipe")
        self.assertEqual(plain.stdout, deploy(CHART / "control-chart.pipe", KASPAR_BROKERS="x:1", KASPAR_INSTANCE="i").stdout)


class Refused(Case):
    def test_what_check_refuses(self):
        pipe = self.pipeline(texts={"y.label }": "y.lable }"})
        self.assertIn("error[K0201]", self.refused(pipe, status=1))
        self.assertIn("there is no such file", self.refused(self.folder / "none.pipe"))

    def test_endpoints_that_pods_cannot_have(self):
        pipe = self.pipeline(texts={'sink   labels  = kafka { topic: "kaspar-outputs" }': 'sink labels = file { path: "x" }'})
        self.assertIn("the sink `labels` is a file", self.refused(pipe))

    def test_what_is_too_large_for_a_config_map(self):
        pipe = self.pipeline()
        (pipe.parent / "falling.csv").write_bytes(b"1," * (1 << 20))
        self.assertIn("a ConfigMap ends at 1 MiB", self.refused(pipe))

    def test_profiles_that_pods_cannot_use(self):
        pipe = self.pipeline()
        profile = self.folder / "profile.toml"
        for text, words in {
            '[http]\nlisten = "0.0.0.0:8080"\n': "no `probes`",
            '[http]\nprobes = "127.0.0.1:8081"\nlisten = "0.0.0.0:8080"\n': "no `probes`",
            '[http]\nprobes = "0.0.0.0:8081"\n': "no `listen`",
            '[http]\nenabled = false\n': "turns `[http]` off",
            '[run]\nmemory_budget = "1GiB"\n': "more than a pod has, 512MiB",
            '[kafka.options]\n"sasl.password" = { file = "/run/secrets/x" }\n': "which pods do not have",
        }.items():
            with self.subTest(text):
                profile.write_text(text, encoding="utf-8")
                error = self.refused(pipe, "--profile", profile)
                self.assertIn(words, error)
                self.assertIn("\nhelp: ", error)
        profile.write_text('[kafka]\nbrokers = "a:1"\n', encoding="utf-8")
        self.assertIn("are given", self.refused(pipe, "--profile", profile, "--brokers", "b:1"))

    def test_options(self):
        pipe = CHART / "control-chart.pipe"
        for options in (["--name", "No"], ["--name", "a" * 41], ["--name", "on"], ["--namespace", "x_y"], ["--memory", "1"],
                        ["--memory", "63Mi"], ["--models", "disk"], ["--replicas", "0"], ["--feed", "nobody=x"], ["--feed", "windows=/none"]):
            with self.subTest(options):
                self.refused(pipe, *options)


if __name__ == "__main__":
    KASPAR = sys.argv.pop(1)
    unittest.main()
