"""Convolution of bytes: exact however they are multiplied, at extremes and past int32's range."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from strategies import DOT_LAYERS, MODES, Problem, lay_out, numbers, problems, widely_padded

import implicitpad as ip
from implicitpad._geometry import Axis

BYTES = ("int8", "uint8")
KINDS = [(x, w) for x in BYTES for w in BYTES]
LAYERS = DOT_LAYERS | {"two channels left over": ((2, 18, 17, 33), (40, 18, 3, 3), 1, 1)}

# One filter a channel: input, weights, stride, dilation; rows of several strips, the last not full.
PLANES = {
    "3 rows": ((2, 3, 20, 150), (3, 1, 3, 3), 1, 1),
    "2 filters, stride 2": ((1, 5, 31, 199), (10, 1, 3, 3), 2, 1),
    "5 rows, stride 2": ((1, 3, 30, 150), (3, 1, 5, 5), 2, 1),
    "7 rows": ((1, 3, 20, 90), (3, 1, 7, 7), 1, 1),
    "many columns": ((1, 2, 12, 90), (2, 1, 4, 9), 1, 3),
    "stride 2, dilated": ((1, 2, 37, 140), (2, 1, 6, 2), 2, 3),
    "signal": ((2, 4, 300), (4, 1, 9), 1, 3),
    "signal, stride 2": ((2, 4, 300), (4, 1, 5), 2, 1),
    "volume": ((1, 3, 5, 9, 80), (3, 1, 3, 3, 5), 1, 1),
    "narrow": ((1, 12, 7, 7), (12, 1, 3, 3), 1, 1),
    "as far as a load reaches": ((1, 2, 101, 190), (2, 1, 3, 2), 1, 48),
}


def layer(name, kinds, mode, values=numbers, layers=LAYERS):
    shape, weight, *_ = layers[name]
    axes = widely_padded(*layers[name], mode)
    fill = values(3, shape[1:2], kinds[0]) if mode == "constant" else None
    bias = numbers(2, weight[:1], "int32")
    x, w = values(0, shape, kinds[0]), values(1, weight, kinds[1])
    return Problem(x, w, bias, axes, shape[1] // weight[1], fill)


def extremes(seed, shape, dtype):
    """Least, greatest, and what lies next to the sign bit."""
    values = np.array([-128, -127, -1, 0, 1, 127] if dtype == "int8" else [0, 1, 127, 128, 255])
    return np.random.default_rng(seed).choice(values, shape).astype(dtype)


def assert_exact(problem):
    got = problem.conv()
    assert got.dtype == np.int32
    assert_identical(got, problem.conv_of_padded())
    np.testing.assert_array_equal(got, problem.reference().astype(np.int32))


@given(problem=problems(dtypes=BYTES))
def test_bytes_are_exact(instruction_set, threads, problem):
    assert_exact(problem)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kinds", KINDS, ids=" and ".join)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_extreme_bytes(instruction_set, threads, name, kinds, mode):
    assert_exact(layer(name, kinds, mode, extremes))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BYTES)
@pytest.mark.parametrize("name", PLANES)
def test_planes_of_extreme_bytes(instruction_set, threads, name, kind, mode):
    assert_exact(layer(name, (kind, "int8"), mode, extremes, PLANES))


def test_planes_stored_past_the_caches():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 1, 1500, 1501), np.uint8)
    w = rng.integers(-128, 128, (1, 1, 3, 3), np.int8)
    y = ip.conv2d(x, w, padding=1, fill_value=7)
    parts = [ip.conv2d(x[:, :, r : r + 102], w, padding=(0, 1), fill_value=7) for r in (0, 700)]
    assert_identical(y[:, :, 1:101], parts[0])
    assert_identical(y[:, :, 701:801], parts[1])


def usable(*wanted):
    """Whether the processor lists these instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        pytest.skip("the processor's instructions are not listed here")
    return {*wanted} <= {*text.partition("flags")[2].partition("\n")[0].split()}


@pytest.mark.parametrize("weight", [(4, 1, 3, 3), (4, 1, 7, 50), (4, 1, 8, 3)])
def test_planes_are_used_where_a_load_reaches_all_taps(instruction_set, weight):
    planned = ip.Conv2d(np.ones(weight, np.int8), groups=4)
    planned(np.ones((1, 4, 60, 60), np.uint8))
    (launch,) = planned._packed.launches.values()
    has_planes = instruction_set == "avx512" and usable("avx512_vnni", "avx512vbmi")
    assert (launch.run.plan.layout == "dot plane") == (has_planes and weight == (4, 1, 3, 3))


@pytest.mark.parametrize("kinds", KINDS, ids=" and ".join)
@pytest.mark.parametrize("lowest", [True, False])
def test_sums_past_the_range_wrap(instruction_set, kinds, lowest):
    """147456 products of extremes exceed 32 bits; NumPy's int32 wraps, and so do these."""
    x, w = (np.iinfo(kind).min if kind == "int8" else 255 for kind in kinds)
    w = w if lowest or kinds[1] == "uint8" else 127
    axes = (Axis(3, 3, 1, 1, 1, 1, "constant"),) * 2
    problem = Problem(
        np.full((1, 16384, 3, 3), x, kinds[0]),
        np.full((3, 16384, 3, 3), w, kinds[1]),
        np.array([0, 2**31 - 1, -(2**31)], np.int32),
        axes,
        fill_value=x,
    )
    wanted = np.int64(x) * w * 16384 * 9
    assert abs(wanted) > 2**31
    np.testing.assert_array_equal(problem.conv()[0, 0], np.int64(wanted).astype(np.int32))
    assert_exact(problem)


@given(data=st.data(), layout=st.sampled_from(["channels last", "reversed", "sliced", "broadcast"]))
def test_bytes_in_any_layout(data, layout):
    layers = LAYERS | PLANES
    name, kinds = data.draw(st.sampled_from([*layers])), data.draw(st.sampled_from(KINDS))
    problem = layer(name, kinds, "reflect", layers=layers)
    problem.input = lay_out(problem.input, layout)
    assert_exact(problem)


def test_one_layer_takes_both_kinds():
    """int8 and uint8 need different biases of the same packed weights."""
    problem = layer("two channels left over", ("int8", "int8"), "reflect")
    planned = problem.layer()
    for dtype in ("int8", "uint8", "int8"):
        x = problem.input.view(dtype)
        assert_identical(planned(x), problem.conv(input=x))


def test_dot_products_are_used_where_the_processor_has_them(instruction_set):
    dot = instruction_set == "avx512" and usable("avx512_vnni")
    for kinds in KINDS:
        problem = layer("two channels left over", kinds, "circular")
        planned = problem.layer()
        planned(problem.input)
        (launch,) = planned._packed.launches.values()
        assert launch.run.plan.layout.startswith("dot ") == (dot and kinds[1] == "int8")
