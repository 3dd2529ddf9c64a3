"""Transposed convolution: what it computes, on every instruction set and for 1 and 2 threads."""

from __future__ import annotations

import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
from adjoint import scatter
from comparison import WINOGRAD, assert_identical, assert_within, rounding
from hypothesis import given
from strategies import FLOATS, INTEGERS, LAYOUTS, lay_out, numbers

import implicitpad as ip

FUNCTIONS = {1: ip.conv_transpose1d, 2: ip.conv_transpose2d, 3: ip.conv_transpose3d}


@st.composite
def transposed_problems(draw, dtypes):
    """(rank, arguments) with every output at least one element long."""
    rank = draw(st.integers(1, 3))
    longest = {1: 40, 2: 12, 3: 5}[rank]
    groups, per_group = draw(st.sampled_from([(1, 1), (1, 3), (2, 2), (3, 1), (1, 20)]))
    filters = draw(st.sampled_from([1, 2, 5, 17, 33] if rank < 3 else [1, 5]))
    sizes = [draw(st.integers(1, longest)) for _ in range(rank)]
    kernel = [draw(st.integers(1, 5 if rank < 3 else 3)) for _ in range(rank)]
    stride = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    dilation = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    padding = []
    for n, f, s, d, e in zip(sizes, kernel, stride, dilation, extra, strict=True):
        full = (n - 1) * s + d * (f - 1) + 1 + e
        before = draw(st.integers(-3, full - 1))
        padding.append((before, draw(st.integers(-3, max(-3, full - 1 - before)))))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    seed, batch = draw(st.integers(0, 2**32 - 4)), draw(st.sampled_from([None, 1, 2]))
    core = (groups * per_group, *sizes)
    input = numbers(seed, core if batch is None else (batch, *core), dtype)
    weight = numbers(seed + 1, (groups * per_group, filters, *kernel), dtype)
    bias = None
    if draw(st.booleans()):
        bias = numbers(seed + 2, (groups * filters,), "int32" if dtype.itemsize == 1 else dtype)
    layouts = [draw(st.sampled_from(LAYOUTS)) for _ in range(2)]
    arrays = (lay_out(input, layouts[0]), lay_out(weight, layouts[1]), bias)
    return rank, (*arrays, stride, tuple(padding), extra, groups, dilation)


def reference(input, weight, bias, stride, padding, extra, groups, dilation):
    rank = len(stride)
    wide = np.float64 if input.dtype.name in FLOATS else np.int64
    batched = input.astype(wide).reshape(-1, *input.shape[-rank - 1 :])
    sizes = [
        max((n - 1) * s + d * (f - 1) + 1, 0)
        for n, f, s, d in zip(input.shape[-rank:], weight.shape[2:], stride, dilation, strict=True)
    ]
    full = scatter(batched, weight.astype(wide), stride, dilation, sizes, groups)
    # room on both sides for output_padding and for negative padding, then the crop
    margin = 8
    full = np.pad(full, [(0, 0), (0, 0)] + [(margin, margin)] * rank)
    crop = tuple(
        slice(margin + before, margin + n - after + e)
        for (before, after), n, e in zip(padding, sizes, extra, strict=True)
    )
    out = full[(..., *crop)]
    if bias is not None:
        out = out + bias.astype(wide).reshape(-1, *(1,) * rank)
    return out.reshape(*input.shape[: -rank - 1], *out.shape[1:])


@given(problem=transposed_problems(FLOATS))
def test_agrees_with_scattering_within_the_error_bound(instruction_set, threads, problem):
    rank, (input, weight, bias, *rest) = problem
    got, want = FUNCTIONS[rank](input, weight, bias, *rest), reference(input, weight, bias, *rest)
    sizes = abs(weight.astype(np.float64))
    if rank > 1 and weight.shape[-2:] == (3, 3):  # stride 1 may be computed by F(2x2, 3x3)
        sizes = WINOGRAD @ sizes @ WINOGRAD.T
    unit, smallest = rounding("float64" if input.dtype == np.float64 else "float32")
    terms = weight.shape[0] * np.prod(weight.shape[2:]) + 12
    magnitudes = reference(abs(input), sizes, None if bias is None else abs(bias), *rest)
    if rank > 1 and rest[0][-2:] == (2, 2) and set(weight.shape[-2:]) <= {3, 4}:
        magnitudes = 36 * magnitudes.max(initial=0)  # F(3x3, 2x2) adds what it takes away again
    bound = terms * unit / (1 - terms * unit) * magnitudes + terms * 36 * smallest
    if got.dtype.itemsize == 2:
        unit, smallest = rounding(got.dtype)
        bound = bound + unit * (magnitudes + bound) + smallest
    assert_within(got, want, bound)


@given(problem=transposed_problems(INTEGERS))
def test_integers_are_exact(instruction_set, threads, problem):
    rank, arguments = problem
    with np.errstate(over="ignore"):
        want = reference(*arguments)
    got = FUNCTIONS[rank](*arguments)
    np.testing.assert_array_equal(got, want.astype(got.dtype))


@given(problem=transposed_problems(("float32", "float64")))
def test_agrees_with_pytorch(problem):
    torch = pytest.importorskip("torch")
    rank, (input, weight, bias, stride, padding, extra, groups, dilation) = problem
    padding = tuple(max(before, 0) if before == after else 0 for before, after in padding)
    arrays = [None if a is None else torch.from_numpy(np.array(a)) for a in (input, weight, bias)]
    try:
        want = getattr(torch.nn.functional, f"conv_transpose{rank}d")(
            *arrays, stride, padding, extra, groups, dilation
        )
    except RuntimeError:  # a size that PyTorch refuses
        return
    if 0 in want.shape:
        return
    got = FUNCTIONS[rank](input, weight, bias, stride, padding, extra, groups, dilation)
    assert got.shape == tuple(want.shape)
    scale = max(1, float(want.abs().max()))
    tolerance = 1e-4 if input.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, want.numpy(), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_same_bits_for_any_number_of_threads(stride):
    x = numbers(1, (2, 24, 20, 33), "float32")
    w = numbers(2, (24, 40, 3, 4), "float32")
    results, before = [], ip.get_num_threads()
    for n in (1, 2, 3):
        ip.set_num_threads(n)
        results.append(ip.conv_transpose2d(x, w, None, stride, 1))
    ip.set_num_threads(before)
    assert_identical(results[1], results[0])
    assert_identical(results[2], results[0])


def test_an_infinity_reaches_only_its_own_outputs():
    x = np.zeros((1, 5))
    x[0, 2] = np.inf
    y = ip.conv_transpose1d(x, np.ones((1, 1, 2)), stride=2)
    np.testing.assert_array_equal(np.isinf(y[0]), [False] * 4 + [True] * 2 + [False] * 4)
    assert not np.isnan(y).any()


# (batch, groups, channels and filters of each), sizes, kernel, stride, padding, extra, dilation
FEW_PIXELS = [
    ((1, 1, 64, 70), (3, 4), (4, 4), (2, 2), ((1, 1), (1, 2)), (0, 0), (1, 1)),
    ((3, 2, 65, 33), (5, 2), (3, 2), (1, 3), ((1, 1), (0, -2)), (0, 1), (2, 1)),
    ((2, 1, 80, 64), (7,), (3,), (1,), ((1, 1),), (0,), (1,)),
    (
        (1, 1, 64, 9),
        (2, 3, 2),
        (2, 3, 2),
        (2, 1, 2),
        ((0, 0), (2, 1), (1, 0)),
        (1, 0, 0),
        (1, 2, 3),
    ),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("problem", FEW_PIXELS)
def test_few_pixels_take_weights_as_they_lie(instruction_set, threads, problem, dtype):
    (batch, groups, channels, filters), sizes, kernel, stride, padding, extra, dilation = problem
    input = numbers(1, (batch, groups * channels, *sizes), dtype)
    weight = numbers(2, (groups * channels, filters, *kernel), dtype)
    bias = numbers(3, (groups * filters,), dtype)
    arguments = (stride, padding, extra, groups, dilation)
    got = FUNCTIONS[len(sizes)](input, weight, bias, *arguments)
    want = reference(input, weight, bias, *arguments)
    unit, smallest = rounding(np.float32 if dtype == "float16" else dtype)
    terms = channels * int(np.prod(kernel)) + 3
    size = reference(*[abs(a) for a in (input, weight, bias)], *arguments)
    bound = terms * unit * size + smallest
    if dtype == "float16":
        last, least = rounding(dtype)
        bound = bound + last * (size + bound) + least
    assert_within(got, want.reshape(got.shape), bound)


def test_few_pixels_have_the_same_bits_for_any_number_of_threads():
    x, w = numbers(1, (2, 128, 5, 6), "float32"), numbers(2, (128, 100, 4, 4), "float32")
    results, before = [], ip.get_num_threads()
    for n in (1, 2, 3):
        ip.set_num_threads(n)
        results.append(ip.conv_transpose2d(x, w, None, 2, 1))
    ip.set_num_threads(before)
    assert_identical(results[1], results[0])
    assert_identical(results[2], results[0])


def test_an_infinity_among_few_pixels_reaches_only_its_own_outputs():
    x = numbers(1, (1, 64, 4, 4), "float64")
    x[0, 7, 1, 2] = np.inf
    y = ip.conv_transpose2d(x, np.ones((64, 16, 2, 2)), None, 2)
    reached = np.zeros((8, 8), bool)
    reached[2:4, 4:6] = True
    np.testing.assert_array_equal(np.isinf(y[0]), np.broadcast_to(reached, y[0].shape))
    assert not np.isnan(y).any()


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1), (2, 2)])
def test_a_layer_packs_its_weights_once_and_packs_new_ones(kernel, stride):
    layer = ip.nn.ConvTranspose2d(8, 40, kernel, stride=stride, rng=0)

    def assert_agrees(layer):
        for size in (30, 31, 30):  # the second finds the weights packed for the first
            x = numbers(size, (2, 8, size, 17), "float32")
            want = ip.conv_transpose2d(x, layer.weight, layer.bias, stride)
            assert_identical(layer(x), want)

    assert_agrees(layer)
    assert_agrees(pickle.loads(pickle.dumps(layer)))
    layer.weight = 2 * layer.weight
    assert_agrees(layer)
    layer.bias = None
    assert_agrees(layer)


X, W = np.zeros((1, 4, 5, 5), np.float32), np.zeros((4, 2, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[0, 0], W), ValueError, "input must have shape"),
        ((X, W[0]), ValueError, "weight must have 4 axes"),
        ((X, W[:3]), ValueError, "weight is for 3 input channels but input has 4"),
        ((X, W[:, :0]), ValueError, "every axis of weight"),
        ((X, W, np.zeros(3, np.float32)), ValueError, "bias must have shape"),
        ((X, W.astype(np.float64)), TypeError, "must have one dtype"),
        ((X, W, None, 0), ValueError, "stride must be at least 1"),
        ((X, W, None, 1.5), TypeError, "stride must be an int"),
        ((X, W, None, 1, "same"), TypeError, "padding must be an int"),
        ((X, W, None, 1, 4), ValueError, "crops all of spatial axis 0"),
        ((X, W, None, 2, 0, 2), ValueError, "output_padding must be smaller"),
        ((X, W, None, 2, 0, -1), ValueError, "output_padding must be at least 0"),
        ((X, W, None, 1, 0, 0, 3), ValueError, "groups must divide the channels"),
        ((X[..., :0], W), ValueError, "every spatial axis of input"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        ip.conv_transpose2d(*arguments)
    assert str(caught.value).startswith("conv_transpose2d: ")
