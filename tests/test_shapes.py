"""Shapes and costs, against the convolutions themselves and against brute force."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from strategies import problems

import implicitpad as ip

layers = st.fixed_dictionaries(
    {"kernel_size": st.integers(1, 4)},
    optional={
        "stride": st.integers(1, 3),
        "padding": st.one_of(
            st.integers(-2, 5), st.tuples(st.tuples(st.integers(-2, 5), st.integers(-2, 5)))
        ),
        "dilation": st.integers(1, 3),
    },
)


@given(problem=problems())
def test_shape_and_cost_are_those_of_the_result(problem):
    options = problem.options
    options = [options[name] for name in ("stride", "padding", "dilation", "groups")]
    shapes = problem.input.shape, problem.weight.shape
    result, padded = problem.conv(), problem.padded_input()
    assert ip.output_shape(*shapes, *options) == result.shape
    cost = ip.cost(*shapes, *options, dtype=problem.input.dtype)
    untouched = all(axis.before == axis.after == 0 for axis in problem.axes)
    assert cost == (
        result.size * problem.weight[0].size,
        problem.weight.size,
        problem.input.nbytes,
        result.nbytes,
        0 if untouched else padded.nbytes,
    )


def reads(stack, i):
    """First and last input position that output i reads, by following each tap."""
    seen = {i}
    for layer in reversed(stack):
        f, s, d = layer["kernel_size"], layer.get("stride", 1), layer.get("dilation", 1)
        padding = layer.get("padding", 0)
        before = padding if isinstance(padding, int) else padding[0][0]
        seen = {at * s + t * d - before for at in seen for t in (0, f - 1)}
    return min(seen), max(seen)


@given(stack=st.lists(layers, max_size=6), i=st.integers(0, 20))
def test_receptive_field_is_what_is_read(stack, i):
    (size,), (stride,), (offset,) = ip.receptive_field(stack)
    first = i * stride - offset
    assert (first, first + size - 1) == reads(stack, i)


def test_receptive_field_of_each_axis():
    stack = [{"kernel_size": (3, 5), "padding": "same"}, {"kernel_size": 2, "stride": (1, 2)}]
    assert ip.receptive_field(stack) == ((4, 6), (1, 2), (1, 2))
    assert ip.receptive_field([]) == ((1,), (1,), (0,))


@pytest.mark.parametrize("padding", ["valid", "same", "same_lower", "full"])
def test_named_padding_of_a_stack(padding):
    (size,), _, (offset,) = ip.receptive_field([{"kernel_size": 4, "padding": padding}])
    x = np.zeros((1, 9))
    x[0, 4] = 1
    reached = np.flatnonzero(ip.conv1d(x, np.ones((1, 1, 4)), padding=padding)[0])
    assert list(reached) == list(range(4 + offset - size + 1, 4 + offset + 1))


BAD = [
    (TypeError, "layers", [3]),
    (TypeError, "layers", {"kernel_size": 3}),
    (ValueError, "kernel_size", [{"stride": 1}]),
    (ValueError, "kernel_size", [{"kernel_size": 3, "pad": 1}]),
    (ValueError, "kernel_size", [{"kernel_size": 0}]),
    (TypeError, "stride", [{"kernel_size": 3, "stride": None}]),
    (ValueError, "layers", [{"kernel_size": (3, 3)}, {"kernel_size": (3, 3, 3)}]),
    (ValueError, "padding", [{"kernel_size": 3, "padding": "most"}]),
    (ValueError, "stride", [{"kernel_size": 3, "stride": 2, "padding": "same"}]),
]


@pytest.mark.parametrize(("kind", "argument", "stack"), BAD)
def test_bad_stacks(kind, argument, stack):
    with pytest.raises(kind, match=rf"^receptive_field: .*\b{argument}\b.*; (pass|name) .*\.$"):
        ip.receptive_field(stack)


@pytest.mark.parametrize("function", [ip.output_shape, ip.cost])
@pytest.mark.parametrize(
    ("kind", "message", "arguments"),
    [
        (TypeError, "input_shape must be a sequence", (3, (1, 1, 3))),
        (TypeError, "weight_shape must be an int", ((1, 3), (1, 1, 3.0))),
        (ValueError, "weight_shape must be", ((1, 3), (1, 1))),
        (ValueError, "input must have shape", ((3,), (1, 1, 3))),
        (ValueError, "weight has 2 input channels but input has 1", ((1, 3), (1, 2, 3))),
        (ValueError, "weight spans 3", ((1, 2), (1, 1, 3))),
        (ValueError, "stride must be at least 1", ((1, 3), (1, 1, 3), 0)),
    ],
)
def test_bad_shapes(function, kind, message, arguments):
    with pytest.raises(kind, match=rf"^{function.__name__}: {message}"):
        function(*arguments)


def test_bad_dtype():
    with pytest.raises(TypeError, match=r"^cost: dtype must be a dtype, got 'float31'"):
        ip.cost((1, 3), (1, 1, 3), dtype="float31")
    with pytest.raises(TypeError, match=r"^cost: dtype has dtype .*complex64"):
        ip.cost((1, 3), (1, 1, 3), dtype=np.complex64)
