"""The parts of benchmarks/gpu.py that need no GPU, and a dry run of the others in the emulator."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from conftest import has_gpu

from implicitpad._geometry import conv_geometry

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
if not SCRIPT.is_file():
    pytest.skip("the benchmarks are in the source tree only", allow_module_level=True)


@pytest.fixture(scope="module")
def gpu():
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        yield importlib.import_module("gpu")
    finally:
        sys.path.remove(str(SCRIPT.parent))
        for name in ("gpu", "gpu_layers"):
            del sys.modules[name]


def test_help():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--minutes" in done.stdout


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(gpu, capsys):
    assert gpu.main([]) == 1
    message = capsys.readouterr().err
    assert message.startswith("benchmarks/gpu.py needs")
    assert message.count("\n") == 1


def test_the_layers_are_valid_and_counted_right(gpu):
    assert len(gpu.LAYERS) >= 25
    assert len({layer.name for layer in gpu.LAYERS}) == len(gpu.LAYERS)
    for layer in gpu.LAYERS:
        x = np.broadcast_to(np.float32(0), (1, layer.c, *layer.size))
        w_shape = (layer.k, layer.c // layer.groups, *(layer.f,) * layer.rank)
        w = np.broadcast_to(np.float32(0), w_shape)
        geometry = conv_geometry(
            "conv", layer.rank, x, w, None, stride=layer.stride, padding=layer.padding,
            dilation=layer.dilation, groups=layer.groups, fill_value=gpu.FILL,
            padding_mode="constant", precision=None, out=None,
        )  # fmt: skip
        assert tuple(axis.out for axis in geometry.axes) == layer.out
        assert layer.multiply_adds == np.prod(geometry.out_shape[1:]) * np.prod(w_shape[1:])


def test_the_budget_ends_the_run_and_counts_what_is_left_out(gpu):
    now = [0.0]
    budget = gpu.Budget(10, clock=lambda: now[0])
    everything = len(gpu.LAYERS) * len(gpu.BATCHES) * len(gpu.PRECISIONS)
    run = gpu.cases(budget)
    assert len(list(islice(run, 5))) == 5
    now[0] = 11
    assert list(run) == []
    assert budget.left_out == everything - 5


ROW = {"name": "a layer", "n": 32, "precision": "fp32", "multiply_adds": 10**9, "c": 8, "k": 8,
       "groups": 1, "size": (9, 9), "zero first": 3e-4, "zero last": 9e-4, "pad last": 4e-4,
       "ours first": 5e-4, "ours last": 2e-4, "difference first": 1e-6}  # fmt: skip


def test_the_table_shows_the_faster_layout_and_its_ratios(gpu):
    without = {key: value for key, value in ROW.items() if not key.startswith("ours")}
    failed = ROW | {"errors": {"ours last": "it broke"}, "difference first": 0.5}
    head, line, other, _, *notes = gpu.table([ROW, without, failed]).splitlines()
    assert head.split()[-4:] == ["ours", "/zero", "/pad", "Top/s"]
    assert line.split()[4:] == ["300.0", "400.0", "200.0", "1.50", "2.00", "320.00"]
    assert other.split()[4:] == ["300.0", "400.0", "-", "-", "-", "-"]
    assert [note.split(":")[0].strip() for note in notes] == ["ours last", "difference first"]
    assert "WRONG" in notes[1]


def test_the_summary_has_the_median_and_the_worst_ratio_of_each_kind_of_layer(gpu):
    slow = ROW | {"ours first": 1e-3, "ours last": 6e-4}
    depthwise = ROW | {"groups": 8}
    found = gpu.summary([ROW, slow, depthwise, ROW | {"precision": "fp16"}])
    assert set(found) == {"2-D dense", "2-D depthwise"}
    assert found["2-D dense"] == {
        "comparisons": 2, "median of zero/ours": 1.0, "least zero/ours": 0.5,
        "median of pad/ours": 1.333, "least pad/ours": 0.667,
    }  # fmt: skip


def small(layer):
    """The same layer with an image and channels that the emulator gets through."""
    shrink = max(1, layer.c // 8) if layer.c > 8 else 1
    groups = layer.groups if layer.groups == 1 else max(1, layer.groups // shrink)
    size = tuple(max(layer.f, min(n, 6)) for n in layer.size)
    c = layer.c // shrink if layer.groups == 1 else groups * (layer.c // layer.groups)
    k = 8 if layer.groups == 1 else groups * (layer.k // layer.groups)
    return replace(layer, c=c, k=k, size=size, groups=groups)


@pytest.fixture
def dry(gpu, on_device, monkeypatch):
    """PyTorch on the CPU, ours in the emulator."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(gpu, "to_cupy", lambda tensor: on_device.asarray(tensor.numpy()))
    monkeypatch.setattr(gpu, "to_torch", lambda a: torch.from_numpy(on_device.asnumpy(a)))
    monkeypatch.setattr(gpu, "torch_stream", lambda torch: nullcontext())
    return torch


@pytest.mark.skipif(has_gpu(), reason="the benchmark itself runs there")
@pytest.mark.parametrize("number", [0, 1, 13, 15, 23, 25])
def test_every_contender_of_a_comparison_runs_and_agrees(gpu, dry, number):
    layer = small(gpu.LAYERS[number])
    calls = []

    def once(torch, call):
        calls.append(call())
        return 1e-3 * len(calls)

    found = gpu.Comparison(dry, layer, 1, "fp32", device="cpu").run(once)
    assert "errors" not in found
    assert len(calls) == 6
    for key in ("zero first", "zero last", "pad first", "pad last", "ours first", "ours last"):
        assert found[key] > 0
    row = asdict(layer) | {"n": 1, "precision": "fp32", "multiply_adds": layer.multiply_adds}
    assert found["difference first"] < 1e-5 > found["difference last"]
    assert gpu.problems(row | found) == {}


@pytest.mark.skipif(has_gpu(), reason="the benchmark itself runs there")
def test_a_contender_that_fails_is_reported_and_the_others_run(gpu, dry, monkeypatch):
    monkeypatch.setattr(gpu, "check_device", lambda torch: None)

    def broken(self, layout):
        raise MemoryError("out of memory\nand more lines")

    monkeypatch.setattr(gpu.Comparison, "pad", broken)
    layer = small(gpu.LAYERS[1])
    found = gpu.Comparison(dry, layer, 1, "fp16", device="cpu").run(lambda torch, call: 1.0)
    assert found["zero last"] == 1.0
    assert found["errors"]["pad last"] == "MemoryError: out of memory"
    assert "ours first" in found["errors"]  # there is nothing to compare with


def run_main(gpu, monkeypatch, tmp_path, comparison, **parts):
    """main with everything that needs a device replaced: exit status and report."""
    pytest.importorskip("torch")
    harmless = {
        "missing": lambda: None,
        "environment": lambda torch: {"device": "none"},
        "ceilings": lambda torch: {"copy bytes/s": 1.0},
        "filters": lambda: [{"side": 1, "wrong": False}],
        "free_memory": lambda torch: None,
        "check_device": lambda torch: None,
        "correctness": lambda seconds: {"passed": True, "summary": "3 passed", "failed": []},
        "Comparison": comparison,
    }
    for name, value in (harmless | parts).items():
        monkeypatch.setattr(gpu, name, value)
    monkeypatch.setattr(gpu, "LAYERS", gpu.LAYERS[:3])
    path = tmp_path / "report.json"
    status = gpu.main(["--json", str(path)])
    return status, json.loads(path.read_text())


class Measured:
    def __init__(self, torch, layer, n, precision):
        self.layer, self.precision = layer, precision

    def run(self):
        found = {"zero last": 2e-3, "pad last": 3e-3}
        if self.precision != "tf32":
            found |= {"ours last": 1e-3, "difference last": 1e-6}
        return found


def test_a_run_without_failures_succeeds(gpu, monkeypatch, tmp_path, capsys):
    status, report = run_main(gpu, monkeypatch, tmp_path, Measured)
    assert status == 0
    assert len(report["layers"]) == 3 * 2 * 4
    assert report["tests"]["passed"]
    assert report["summary"]["2-D dense"]["least zero/ours"] == 2
    assert capsys.readouterr().out.count("fp32") >= 6


def failing(*arguments):
    raise ValueError("no")


class Failing(Measured):
    def run(self):
        if self.layer.name == "ResNet 3x3 56":
            raise ValueError("this one fails")
        return super().run()


class Wrong(Measured):
    def run(self):
        return super().run() | ({"difference last": 0.5} if self.precision == "fp32" else {})


FAILURES = {
    "a comparison": (Failing, {}),
    "a wrong result": (Wrong, {}),
    "the ceilings": (Measured, {"ceilings": failing}),
    "a wrong filter": (Measured, {"filters": lambda: [{"side": 1, "wrong": True}]}),
    "the tests": (
        Measured,
        {"correctness": lambda s: {"passed": False, "summary": "1 failed", "failed": ["FAILED a"]}},
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_is_reported_and_the_rest_is_measured(gpu, monkeypatch, tmp_path, what, capsys):
    comparison, parts = FAILURES[what]
    status, report = run_main(gpu, monkeypatch, tmp_path, comparison, **parts)
    assert status == 1
    assert len(report["layers"]) == 3 * 2 * 4
    assert sum("ours last" in row for row in report["layers"]) >= 12


def test_a_lost_device_ends_the_run_with_what_there_is(gpu, monkeypatch, tmp_path):
    def lost(torch):
        raise gpu.DeviceLost("illegal address")

    status, report = run_main(gpu, monkeypatch, tmp_path, Failing, check_device=lost)
    assert status == 1
    assert report["errors"] == ["the device was lost: illegal address"]
    assert len(report["layers"]) == 2
    assert "zero last" in report["layers"][0]


@pytest.mark.skipif(has_gpu(), reason="there all of them run")
def test_the_correctness_suite_counts_failures(gpu, monkeypatch, tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text("import pytest\npytestmark = pytest.mark.gpu\ndef test_it(): assert False\n")
    monkeypatch.setattr(gpu, "__file__", str(tmp_path / "benchmarks" / "gpu.py"))
    folder = tmp_path / "tests" / "gpu"
    folder.mkdir(parents=True)
    test.rename(folder / "test_it.py")
    found = gpu.correctness(60)
    assert not found["passed"]
    assert len(found["failed"]) == 1
    assert "1 failed" in found["summary"]
