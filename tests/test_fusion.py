"""A residual and an activation in the output stage change no bit of what they are apart."""

from __future__ import annotations

import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from strategies import LAYERS, LAYOUTS, lay_out, numbers, problems

import implicitpad as ip
from implicitpad import _reference

ACTIVATIONS = (None, "relu", ("leaky_relu", 0.25), ("clamp", -1, 2))
RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.standard_normal(shape, np.float32)


@given(
    problem=problems(),
    activation=st.sampled_from(ACTIVATIONS),
    layout=st.sampled_from((None, *LAYOUTS)),
    precision=st.sampled_from(["default", "fast"]),
    seed=st.integers(0, 1000),
)
def test_fused_is_the_sequence(
    instruction_set, threads, problem, activation, layout, precision, seed
):
    if activation is not None and activation[0] == "leaky_relu" and problem.is_integer:
        activation = "relu"
    arguments = (problem.weight, problem.bias)
    options = {**problem.options, "precision": precision}
    make = LAYERS[problem.rank]
    sums = make(*arguments, **options)(problem.input)
    residual = None
    if layout is not None:
        residual = lay_out(numbers(seed, sums.shape, sums.dtype, special=seed % 2 == 0), layout)
    layer = make(*arguments, **options, activation=activation)
    got = layer(problem.input, residual=residual)
    want = _reference.finish(sums, residual, activation)
    if sums.dtype.itemsize > 2:
        assert_identical(got, want)
    else:  # rounded once, not after each step
        assert got.dtype == sums.dtype
        unit = 2.0**-10 if sums.dtype == np.float16 else 2.0**-7
        got, want, s = (a.astype(np.float64) for a in (got, want, sums))
        r = 0 if residual is None else residual.astype(np.float64)
        with np.errstate(all="ignore"):
            near = abs(got - want) <= unit * (abs(s) + abs(r) + unit)
        extreme = ~np.isfinite(abs(s) + abs(r)) | (abs(s) + abs(r) > 6e4)
        assert (near | extreme | (np.isnan(got) & np.isnan(want))).all()
    out = lay_out(np.zeros_like(got, sums.dtype), "transposed")
    assert layer(problem.input, out, residual) is out
    assert_identical(out, layer(problem.input, residual=residual))


def of_rank_1(size):
    return (random(size, 1) @ random(1, size)).astype(np.float32)[None, None]


ALGORITHMS = {
    "winograd": ((2, 40, 30, 27), random(70, 40, 3, 3), {"padding": 1, "fill_value": 2}),
    "winograd4": (
        (2, 40, 30, 27),
        random(70, 40, 3, 3),
        {"padding": 2, "fill_value": 3, "precision": "fast"},
    ),
    "1x1": ((64, 40, 37), random(70, 64, 1, 1), {}),
    "1x1, few filters": ((64, 40, 37), random(5, 64, 1, 1), {}),
    "narrow planes": ((16, 7, 7), random(3, 16, 3, 3), {"padding": 1, "stride": 1}),
    "strided": ((20, 31, 33), random(40, 20, 3, 3), {"padding": 1, "stride": 2}),
    "skipped taps": ((48, 15, 15), random(40, 48, 3, 3), {"padding": 12, "dilation": 12}),
    "depthwise": ((6, 40, 120), random(6, 1, 3, 3), {"padding": 1, "groups": 6}),
    "depthwise pairs": ((7, 9, 9), random(7, 1, 3, 3), {"padding": 1, "groups": 7}),
    "depthwise, dilated": (
        (3, 30, 41),
        random(3, 1, 3, 3),
        {"padding": 2, "groups": 3, "dilation": 2},
    ),
    "tall": ((1, 60, 70), random(1, 1, 9, 9), {"padding": 4, "padding_mode": "reflect"}),
    "past the caches": ((1, 1500, 1600), random(1, 1, 3, 3), {"padding": 1}),
    "fourier": ((1, 300, 290), random(2, 1, 41, 41), {"padding": 20, "precision": "fast"}),
    "separable": ((1, 120, 130), of_rank_1(15), {"padding": 7, "precision": "fast"}),
    "volume": ((12, 9, 10, 11), random(20, 12, 3, 3, 3), {"padding": 1}),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_finishes_its_outputs(instruction_set, threads, name, activation):
    shape, weight, options = ALGORITHMS[name]
    make = LAYERS[weight.ndim - 2]
    x, bias = random(*shape), random(len(weight))
    x.reshape(-1)[[3, x.size // 2]] = np.nan, np.inf
    sums = make(weight, bias, **options)(x)
    residual = random(*sums.shape)
    residual.reshape(-1)[5::97] = np.nan
    layer = make(weight, bias, **options, activation=activation)
    for addend in (residual, residual.swapaxes(-1, -2).copy().swapaxes(-1, -2), None):
        want = _reference.finish(sums, addend, activation)
        assert_identical(layer(x, residual=addend), want)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_bytes_are_finished_as_integers(instruction_set, threads, dtype):
    x, weight = numbers(1, (2, 30, 20, 19), dtype), numbers(2, (40, 30, 3, 3), "int8")
    sums = ip.conv2d(x, weight, padding=1)
    residual = numbers(3, sums.shape, "int32")
    for activation in ("relu", ("clamp", -(10**4), 2.0**40)):
        layer = ip.Conv2d(weight, padding=1, activation=activation)
        assert_identical(layer(x, residual=residual), _reference.finish(sums, residual, activation))


def test_numbers_without_sign_are_compared_without_it(instruction_set):
    x, weight = np.array([[1, 2**63, 5]], np.uint64), np.ones((1, 1, 1), np.uint64)
    layer = ip.Conv1d(weight, activation=("clamp", 3, 2**63 + 7))
    big = np.array([[0, 9, 0]], np.uint64)
    np.testing.assert_array_equal(layer(x, residual=big), [[3, 2**63 + 7, 5]])


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
def test_nan_and_zeros_are_as_in_pytorch(activation):
    torch = pytest.importorskip("torch")
    z = np.array([[np.nan, -np.inf, np.inf, -0.0, 0.0, -3, 3, 1e-45, -1e-45]], np.float32)
    name, *values = (activation,) if isinstance(activation, str) else activation
    function = {"leaky_relu": torch.nn.functional.leaky_relu}.get(name) or getattr(torch, name)
    got = ip.Conv1d(np.ones((1, 1, 1), np.float32), activation=activation)(z)
    np.testing.assert_array_equal(got, function(torch.from_numpy(z), *values).numpy())


def test_pickled_and_shown_with_their_activation():
    layer = ip.Conv1d(-np.ones((1, 1, 1)), activation=["clamp", 0, 6])
    again = pickle.loads(pickle.dumps(layer))
    assert repr(again).endswith("fill_value=None, activation=('clamp', 0, 6))")
    np.testing.assert_array_equal(again(np.array([[-9.0, -2.0, 3.0]])), [[6, 2, 0]])


def test_reference_of_a_residual_alone():
    x = random(2, 9)
    layer = ip.Conv1d(random(2, 2, 1))
    for _ in range(2):
        assert_identical(layer(x, residual=x), layer(x) + x)
        assert_identical(layer(x), layer(x, residual=np.zeros_like(x)) + np.float32(0))


WEIGHT, BYTES = np.ones((2, 1, 3, 3), np.float32), np.ones((2, 1, 3, 3), np.int8)


@pytest.mark.parametrize(
    ("weight", "activation", "error", "text"),
    [
        (WEIGHT, "gelu", ValueError, r"activation must be None, 'relu', .* got 'gelu'"),
        (WEIGHT, 3, TypeError, r"activation must be None, 'relu'"),
        (WEIGHT, (), TypeError, r"activation must be None, 'relu'"),
        (WEIGHT, ("relu", 1), ValueError, r"activation must be None"),
        (WEIGHT, "clamp", ValueError, r"activation must be None"),
        (WEIGHT, ("clamp", "0", 6), TypeError, r"activation must have real numbers"),
        (WEIGHT, ("clamp", True, 6), TypeError, r"activation must have real numbers"),
        (WEIGHT, ("clamp", 6, 0), ValueError, r"low <= high.* pass \('clamp', 0, 6\)"),
        (WEIGHT, ("clamp", 0, np.nan), ValueError, r"may not hold NaN"),
        (WEIGHT, ("leaky_relu", np.inf), ValueError, r"slope of activation must be finite"),
        (BYTES, ("leaky_relu", 0.5), TypeError, r"'leaky_relu' is for floating-point results"),
        (BYTES, ("clamp", 0, 6.5), ValueError, r"must be whole with results of int32"),
    ],
)
def test_a_wrong_activation_is_refused(weight, activation, error, text):
    with pytest.raises(error, match=r"^Conv2d: .*" + text):
        ip.Conv2d(weight, activation=activation)


def test_a_wrong_residual_is_refused():
    layer, x = ip.Conv2d(WEIGHT, padding=1), random(1, 8, 8)
    with pytest.raises(ValueError, match=r"^Conv2d: residual must have the result's shape \(2, 8"):
        layer(x, residual=random(1, 8, 8))
    with pytest.raises(TypeError, match=r"^Conv2d: residual must have the result's dtype float32"):
        layer(x, residual=np.ones((2, 8, 8)))
    both = random(2, 8, 8)
    with pytest.raises(ValueError, match=r"^Conv2d: out must not share memory with residual"):
        layer(x, both, both)
    with pytest.raises(TypeError, match=r"^Conv2d: the residual of a PaddedArray must be one"):
        layer(ip.PaddedArray(x[None], 1), residual=both[None])
