"""Judges what `kaspar deploy` writes: manifests_test.py KASPAR. Needs the tools of test/deploy/fetch-tools.

Kustomize renders each overlay; Kubernetes' own schemas of an old and a new version judge it strictly, Pod Security's level
"restricted", kube-score, and the owners' own types of what is not Kubernetes'. Manifests that are broken on purpose
must each be refused by the judge that is named.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "third-party" / "deploy-tools"
COMMITTED = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.28", "1.37")
# What Kubernetes has no schemas for; test/deploy/validate judges them.
FOREIGN = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor"}
# An image that was imported into the cluster must not be pulled; a node's port is what `local` is for.
SCORE_IGNORED = {"local": ["container-image-pull-policy", "service-type"], "production": []}
KASPAR = ""


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=300, **options)


def deploy(pipeline, folder, *options):
    done = run(KASPAR, "deploy", pipeline, "--to", folder, *options)
    assert done.returncode == 0, done.stderr
    return done.stderr


def render(folder):
    done = run(TOOLS / "bin" / "kustomize", "build", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text):
    """(kind, name) of each."""
    found = []
    for document in text.split("\n---\n"):
        kind = re.search(r"^kind: (\S+)", document, re.MULTILINE)
        name = re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)", document, re.MULTILINE)
        found.append((kind.group(1), name.group(1) if name else ""))
    return found


class Judges:
    """Each returns what is wrong, empty where nothing is."""

    @staticmethod
    def schemas(file):
        problems = ""
        for version in VERSIONS:
            done = run(TOOLS / "python" / "bin" / "kubernetes-validate", "--strict", "-k", version, file)
            lines = (done.stdout + done.stderr).splitlines()
            unknown = [line for line in lines if "Couldn't find schema for kind" in line]
            for line in unknown:
                if not any(f"for kind {kind} " in line for kind in FOREIGN):
                    problems += line + "\n"
            problems += "".join(line + "\n" for line in lines if line.startswith("ERROR"))
            if done.returncode != 0 and not problems:
                problems = done.stdout + done.stderr or f"status {done.returncode}"
        return problems

    @staticmethod
    def owners(file):
        done = run(TOOLS / "bin" / "validate", file)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    @staticmethod
    def score(file, ignored=()):
        options = [f"--ignore-test={test}" for test in ignored]
        done = run(TOOLS / "bin" / "kube-score", "score", "--exit-one-on-warning", "--kubernetes-version", "v1.28",
                   "--output-format", "ci", *options, file)
        if done.returncode == 0:
            return ""
        return "".join(line + "\n" for line in done.stdout.splitlines() if "[OK]" not in line and "[SKIPPED]" not in line)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def judge(self, text, ignored):
        file = self.folder / "rendered.yaml"
        file.write_text(text, encoding="utf-8")
        return {"schemas": Judges.schemas(file), "owners": Judges.owners(file), "score": Judges.score(file, ignored)}

    def assert_fine(self, folder):
        for overlay, ignored in SCORE_IGNORED.items():
            with self.subTest(overlay=overlay):
                for judge, problems in self.judge(render(folder / "overlays" / overlay), ignored).items():
                    self.assertEqual(problems, "", judge)
        self.assertEqual(Judges.owners(folder / "overlays" / "local" / "k3d.yaml"), "")


class Fine(Folder):
    def test_committed_manifests(self):
        self.assert_fine(COMMITTED)
        kinds = {kind for kind, _ in objects(render(COMMITTED / "overlays" / "production"))}
        self.assertLessEqual(FOREIGN, kinds)

    def test_a_fixed_size(self):
        shutil.copytree(COMMITTED, self.folder / "kubernetes")
        overlay = self.folder / "kubernetes" / "overlays" / "production"
        for file, old, new in (("kustomization.yaml", "components/autoscaling ", "components/fixed-size "),
                               ("kaspar.toml", '# "group.instance.id"', '"group.instance.id"')):
            text = (overlay / file).read_text(encoding="utf-8")
            self.assertIn(old, text)
            (overlay / file).write_text(text.replace(old, new), encoding="utf-8")
        rendered = render(overlay)
        self.assertRegex(rendered, r"(?m)^  replicas: 3$")
        self.assertNotIn("ScaledObject", rendered)
        for judge, problems in self.judge(rendered, []).items():
            self.assertEqual(problems, "", judge)

    def test_other_pipelines(self):
        for pipeline in ("fraud/fraud.pipe", "shadow/shadow.pipe"):
            with self.subTest(pipeline=pipeline):
                folder = self.folder / pipeline.replace("/", "-")
                deploy(ROOT / "pipelines" / pipeline, folder)
                self.assert_fine(folder)

    def test_models_elsewhere_and_secrets_by_the_environment(self):
        profile = self.folder / "profile.toml"
        profile.write_text(
            '[kafka]\nbrokers = "b-1:9094,b-2:9095"\n[kafka.options]\n"security.protocol" = "SASL_SSL"\n'
            '"sasl.mechanism" = "PLAIN"\n"sasl.username" = "k"\n"sasl.password" = { env = "KAFKA_PASSWORD" }\n'
            '[run]\nshutdown_deadline = "40s"\n', encoding="utf-8")
        for models in ("volume", "image"):
            with self.subTest(models=models):
                folder = self.folder / models
                deploy(ROOT / "pipelines" / "control-chart" / "control-chart.pipe", folder, "--models", models,
                       "--profile", profile, "--replicas", "2", "--partitions", "12", "--memory", "1Gi")
                self.assert_fine(folder)
                rendered = render(folder / "overlays" / "production")
                self.assertIn("terminationGracePeriodSeconds: 50", rendered)
                self.assertIn("maxReplicaCount: 12", rendered)
                self.assertIn("key: KAFKA_PASSWORD", rendered)
                self.assertIn("sasl: plaintext", rendered)
                self.assertRegex(rendered, r"port: 9094\n\s+- port: 9095")
                self.assertNotIn("control-chart.onnx: ", rendered)
                self.assertEqual("claimName: control-chart-models" in rendered, models == "volume")

    def test_printed_manifests_are_those_of_the_base(self):
        pipeline = ROOT / "pipelines" / "control-chart" / "control-chart.pipe"
        deploy(pipeline, self.folder / "files")
        printed = run(KASPAR, "deploy", pipeline)
        self.assertEqual(printed.returncode, 0, printed.stderr)
        file = self.folder / "printed.yaml"
        file.write_text(printed.stdout, encoding="utf-8")
        self.assertEqual(Judges.schemas(file), "")
        self.assertEqual(Judges.owners(file), "")
        # Kustomize reads them back as it renders its own, but for the hashes in the names.
        (self.folder / "kustomization.yaml").write_text("resources: [printed.yaml]\n", encoding="utf-8")

        def without_hashes(text):
            text = re.sub(r"(control-chart-(?:pipeline|profile))-[0-9a-z]+", r"\1", text)
            found = {}
            for one in yaml.safe_load_all(text):
                if one["kind"] == "ConfigMap":
                    one["metadata"].pop("labels", None)  # the generator gives none
                    one["binaryData"] = {key: "".join(value.split()) for key, value in one.get("binaryData", {}).items()}
                found[one["kind"], one["metadata"]["name"]] = one
            return found

        self.assertEqual(without_hashes(render(self.folder)), without_hashes(render(self.folder / "files" / "base")))


class Rolls(Folder):
    """A change of a file or of the profile gives the pods another template."""

    def template(self, folder):
        rendered = render(folder / "overlays" / "local")
        documents = [d for d in rendered.split("\n---\n") if "kind: StatefulSet" in d and "name: control-chart\n" in d]
        self.assertEqual(len(documents), 1)
        return documents[0]

    def test_pods(self):
        shutil.copytree(COMMITTED, self.folder / "kubernetes")
        folder = self.folder / "kubernetes"
        before = self.template(folder)
        self.assertEqual(before, self.template(folder))
        for changed in ("base/pipeline/control-chart.scaler.toml", "overlays/local/kaspar.toml"):
            with self.subTest(changed=changed):
                with open(folder / changed, "a", encoding="utf-8") as file:
                    file.write("\n# changed\n")
                after = self.template(folder)
                self.assertNotEqual(before, after)
                before = after


class Broken(Folder):
    """Each is a change of the local overlay's rendering, and the judge that must see it."""

    CASES = {
        "a misspelt field": ("schemas", "terminationGracePeriodSeconds:", "terminationGracePeriodSecond:"),
        "a number where text belongs": ("schemas", "path: /healthz", "path: 8"),
        "a word where a number belongs": ("schemas", "backoffLimit: 20", "backoffLimit: many"),
        "an API that is gone": ("schemas", "apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n"),
        "root": ("owners", "runAsNonRoot: true", "runAsNonRoot: false"),
        "capabilities": ("owners", "        capabilities:\n            drop:\n            - ALL", "        capabilities:\n            drop: []"),
        "more rights": ("owners", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        "no seccomp profile": ("owners", "type: RuntimeDefault", "type: Unconfined"),
        "a writable root": ("score", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        "no limit": ("score", "            memory: 512Mi\n          requests:", "          requests:"),
        "probes that are one": ("score", "path: /readyz", "path: /healthz"),
    }

    def test_each_is_refused(self):
        rendered = render(COMMITTED / "overlays" / "local")
        for name, (judge, old, new) in self.CASES.items():
            with self.subTest(name):
                self.assertIn(old, rendered)
                problems = self.judge(rendered.replace(old, new), SCORE_IGNORED["local"])
                self.assertNotEqual(problems[judge], "")

    def test_foreign_kinds(self):
        rendered = render(COMMITTED / "overlays" / "production")
        for old, new in (("maxReplicaCount:", "maxReplicas:"), ("interval: 15s", "intervall: 15s"),
                         ("secretTargetRef:", "secretTargetRefs:")):
            with self.subTest(old):
                self.assertIn(old, rendered)
                self.assertNotEqual(self.judge(rendered.replace(old, new), [])["owners"], "")

    def test_k3d(self):
        text = (COMMITTED / "overlays" / "local" / "k3d.yaml").read_text(encoding="utf-8")
        for old, new in (("agents: 3", "agents: three"), ("nodeFilters:", "nodeFilter:"), ("kind: Simple", "kind: Plain")):
            with self.subTest(old):
                self.assertIn(old, text)
                file = self.folder / "k3d.yaml"
                file.write_text(text.replace(old, new, 1), encoding="utf-8")
                self.assertNotEqual(Judges.owners(file), "")


if __name__ == "__main__":
    KASPAR = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
