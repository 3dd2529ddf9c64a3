"""Convolution: the laws that define it, on every instruction set and with one and two threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from comparison import assert_identical, assert_within, error_bound
from hypothesis import given
from strategies import FLOATS, INTEGERS, LAYOUTS, MODES, Problem, lay_out, numbers, problems

import implicitpad as ip
from implicitpad import _conv_cpu
from implicitpad._geometry import Axis


@given(problem=problems())
def test_equals_explicit_padding_bit_for_bit(instruction_set, threads, problem):
    assert_identical(problem.conv(), problem.conv_of_padded())


@given(problem=problems(dtypes=FLOATS))
def test_agrees_with_the_reference_within_the_error_bound(instruction_set, threads, problem):
    assert_within(problem.conv(), problem.reference(), error_bound(problem))


@given(problem=problems(dtypes=INTEGERS))
def test_integers_are_exact(instruction_set, threads, problem):
    got, want = problem.conv(), problem.reference()
    np.testing.assert_array_equal(got.astype(want.dtype), want)


@given(problem=problems())
def test_leaves_its_arguments_alone(problem):
    before = [
        None if a is None else a.copy() for a in (problem.input, problem.weight, problem.bias)
    ]
    problem.conv()
    for array, copy in zip((problem.input, problem.weight, problem.bias), before, strict=True):
        if array is not None:
            assert_identical(array, copy)


@given(problem=problems(max_rank=2), layout=st.sampled_from([*LAYOUTS[:6], "misaligned"]))
def test_writes_into_any_layout(instruction_set, problem, layout):
    want = problem.conv()
    out = lay_out(np.zeros_like(want), layout)
    assert problem.conv(out=out) is out
    assert_identical(out, want)


def test_writes_nothing_but_its_result():
    host = np.full((4, 6, 11, 11), 7, np.float32)
    x, w = numbers(0, (2, 3, 5, 5), "float32"), numbers(1, (3, 3, 3, 3), "float32")
    want = ip.conv2d(x, w, padding=1)
    inside = (slice(1, 3), slice(0, 6, 2), slice(3, 8), slice(10, 0, -2))
    ip.conv2d(x, w, padding=1, out=host[inside])
    assert_identical(host[inside], want)
    host[inside] = 7
    assert (host == 7).all()


# Layers large enough for every algorithm and for a second thread.
LARGE = {
    "few channels": ((2, 3, 30, 61), (8, 3, 5, 5), 1),
    "many channels": ((1, 40, 17, 31), (70, 40, 3, 3), 1),
    "strided": ((2, 16, 29, 33), (36, 16, 3, 3), 2),
    "depthwise": ((2, 24, 30, 41), (48, 1, 3, 3), 1),
    "depthwise and strided": ((2, 25, 31, 14), (25, 1, 5, 5), 2),
    "depthwise, many filters": ((2, 4, 30, 41), (48, 1, 3, 3), 1),
    "image": ((1, 1, 130, 301), (1, 1, 11, 11), 1),
    "pointwise": ((2, 64, 12, 12), (70, 64, 1, 1), 1),
    "narrow": ((1, 32, 30, 5), (33, 32, 3, 3), 1),
    "narrow and strided": ((1, 32, 30, 3), (64, 32, 3, 3), 2),
    "volume": ((1, 4, 5, 9, 17), (20, 4, 3, 3, 3), 1),
    "signal": ((2, 16, 1001), (32, 16, 9), 1),
}


def large(name, dtype="float32", mode="constant"):
    shape, weight, stride = LARGE[name]
    axes = tuple(
        Axis(n, f, stride, 1, 2 * f, f + 1, mode)
        for n, f in zip(shape[2:], weight[2:], strict=True)
    )
    x, w = numbers(0, shape, dtype), numbers(1, weight, dtype)
    fill = numbers(3, shape[1:2], dtype) if mode == "constant" else None
    bias = numbers(2, weight[:1], dtype)
    return Problem(x, w, bias, axes, shape[1] // weight[1], fill)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int16"])
def test_large_layers(instruction_set, threads, name, dtype):
    problem = large(name, dtype)
    got = problem.conv()
    assert_identical(got, problem.conv_of_padded())
    if problem.is_integer:
        np.testing.assert_array_equal(got, problem.reference())
    else:
        assert_within(got, problem.reference(), error_bound(problem))


def test_large_layers_reach_every_algorithm(instruction_set):
    before, plans = ip.get_num_threads(), []
    ip.set_num_threads(2)
    try:
        for name in LARGE:
            layer = large(name).layer()
            layer(large(name).input)
            plans += [launch.run.plan for launch in layer._packed.launches.values()]
    finally:
        ip.set_num_threads(before)
    assert {plan.layout for plan in plans} == {"channel", "pixel", "winograd", "plane"}
    assert any(plan.threads == 2 for plan in plans) == _conv_cpu.has_openmp


@pytest.mark.parametrize("name", LARGE)
def test_every_number_of_threads_gives_the_same_bits(instruction_set, name):
    problem, before = large(name, mode="reflect"), ip.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3, 7):
            ip.set_num_threads(count)
            results.append(problem.conv())
    finally:
        ip.set_num_threads(before)
    for result in results[1:]:
        assert_identical(result, results[0])


def test_python_threads_may_call_at_once():
    found = [large(name) for name in LARGE]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(Problem.conv, found * 3))
    for got, problem in zip(together, found * 3, strict=True):
        assert_identical(got, problem.conv())


SKIPPED = {  # size, filter, stride, dilation, padding
    "wide dilation": ((33, 33), 3, 1, 12, 12),
    "windows larger than the image": ((9, 7), 3, 1, 20, 20),
    "large filter": ((16, 16), 7, 1, 1, 6),
    "strided": ((20, 31), 5, 2, 5, 10),
    "signal": ((140,), 8, 3, 16, 60),
    "volume": ((3, 7, 9), 2, 1, 6, 6),
}


@pytest.mark.parametrize("name", SKIPPED)
@pytest.mark.parametrize("special", [None, np.inf, np.nan])
def test_leaving_out_taps_in_zero_padding_changes_no_bit(instruction_set, name, special):
    size, f, stride, dilation, width = SKIPPED[name]
    x, w = numbers(0, (2, 40, *size), "float32"), numbers(1, (64, 40, *[f] * len(size)), "float32")
    x.flat[::7] = -0.0
    if special is not None:
        w.flat[5] = special  # times zero is not zero
    axes = tuple(Axis(n, f, stride, dilation, width, width + 1, "constant") for n in size)
    problem = Problem(x, w, None, axes)
    got = problem.conv()
    assert_identical(got, problem.conv_of_padded())
    assert_within(got, problem.reference(), error_bound(problem))


# By 12, fast precision prefers tiles.
FAR = SKIPPED | {"wide dilation": ((33, 33), 3, 1, 24, 24)}


def test_where_fast_leaves_out_taps(instruction_set):
    for dilation, found in ((24, True), (36, True), (1, False)):
        plane = Axis(33, 3, 1, dilation, dilation, dilation, "constant")
        axes = (Axis(1, 1, 1, 1, 0, 0, "constant"), plane, plane)
        kinds = ("float32", "float32", "float32", True, True)
        plan = _conv_cpu.ConvPlan(axes, 2, 40, 64, 1, *kinds, True, 1)
        assert (plan.corrected and plan.layout == "channel") == found
    small = Axis(7, 3, 1, 1, 1, 1, "constant")  # a tile takes rows and columns: none is outside
    plan = _conv_cpu.ConvPlan((axes[0], small, small), 1, 512, 512, 1, *kinds, True, 1)
    assert plan.layout.startswith("winograd")


@pytest.mark.parametrize("name", FAR)
def test_fast_leaves_out_taps_in_any_padding(instruction_set, threads, name):
    """What they would have added, the fill times their weights, is added at once."""
    size, f, stride, dilation, width = FAR[name]
    x, w = numbers(0, (2, 40, *size), "float32"), numbers(1, (64, 40, *[f] * len(size)), "float32")
    axes = tuple(Axis(n, f, stride, dilation, width, width + 1, "constant") for n in size)
    problem = Problem(x, w, numbers(2, (64,), "float32"), axes, fill_value=numbers(3, (40,), "f"))
    got, want = problem.conv(precision="fast"), problem.reference()
    assert abs(got - want).max() <= 4e-6 * abs(want).max()
    host = np.zeros((*want.shape[:-1], 2 * want.shape[-1]), np.float32)
    assert_identical(problem.conv(precision="fast", out=host[..., ::2]), got)
    x[1, 3, ..., 5] = np.nan
    np.testing.assert_array_equal(
        np.isnan(problem.conv(precision="fast")), np.isnan(problem.conv())
    )
    w[7, 2].flat[0] = np.inf  # times a fill it counts
    np.testing.assert_array_equal(
        np.isfinite(problem.conv(precision="fast")), np.isfinite(problem.conv())
    )


def test_by_hand():
    x = np.array([[1, 2, 3], [4, 5, 6]])[None]
    w = np.array([[1, 0], [0, 10]])[None, None]
    assert ip.conv2d(x, w).tolist() == [[[51, 62]]]
    assert ip.conv2d(x, w, padding=((0, 1), (1, 0)), fill_value=7).tolist() == [
        [[47, 51, 62], [77, 74, 75]]
    ]
    assert ip.conv2d(x, w, padding=((1, 0), (0, 0)), padding_mode="circular").tolist() == [
        [[24, 35], [51, 62]]
    ]
    assert ip.conv2d(x, w, np.array([1000]), stride=2, padding=-1 + 1).tolist() == [[[1051]]]
    assert ip.conv2d(x, w, dilation=(1, 2)).tolist() == [[[61]]]
    assert ip.conv1d(x[0], np.array([[[1, 2]], [[3, 4]]]), groups=2).tolist() == [[5, 8], [32, 39]]


@given(problem=problems(dtypes=("float64", "int32"), special=False), factor=st.integers(-3, 3))
def test_is_linear(problem, factor):
    """conv(a x + y) = a conv(x) + conv(y) with fill 0 and no bias, exactly in integers."""
    if problem.is_integer:
        x, weight = problem.input // 8, problem.weight
    else:
        x, weight = np.rint(2 * problem.input), np.rint(2 * problem.weight)
    y = x[..., ::-1].copy()
    options = {"weight": weight, "bias": None, "fill_value": None}
    got = problem.conv(input=factor * x + y, **options)
    want = factor * problem.conv(input=x, **options) + problem.conv(input=y, **options)
    np.testing.assert_array_equal(got, want)


@given(problem=problems(), data=st.data())
def test_a_single_one_in_the_filter_copies(problem, data):
    """The delta filter returns the padded input, seen through one tap."""
    weight = np.zeros_like(problem.weight)
    rows = np.arange(weight.shape[0])
    channel = data.draw(st.integers(0, weight.shape[1] - 1))
    tap = tuple(data.draw(st.integers(0, axis.kernel - 1)) for axis in problem.axes)
    weight[(rows, channel, *tap)] = 1
    x = np.nan_to_num(problem.input.astype(np.float64), posinf=2.0, neginf=-2.0)
    x = x.astype(problem.input.dtype)
    fill = problem.fill_value
    if fill is not None and not problem.is_integer:
        fill = np.nan_to_num(np.asarray(fill, np.float64), posinf=2.0, neginf=-2.0)
    problem = replace(problem, input=x, weight=weight, bias=None, fill_value=fill)
    padded = problem.padded_input()
    per_group = weight.shape[0] // problem.groups
    seen = padded.take(
        rows // per_group * weight.shape[1] + channel, axis=padded.ndim - problem.rank - 1
    )
    where = tuple(
        slice(t * axis.dilation, t * axis.dilation + (axis.out - 1) * axis.stride + 1, axis.stride)
        for t, axis in zip(tap, problem.axes, strict=True)
    )
    got, want = problem.conv(), seen[(..., *where)]
    if problem.is_integer:
        np.testing.assert_array_equal(got, want.astype(got.dtype))
    else:
        assert_within(got, want.astype(np.float64), error_bound(problem))


@given(n=st.integers(1, 40), f=st.integers(1, 7), shift=st.integers(-50, 50), d=st.integers(1, 3))
def test_circular_convolution_commutes_with_shifts(n, f, shift, d):
    x, w = numbers(n, (2, n), "float32"), numbers(f, (3, 2, f), "float32")

    def circular(x):
        return ip.conv1d(x, w, padding="same", dilation=d, padding_mode="circular")

    assert_identical(circular(np.roll(x, shift, -1)), np.roll(circular(x), shift, -1))


@given(problem=problems(dtypes=("float32", "float64", "int8", "int64"), special=False))
def test_window_wholly_in_the_padding_is_a_constant(problem):
    """z = (sum over channels of (sum of their taps) v) + b."""
    axes = tuple(replace(axis, mode="constant", before=axis.extent) for axis in problem.axes)
    channels = problem.weight.shape[1] * problem.groups
    fill = numbers(0, (channels,), problem.input.dtype, "small integers")
    problem = replace(problem, axes=axes, fill_value=fill)
    wide = np.int64 if problem.is_integer else np.float64
    weight = problem.weight.astype(wide)
    sums = weight.sum(axis=tuple(range(2, weight.ndim)))
    each = fill.astype(wide).reshape(problem.groups, 1, -1)
    z = (sums.reshape(problem.groups, -1, sums.shape[1]) * each).sum(-1).ravel()
    if problem.bias is not None:
        z = z + problem.bias
    first = (..., *(0,) * problem.rank)
    got = problem.conv()[first]
    if problem.is_integer:
        np.testing.assert_array_equal(got, np.broadcast_to(z, got.shape))
    else:
        assert_within(got, np.broadcast_to(z, got.shape), 2 * error_bound(problem)[first])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_numbers_stay_where_windows_see_them(instruction_set, mode, special):
    problem = large("many channels", mode=mode)
    where = (0, 5, 11, 17)
    problem.input[where] = special
    seen = np.zeros_like(problem.input)
    seen[where] = 1
    fill = None if mode != "constant" else 0.0
    touched = replace(
        problem, input=seen, weight=np.ones_like(problem.weight), bias=None, fill_value=fill
    ).conv()
    np.testing.assert_array_equal(np.isfinite(problem.conv()), touched < 0.5)


def test_fill_that_is_not_a_number():
    x, w = np.ones((1, 3, 3)), np.ones((1, 1, 3, 3))
    got = ip.conv2d(x, w, padding=1, fill_value=np.nan)
    assert np.isnan(got).tolist() == [[[True] * 3, [True, False, True], [True] * 3]]
    got = ip.conv2d(x, w, padding=((1, 0), (0, 0)), fill_value=-np.inf)
    np.testing.assert_array_equal(got, [[[-np.inf], [9.0]]])


def test_empty_batch():
    w = np.ones((3, 2, 3, 3), np.float32)
    got = ip.conv2d(np.ones((0, 2, 5, 6), np.float32), w, padding=1)
    assert_identical(got, np.empty((0, 3, 5, 6), np.float32))


def test_empty_axis_is_all_padding():
    w = np.ones((1, 2, 2, 2), np.float32)
    got = ip.conv2d(np.empty((2, 0, 3), np.float32), w, padding=((1, 2), (0, 0)), fill_value=[1, 2])
    assert_identical(got, np.full((1, 2, 2), 12, np.float32))


def test_what_numpy_converts():
    assert_identical(ip.conv1d([[1.0, 2.0]], [[[3.0, 4.0]]], [1.0]), np.array([[12.0]]))
    matrix = np.ones((2, 2)).view(np.matrix)
    got = ip.conv1d(matrix, np.ones((1, 2, 1)))
    assert type(got) is np.ndarray
    assert_identical(got, np.array([[2.0, 2.0]]))


def test_keyword_order_is_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    x, w, b = numbers(0, (2, 4, 9, 8), "float64"), numbers(1, (6, 2, 3, 2), "float64"), np.ones(6)
    options = (2, (1, 3), (2, 1), 2)
    want = torch.nn.functional.conv2d(*map(torch.from_numpy, (x, w, b)), *options)
    np.testing.assert_allclose(ip.conv2d(x, w, b, *options), want.numpy(), rtol=1e-12, atol=1e-12)
