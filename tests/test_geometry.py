"""What the arguments mean: padding by number and by name, modes and their other names, fills."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import hypothesis.strategies as st
import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from strategies import MODES

import implicitpad as ip
from implicitpad._arguments import MODES as NAMES
from implicitpad._geometry import Axis, conv_geometry

sizes = st.integers(1, 30)
steps = st.integers(1, 5)


def geometry(input, weight, **options):
    """The geometry of a float32 call on arrays of these shapes."""
    rank = len(weight) - 2
    defaults = {
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "fill_value": None,
        "padding_mode": "constant",
        "precision": None,
        "out": None,
    }
    dtype = options.pop("dtype", "float32")
    arrays = (np.zeros(input, dtype), np.zeros(weight, dtype), None)
    return conv_geometry(f"conv{rank}d", rank, *arrays, **{**defaults, **options})


def widths(*shapes, **options):
    return tuple((axis.before, axis.after) for axis in geometry(*shapes, **options).axes)


IMAGE, FILTERS = (2, 3, 20, 20), (4, 3, 3, 5)


@pytest.mark.parametrize(
    ("padding", "want"),
    [
        (2, ((2, 2), (2, 2))),
        (-1, ((-1, -1), (-1, -1))),
        (np.int64(2), ((2, 2), (2, 2))),
        (np.array(2), ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, 2], ((1, 1), (2, 2))),
        (np.array([1, 2]), ((1, 1), (2, 2))),
        (((1, 2), (3, 4)), ((1, 2), (3, 4))),
        ([[1, 2], (-3, 40)], ((1, 2), (-3, 40))),
        (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
        ("valid", ((0, 0), (0, 0))),
        ("same", ((1, 1), (2, 2))),
        ("full", ((2, 2), (4, 4))),
    ],
)
def test_forms_of_padding(padding, want):
    assert widths(IMAGE, FILTERS, padding=padding) == want


def test_one_axis_has_ints_and_pairs_too():
    for padding in (2, (2,), ((2, 2),)):
        assert widths((3, 9), (4, 3, 3), padding=padding) == ((2, 2),)
    assert widths((3, 9), (4, 3, 3), padding=((1, 2),)) == ((1, 2),)
    assert widths((3, 9), (4, 3, 3), padding="causal", dilation=4) == ((8, 0),)


@given(n=sizes, f=steps, s=steps, d=steps)
def test_same_gives_one_output_for_each_stride(n, f, s, d):
    """m = ceil(n / s), with the extra element after, or before for "same_lower"."""
    for name, extra in (("same", 0), ("same_lower", 1)):
        (axis,) = geometry((1, n), (1, 1, f), stride=s, dilation=d, padding=name).axes
        assert axis.out == -(-n // s)
        assert abs(axis.before - axis.after) <= 1
        assert (axis.before >= axis.after) if extra else (axis.before <= axis.after)
        needed = (axis.out - 1) * s + d * (f - 1) + 1 - n
        assert axis.before + axis.after == max(needed, 0)


@given(n=sizes, f=steps, d=steps)
def test_full_and_causal(n, f, d):
    (full,) = geometry((1, n), (1, 1, f), dilation=d, padding="full").axes
    assert full.out == n + d * (f - 1)
    (causal,) = geometry((1, n), (1, 1, f), dilation=d, padding="causal").axes
    assert (causal.out, causal.after) == (n, 0)


@given(n=sizes, f=steps, s=steps, d=steps, before=st.integers(-5, 40), after=st.integers(-5, 40))
def test_size_counts_the_windows_that_fit(n, f, s, d, before, after):
    axis = Axis(n, f, s, d, before, after, "constant")
    starts = range(0, max(before + n + after, 0), s)
    fitting = [start for start in starts if start + d * (f - 1) < before + n + after]
    if fitting:
        assert axis.out == len(fitting)
        assert geometry(
            (1, n), (1, 1, f), stride=s, dilation=d, padding=((before, after),)
        ).out_shape == (1, len(fitting))
    else:
        with pytest.raises(ValueError, match="conv1d: weight spans"):
            geometry((1, n), (1, 1, f), stride=s, dilation=d, padding=((before, after),))


@pytest.mark.parametrize("alias", NAMES)
def test_every_name_of_a_mode(alias):
    assert NAMES[alias] in MODES
    assert {axis.mode for axis in geometry(IMAGE, FILTERS, padding_mode=alias).axes} == {
        NAMES[alias]
    }


@pytest.mark.parametrize("name", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_names_shared_with_numpy_mean_the_same(name):
    signal = np.arange(5.0)[None]
    got = ip.conv1d(signal, np.ones((1, 1, 1)), padding=7, padding_mode=name)
    np.testing.assert_array_equal(got, np.pad(signal, [(0, 0), (7, 7)], mode=name))


@pytest.mark.parametrize("name", ["nearest", "mirror", "grid-mirror", "grid-wrap", "grid-constant"])
def test_names_shared_with_scipy_mean_the_same(name):
    ndimage = pytest.importorskip("scipy.ndimage", reason="compares with SciPy")
    signal = np.random.default_rng(0).standard_normal(6)
    weight = np.arange(1.0, 10.0)
    got = ip.conv1d(signal[None], weight[None, None], padding="same", padding_mode=name)
    np.testing.assert_allclose(got[0], ndimage.correlate1d(signal, weight, mode=name))


def test_each_axis_has_its_mode():
    axes = geometry(IMAGE, FILTERS, padding_mode=("wrap", "zeros"), fill_value=3).axes
    assert [axis.mode for axis in axes] == ["circular", "constant"]


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("float16", 0.1),
        ("float16", 65519.0),
        ("bfloat16", 0.1),
        ("float32", 1e-60),
        ("float32", -0.0),
        ("float32", np.nan),
        ("float64", -np.inf),
        ("float32", 2**53 + 1),
        ("uint8", 255),
        ("int8", -128.0),
        ("int64", 2**63 - 1),
        ("uint64", 2**64 - 1),
        ("float32", [0.1, np.inf, 3]),
        ("float64", np.float16([0.1, 0.2, 0.3])),
    ],
)
def test_fill_is_rounded_as_in_a_copy(dtype, fill):
    got = geometry(IMAGE, FILTERS, fill_value=fill, dtype=dtype).fill
    copy = np.zeros(np.shape(fill), dtype)
    copy[...] = fill
    assert_identical(got, copy)
    assert not got.flags.writeable


def test_fill_is_the_callers_to_change_afterwards():
    fill = np.zeros(3, np.float32)
    found = geometry(IMAGE, FILTERS, fill_value=fill).fill
    fill[:] = 5
    assert (found == 0).all()


def test_batch_is_optional():
    with_batch, without = geometry((1, 3, 9), (4, 3, 3)), geometry((3, 9), (4, 3, 3))
    assert (with_batch.out_shape, without.out_shape) == ((1, 4, 7), (4, 7))
    assert (with_batch.in_shape, without.in_shape) == ((1, 3, 9), (3, 9))
    assert without.batch == 1
    assert not without.batched


@pytest.mark.parametrize(
    ("input", "weight", "result"),
    [
        ("float16", "float16", "float16"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("int8", "uint8", "int32"),
        ("uint8", "int8", "int32"),
        ("int16", "int16", "int64"),
        ("uint32", "uint32", "uint64"),
    ],
)
def test_type_of_the_result(input, weight, result):
    got = ip.conv1d(np.ones((1, 3), input), np.ones((1, 1, 2), weight))
    assert_identical(got, np.array([[2, 2]], result))


def test_geometry_does_not_change():
    found = geometry(IMAGE, FILTERS)
    with pytest.raises(FrozenInstanceError):
        found.groups = 2
    with pytest.raises(ValueError, match="read-only"):
        found.fill[...] = 1
