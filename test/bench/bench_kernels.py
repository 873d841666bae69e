"""What test/bench/run measures of kernels: each by itself on one thread, beside its peers on the same rows."""
import json
import subprocess
import sys

import bench_data
import model_families
from bench_programs import BUILD, MODEL
from bench_report import say


def kernels(lab, report, avx512):
    pipelines = {}
    for kind in ("lstm", "lr"):
        pipelines[kind] = lab.folder / f"kernels-{kind}.pipe"
        pipelines[kind].write_text(bench_data.pipeline(kind, lab.model(kind)))
    peer = ["--library", lab.library, "--model", MODEL, "--lr-model", lab.model("lr")] if lab.library else []
    done = subprocess.run([BUILD / "test/bench/bench_kernels", "measure", "--rows", lab.rows, "--pipeline", pipelines["lstm"],
                           "--lr-pipeline", pipelines["lr"], *peer], stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout)
    medians, rounds = {}, {}
    for one in measured["ns"]:
        name = f"{one['name']}, batch {one['batch']}" if not one["name"].startswith("parse by") else one["name"]
        medians[one["name"], one["batch"]] = report.add("kernels", name, "ns/rec", one["rounds"])
        rounds[one["name"], one["batch"]] = one["rounds"]
    def times(peer, own):
        return report.ratio("kernels", f"{peer[0]} / {own[0]}, batch {own[1]}", rounds[peer], rounds[own])
    if not measured["parse_equal"]:
        sys.exit("parse csv and fast_float read different numbers")
    report.target("3", "parse: faster than fast_float, times", times(("parse by fast_float", 1), ("parse", 256)), 4 if avx512 else 1.8, False)
    if lab.library:
        for name in ("lstm", "lr"):
            if not 0 <= measured[f"{name}_error"] <= 1e-5:
                sys.exit(f"the scores of {name} differ from ONNX Runtime's by {measured[f'{name}_error']}")
        for name, batch, wanted in (("lstm", 256, 5), ("lstm", 64, 5), ("lstm", 1, 3), ("lr", 256, 2), ("lr", 64, 2), ("lr", 1, 2)):
            faster = times((f"{name} by ONNX Runtime", batch), (name, batch))
            if (name, batch) in (("lstm", 256), ("lstm", 1), ("lr", 256)):
                report.target("2", f"{name}: faster than ONNX Runtime at batch {batch}, times", faster, wanted, False)
        families(lab, report)
    return medians


def families(lab, report):
    """Every family of models as `apply` executes it, beside ONNX Runtime on the same rows; the scores must agree."""
    say("\nfamilies of models, one thread: kaspar, ONNX Runtime")
    for number, (name, family) in enumerate(model_families.FAMILIES.items()):
        model, rows = lab.folder / f"family-{number}.onnx", lab.folder / f"rows-{family.columns}"
        family.write(model)
        model_families.write_rows(rows, family.columns)
        done = subprocess.run([BUILD / "test/bench/bench_models", "--model", model, "--rows", rows, "--library", lab.library,
                               "--shape", ",".join(map(str, family.shape))], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{name} cannot be measured")
        measured = json.loads(done.stdout)
        if not 0 <= measured["error"] <= 1e-5 or measured["between_batches"] != 0:
            sys.exit(f"the scores of {name} differ from ONNX Runtime's by {measured['error']}, between batches by "
                     f"{measured['between_batches']}")
        rounds = {}
        for one in measured["ns"]:
            report.add("families", f"{name}, {one['name']}, batch {one['batch']}", "ns/rec", one["rounds"])
            rounds[one["name"], one["batch"]] = one["rounds"]
        for batch in (1, 64, 256):
            faster = report.ratio("families", f"{name}: ONNX Runtime / kaspar, batch {batch}", rounds["ONNX Runtime", batch],
                                  rounds["kaspar", batch])
            if wanted := family.times.get(batch, 1 if batch > 1 else None):
                report.target("2", f"{name}: faster than ONNX Runtime at batch {batch}, times", faster, wanted, False)
