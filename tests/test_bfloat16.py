"""bfloat16 layers: dot products of two channels where the processor has them, else float32."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from comparison import assert_identical, assert_within, error_bound
from hypothesis import given
from strategies import DOT_LAYERS, Problem, lay_out, numbers, problems, widely_padded

import implicitpad as ip
from implicitpad import _conv_cpu
from implicitpad._geometry import Axis

LAYERS = DOT_LAYERS | {"one channel left over": ((2, 17, 17, 33), (40, 17, 3, 3), 1, 1)}
TINY = float(np.finfo(np.float32).smallest_normal)


def layer(name, mode):
    shape, weight, *_ = LAYERS[name]
    axes = widely_padded(*LAYERS[name], mode)
    arrays = (numbers(i, s, "bfloat16") for i, s in enumerate((shape, weight, weight[:1])))
    fill = numbers(3, shape[1:2], "bfloat16") if mode == "constant" else None
    return Problem(*arrays, axes, shape[1] // weight[1], fill)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_those_of_the_explicit_copy(instruction_set, threads, name, mode):
    problem = layer(name, mode)
    got = problem.conv()
    assert_identical(got, problem.conv_of_padded())
    assert_within(got, problem.reference(), error_bound(problem))


@given(problem=problems(dtypes=("bfloat16",)))
def test_any_problem_is_within_the_error_bound(instruction_set, threads, problem):
    assert_within(problem.conv(), problem.reference(), error_bound(problem))


@pytest.mark.parametrize("layout", ["F", "channels last", "reversed"])
@pytest.mark.parametrize("name", ["one channel left over", "stride 2", "pointwise"])
def test_layout_in_memory_changes_no_bit(instruction_set, name, layout):
    problem = layer(name, "constant")
    given_so = lay_out(problem.input, layout)
    assert_identical(problem.conv(input=given_so), problem.conv())


def test_a_bad_value_shows_only_where_it_is_seen(instruction_set):
    problem = layer("one channel left over", "constant")
    clean = problem.conv()
    problem.input[1, 16, 8, 20] = np.nan
    got = problem.conv()
    seen = np.isnan(problem.reference())
    np.testing.assert_array_equal(np.isnan(got.astype(np.float32)), seen)
    assert_identical(got[~seen], clean[~seen])


def test_numbers_below_the_normal_range_count_as_zero_at_most(instruction_set):
    x = np.full((1, 4, 8, 40), TINY / 4, np.float32).astype("bfloat16")
    w = np.full((32, 4, 1, 1), 2.0, np.float32).astype("bfloat16")
    got = ip.conv2d(x, w).astype(np.float64)
    assert np.isin(got, [0, 2 * TINY]).all()


def test_dot_products_run_where_the_processor_has_them(instruction_set):
    axes = (Axis(1, 1, 1, 1, 0, 0, "constant"), *[Axis(40, 3, 2, 1, 1, 1, "constant")] * 2)
    kinds = ("bfloat16", "bfloat16", "bfloat16", False, False, False, 1)
    plan = _conv_cpu.ConvPlan(axes, 1, 16, 32, 1, *kinds)
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        pytest.skip("this system does not tell what its processor has")
    dot = instruction_set == "avx512" and "avx512_bf16" in flags
    assert plan.layout.startswith("dot") == dot
    assert plan.interleaved == (2 if dot else 0)


def test_fast_runs_by_winograd_where_that_is_faster_still(instruction_set):
    x = numbers(0, (1, 64, 56, 56), "bfloat16")
    w = numbers(1, (64, 64, 3, 3), "bfloat16")
    got = ip.conv2d(x, w, padding=1, precision="fast").astype(np.float64)
    want = ip.conv2d(x, w, padding=1).astype(np.float64)
    half_a_unit = float(ml_dtypes.finfo("bfloat16").eps) / 2
    assert abs(got - want).max() <= (2 * half_a_unit + 4e-6) * abs(want).max()
