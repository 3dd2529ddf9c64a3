"""Planned layers are the functions, with their weights kept."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from strategies import Problem, numbers, problems

import implicitpad as ip
from implicitpad import _layers, _numpy
from implicitpad._geometry import Axis
from implicitpad.padded import windows


def a_problem():
    axes = (Axis(9, 3, 1, 1, 2, 2, "constant"), Axis(12, 3, 2, 1, 1, 0, "circular"))
    input, weight = numbers(1, (2, 4, 9, 12), "float32"), numbers(2, (6, 4, 3, 3), "float32")
    return Problem(input, weight, numbers(3, (6,), "float32"), axes, fill_value=0.5)


@given(problem=problems())
def test_layer_is_the_function(instruction_set, problem):
    layer, want = problem.layer(), problem.conv()
    for _ in range(2):
        assert_identical(layer(problem.input), want)
    out = np.zeros_like(want)
    assert layer(problem.input, out) is out
    assert_identical(out, want)


def test_prepared_layer_writes_into_what_it_prepared():
    problem = a_problem()
    layer, want = problem.layer(), problem.conv()
    out = layer.prepare(problem.input)
    assert layer(problem.input, out) is out
    assert_identical(out, want)


@given(problem=problems())
def test_pickled_layer_is_the_layer(problem):
    layer = problem.layer()
    layer(problem.input)
    again = pickle.loads(pickle.dumps(layer))
    assert repr(again) == repr(layer)
    assert_identical(again(problem.input), layer(problem.input))


def test_shapes_and_layouts_may_change_between_calls():
    layer = ip.Conv2d(numbers(0, (3, 2, 3, 3), "float32"), padding=1, padding_mode="reflect")
    for size in [*range(1, 40), 5, 39]:
        for x in (
            numbers(size, (2, size, 7), "float32"),
            numbers(size, (3, 2, 4, size), "float32"),
        ):
            want = ip.conv2d(x, layer._weight, padding=1, padding_mode="reflect")
            assert_identical(layer(x), want)
            assert_identical(layer(x[..., ::-1].copy()[..., ::-1]), want)


@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after it"])
def test_layer_keeps_what_it_was_given(called):
    problem = a_problem()
    want, fill = problem.conv(), np.full(4, 0.5)
    problem.fill_value = fill
    layer = problem.layer()
    if called:
        layer(problem.input)
    problem.weight[:], problem.bias[:], fill[:] = 0, 0, 0
    assert_identical(layer(problem.input), want)


def test_layer_follows_the_chosen_threads_and_instruction_set(instruction_set, threads):
    """Both may change after the weights were packed."""
    problem = a_problem()
    assert_identical(LAYER(problem.input), problem.conv())


LAYER = a_problem().layer()


def test_python_threads_may_share_a_layer():
    problem = a_problem()
    layer, inputs = problem.layer(), [numbers(i, (4, 9 + i % 5, 12), "float32") for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(layer, inputs))
    for got, x in zip(together, inputs, strict=True):
        assert_identical(got, problem.conv(input=x))


def test_errors_of_a_call_name_the_layer():
    layer = a_problem().layer()
    with pytest.raises(ValueError, match=r"^Conv2d: weight has 4 input channels but input has 3"):
        layer(np.ones((3, 9, 12), np.float32))
    with pytest.raises(TypeError, match=r"^Conv2d: input and weight must have one dtype"):
        layer(np.ones((4, 9, 12)))
    with pytest.raises(ValueError, match=r"^Conv2d: out must have shape \(6, 11, 6\)"):
        layer(np.ones((4, 9, 12), np.float32), np.empty((6, 9, 12), np.float32))
    memory = np.zeros((6, 11, 6), np.float32)
    with pytest.raises(ValueError, match=r"^Conv2d: out must not share memory with input"):
        layer(memory.reshape(-1)[12:].reshape(4, 8, 12), memory[:, :10])
    with pytest.raises(TypeError, match=r"^Conv2d: input is a MaskedArray"):
        layer(np.ma.masked_array(np.ones((4, 9, 12), np.float32)))


def test_repr_shows_what_was_given():
    layer = ip.Conv1d(np.ones((4, 1, 3)), np.ones(4), 2, "causal", groups=2, fill_value=[1, 2])
    assert repr(layer) == (
        "Conv1d(weight (4, 1, 3) float64, bias (4,), stride=(2,), padding='causal', dilation=(1,), "
        "groups=2, padding_mode=('constant',), precision='default', fill_value=[1, 2])"
    )


def test_a_call_like_an_earlier_one_checks_and_plans_nothing(monkeypatch):
    problem = a_problem()
    layer, x = problem.layer(), problem.input
    valid = ip.Conv2d(problem.weight, dilation=2)
    padded = [ip.PaddedArray(x, 7, fill) for fill in (0.5, np.arange(8.0).reshape(2, 4))]
    wants = [layer(x), *[valid(a).materialize() for a in padded]]

    def refuse(*args, **options):
        raise AssertionError("planned again")

    for module in (_layers, _numpy, windows):
        for name in ("conv_geometry", "conv_steps", "Launch"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    other = [ip.PaddedArray(x, 7, 2 * a.fill) for a in padded]
    gots = [layer(x.copy()), *[valid(a).materialize() for a in padded]]
    for got, want in zip(gots, wants, strict=True):
        assert_identical(got, want)
    others = [valid(a).materialize() for a in other]  # fills are read at each call
    monkeypatch.undo()
    for got, array in zip(others, other, strict=True):
        assert_identical(got, ip.conv2d(array, problem.weight, dilation=2).materialize())
    with pytest.raises(ValueError, match=r"^Conv2d: weight has 4 input channels but input has 3"):
        valid(ip.PaddedArray(x[:, :3], 7))
