"""The parts of benchmarks/gpu.py that need no GPU."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
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
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


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


def test_the_table_shows_the_faster_layout_and_its_ratios(gpu):
    row = {"name": "a layer", "n": 32, "precision": "fp32", "multiply_adds": 10**9,
           "zero": 3e-4, "pad": 4e-4, "ours first": 5e-4, "ours last": 2e-4}  # fmt: skip
    other = {key: value for key, value in row.items() if not key.startswith("ours")}
    head, line, without = gpu.table([row, other]).splitlines()
    assert head.split()[-4:] == ["ours", "/zero", "/pad", "Top/s"]
    assert line.split()[4:] == ["300.0", "400.0", "200.0", "1.50", "2.00", "320.00"]
    assert without.split()[4:] == ["300.0", "400.0"]
