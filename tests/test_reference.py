"""The reference itself, against numpy.pad and against loops that follow the definition."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from strategies import MODES, problems

from implicitpad import _reference
from implicitpad._geometry import Axis


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("widths", [(0, 0), (2, 1), (0, 9), (7, 8)])
def test_padding_is_that_of_numpy(mode, widths):
    image = np.arange(12.0).reshape(1, 3, 4)
    axes = [Axis(size, 1, 1, 1, *widths, mode) for size in (3, 4)]
    options = {"constant_values": 7} if mode == "constant" else {}
    want = np.pad(image, [(0, 0), widths, widths], mode=_reference.NUMPY_MODES[mode], **options)
    assert_identical(_reference.explicit_pad(image, axes, np.array(7.0)), want)


def test_negative_widths_crop():
    signal = np.arange(6.0)[None]
    axis = [Axis(6, 1, 1, 1, -2, 1, "circular")]
    np.testing.assert_array_equal(
        _reference.explicit_pad(signal, axis, np.array(0.0)), [[2, 3, 4, 5, 0]]
    )
    axis = [Axis(6, 1, 1, 1, 3, -4, "constant")]
    np.testing.assert_array_equal(
        _reference.explicit_pad(signal, axis, np.array(9.0)), [[9, 9, 9, 0, 1]]
    )


def test_constant_wins_where_modes_differ():
    image = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    axes = [Axis(2, 1, 1, 1, 1, 0, "constant"), Axis(2, 1, 1, 1, 1, 0, "replicate")]
    want = [[[9, 9, 9], [1, 1, 2], [3, 3, 4]]]
    np.testing.assert_array_equal(_reference.explicit_pad(image, axes, np.array(9.0)), want)


def test_fill_has_one_value_for_each_channel():
    padded = _reference.explicit_pad(
        np.zeros((2, 2, 1)), [Axis(1, 1, 1, 1, 1, 1, "constant")], np.array([5.0, 6.0])
    )
    np.testing.assert_array_equal(padded, [[[5, 0, 5], [6, 0, 6]]] * 2)


@given(problem=problems(max_rank=2, dtypes=("float64",), special=False))
def test_convolution_follows_its_definition(problem):
    """Some outputs, each summed tap by tap from the definition."""
    got = problem.reference()
    padded, batched = problem.padded_input(), got.ndim == problem.rank + 2
    if not batched:
        got, padded = got[None], padded[None]
    per_group = problem.weight.shape[1]
    filters_per_group = problem.weight.shape[0] // problem.groups
    rng = np.random.default_rng(0)
    for _ in range(5):
        image, k, *at = (int(rng.integers(0, length)) for length in got.shape)
        want = 0.0 if problem.bias is None else problem.bias[k]
        first = k // filters_per_group * per_group
        for c, *tap in np.ndindex(problem.weight.shape[1:]):
            position = tuple(
                i * axis.stride + t * axis.dilation
                for i, t, axis in zip(at, tap, problem.axes, strict=True)
            )
            want += problem.weight[(k, c, *tap)] * padded[(image, first + c, *position)]
        np.testing.assert_allclose(got[(image, k, *at)], want, rtol=1e-9, atol=1e-9)
