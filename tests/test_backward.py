"""Gradients of convolutions, against references that share no code with them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from adjoint import gradients
from comparison import WINOGRAD, assert_identical, assert_within, rounding
from hypothesis import given
from strategies import FLOATS, MODES, numbers, problems

import implicitpad as ip

FUNCTIONS = {1: ip.conv1d_backward, 2: ip.conv2d_backward, 3: ip.conv3d_backward}
FORWARD = {1: ip.conv1d, 2: ip.conv2d, 3: ip.conv3d}


def batched(problem, array):
    return array.astype(np.float64).reshape(-1, *array.shape[-problem.rank - 1 :])


@given(problem=problems(dtypes=FLOATS, special=False))
def test_agrees_with_the_reference_within_the_error_bound(instruction_set, threads, problem):
    geometry = problem.geometry()
    grad = numbers(7, geometry.out_shape, geometry.dtype)
    got = FUNCTIONS[problem.rank](grad, problem.input, problem.weight, **problem.options)

    arrays = [batched(problem, a) for a in (grad, problem.input)]
    weight, fill = problem.weight.astype(np.float64), geometry.fill.astype(np.float64)
    fixed = (geometry.axes, geometry.groups)
    want = gradients(*fixed, fill, *arrays, weight)
    sizes = abs(weight)
    if problem.rank > 1 and weight.shape[-2:] == (3, 3):  # may be computed by F(2x2, 3x3)
        sizes = WINOGRAD @ sizes @ WINOGRAD.T
    magnitudes = gradients(*fixed, abs(fill), *map(abs, arrays), sizes)
    unit, smallest = rounding(geometry.compute)
    for name, value, target, size in zip(got._fields, got, want, magnitudes, strict=True):
        if name == "fill_value" and not geometry.fill.shape:
            target, size = target.sum(), size.sum()
        target, size = np.reshape(target, value.shape), np.reshape(size, value.shape)
        terms = grad.size + problem.weight.size + 12  # no sum has more
        bound = terms * unit / (1 - terms * unit) * size + terms * 36 * smallest
        if value.dtype.itemsize == 2:
            last, least = rounding(value.dtype)
            bound = bound + last * (size + bound) + least
        assert value.dtype == geometry.dtype
        assert_within(value, target, bound)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_agrees_with_central_differences(mode, rank):
    """A convolution is linear in each operand, so that a difference of any step is exact."""
    x, w = (
        numbers(1, (2, 4, *(7, 6, 5)[:rank]), "float64"),
        numbers(2, (6, 2, *(3, 2, 2)[:rank]), "float64"),
    )
    options = {
        "stride": (1, 2, 1)[:rank],
        "padding": ((9, 2), (1, 13), (3, 0))[:rank],
        "dilation": (2, 1, 1)[:rank],
        "groups": 2,
        "padding_mode": mode,
    }
    operands = {"input": x, "weight": w, "bias": numbers(3, (6,), "float64")}
    fill = {}
    if mode == "constant":
        operands["fill_value"] = numbers(4, (4,), "float64")
        fill["fill_value"] = operands["fill_value"]
    g = numbers(5, FORWARD[rank](**operands, **options).shape, "float64")
    got = FUNCTIONS[rank](g, x, w, **options, **fill)
    for seed, name in enumerate(operands):
        step = numbers(10 + seed, operands[name].shape, "float64")
        ends = [
            (FORWARD[rank](**{**operands, name: operands[name] + sign * step}, **options) * g).sum()
            for sign in (1, -1)
        ]
        np.testing.assert_allclose(
            (getattr(got, name) * step).sum(), (ends[0] - ends[1]) / 2, rtol=1e-9
        )


@pytest.mark.parametrize("fill_shape", [(), (4,)])
@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect", "circular"])
def test_agrees_with_pytorch_on_explicit_padding(mode, fill_shape):
    torch = pytest.importorskip("torch")
    x, w = numbers(1, (2, 4, 9, 8), "float64"), numbers(2, (6, 4, 3, 2), "float64")
    fill = numbers(3, fill_shape, "float64")
    tx, tw, tf = [torch.tensor(a, requires_grad=True) for a in (x, w, fill)]
    tb = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    widths = [4, 1, 2, 5]  # of the last axis, then of the one before
    if mode == "constant":
        inside = torch.nn.functional.pad(torch.ones_like(tx), widths)
        fills = tf.reshape(1, -1, 1, 1) if fill_shape else tf
        padded = torch.nn.functional.pad(tx, widths) + (1 - inside) * fills
    else:
        padded = torch.nn.functional.pad(tx, widths, mode)
    y = torch.nn.functional.conv2d(padded, tw, tb, stride=(2, 1))
    g = numbers(4, tuple(y.shape), "float64")
    y.backward(torch.tensor(g))
    options = {"fill_value": fill} if mode == "constant" else {}
    got = ip.conv2d_backward(
        g, x, w, stride=(2, 1), padding=((2, 5), (4, 1)), padding_mode=mode, **options
    )
    wants = [tx.grad, tw.grad, tb.grad, tf.grad if mode == "constant" else torch.zeros(())]
    for value, want in zip(got, wants, strict=True):
        assert value.shape == tuple(want.shape)
        np.testing.assert_allclose(value, want.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bits_for_any_number_of_threads(mode):
    x, w = numbers(1, (3, 40, 25, 31), "float32"), numbers(2, (70, 40, 3, 3), "float32")
    g = numbers(3, (3, 70, 29, 35), "float32")
    results, before = [], ip.get_num_threads()
    for n in (1, 2, 3):
        ip.set_num_threads(n)
        results.append(ip.conv2d_backward(g, x, w, padding=3, padding_mode=mode))
    ip.set_num_threads(before)
    for other in results[1:]:
        for value, want in zip(other, results[0], strict=True):
            assert_identical(value, want)


@pytest.mark.parametrize(("channels", "filters"), [(3, 40), (40, 3)])
def test_windows_of_one_element(instruction_set, threads, channels, filters):
    """Operands change places where that packs less."""
    x, g = (
        numbers(1, (3, 2 * channels, 9, 31), "float64"),
        numbers(2, (3, 2 * filters, 9, 31), "float64"),
    )
    w = np.zeros((2 * filters, channels, 1, 1))
    got = ip.conv2d_backward(g, x, w, groups=2, needs=["weight"]).weight[..., 0, 0]
    for group in range(2):
        k, c = slice(group * filters, None), slice(group * channels, None)
        part = np.einsum("nkhw,nchw->kc", g[:, k][:, :filters], x[:, c][:, :channels])
        np.testing.assert_allclose(got[k][:filters], part, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 2)])
@pytest.mark.parametrize(("per_group", "filters"), [(1, 1), (2, 3)])
def test_few_filters_of_a_group(instruction_set, threads, mode, kernel, per_group, filters):
    """Depthwise above all: lanes are pixels there."""
    x = numbers(1, (2, 5 * per_group, 19, 70), "float32")
    w = np.zeros((5 * filters, per_group, *kernel), np.float32)
    options = {"stride": (1, 2), "padding": 3, "groups": 5, "padding_mode": mode}
    fill = np.linspace(-1, 1, 5 * per_group) if mode == "constant" else None
    g = numbers(2, ip.conv2d(x, w, fill_value=fill, **options).shape, "float32")
    got = ip.conv2d_backward(g, x, w, fill_value=fill, needs=["weight"], **options).weight
    axes = ip._geometry.conv_geometry(
        "", 2, x, w, None, dilation=1, fill_value=fill, precision=None, out=None, **options
    ).axes
    fill = np.zeros(5 * per_group) if fill is None else fill
    want = gradients(axes, 5, fill, g.astype(np.float64), x.astype(np.float64), w)[1]
    assert abs(got - want).max() <= 1e-6 * abs(want).max()


def test_windows_wholly_in_the_padding_cost_their_sum_alone():
    """An infinity in the gradient of such a window reaches fill, bias and, through v, filters."""
    x, w = np.ones((1, 4)), np.ones((1, 1, 2))
    g = np.ones((1, 4 + 20 - 1))
    g[0, 0] = np.inf
    got = ip.conv1d_backward(g, x, w, padding=10, fill_value=2.0)
    assert np.isfinite(got.input).all()
    assert np.isinf([got.bias.item(), got.fill_value.item(), *got.weight.ravel()]).all()


def test_only_what_is_needed_is_computed():
    x, w, g = np.ones((1, 1, 4)), np.ones((1, 1, 2)), np.ones((1, 1, 5))
    whole = ip.conv1d_backward(g, x, w, padding=1)
    for name in whole._fields:
        part = ip.conv1d_backward(g, x, w, padding=1, needs=[name])
        assert [field for field in whole._fields if getattr(part, field) is not None] == [name]
        assert_identical(getattr(part, name), getattr(whole, name))


def test_an_empty_batch_has_gradients_of_zero():
    x, w = np.ones((0, 2, 5)), np.ones((3, 2, 3))
    got = ip.conv1d_backward(np.ones((0, 3, 7)), x, w, padding=2, fill_value=np.ones(2))
    assert [value.shape for value in got] == [(0, 2, 5), (3, 2, 3), (3,), (2,)]
    assert not any(value.any() for value in got)


MEMORY = """
import resource
import numpy as np
import implicitpad as ip

ip.set_num_threads(1)
x = np.ones((1, 1, 4096, 4096), np.float32)
g = np.ones((1, 1, 4096 + 1024 - 2, 4096 + 1024 - 2), np.float32)
w = np.ones((1, 1, 3, 3), np.float32)
small = np.ones((1, 1, 8, 8), np.float32)
ip.conv2d_backward(small, small, w, padding=1, padding_mode={mode!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = ip.conv2d_backward(g, x, w, padding=512, padding_mode={mode!r})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((peak - before) / 1024 - result.input.nbytes / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux alone")
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_peak_memory_holds_no_array_of_the_padded_size(mode):
    """Besides the result; the padded input or its gradient would take 100 MB."""
    program = [sys.executable, "-c", MEMORY.format(mode=mode)]
    extra = float(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    assert extra < 25


X, W = np.zeros((1, 4, 5, 5), np.float32), np.zeros((2, 4, 3, 3), np.float32)
G = np.zeros((1, 2, 5, 5), np.float32)


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "message"),
    [
        ((G[..., 1:], X, W), {}, ValueError, "grad_output must have the shape of the output"),
        ((G[0], X, W), {}, ValueError, "grad_output must have the shape of the output"),
        ((G.astype(np.float64), X, W), {}, TypeError, "grad_output must have the dtype"),
        ((G, X, W[:, :3]), {}, ValueError, "weight has 3 input channels"),
        ((G, X, W), {"needs": "input"}, TypeError, "needs must be a collection"),
        ((G, X, W), {"needs": ["weights"]}, ValueError, "got 'weights'"),
        ((G, X, W), {"padding_mode": "wrapped"}, ValueError, "padding_mode 'wrapped' is unknown"),
        ((G, X, W), {"fill_value": np.ones(3)}, ValueError, "fill_value must have shape"),
        (tuple(a.astype(np.int32) for a in (G, X, W)), {}, TypeError, "gradients are for floats"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        ip.conv2d_backward(*arguments, **{"padding": 1, **changes})
    assert str(caught.value).startswith("conv2d_backward: ")


def test_the_comparison_would_notice_a_wrong_mode():
    """The references tell the modes apart."""
    axes = ip._geometry.Axis(5, 3, 1, 1, 2, 2, "reflect")
    arguments = (
        1,
        np.zeros(()),
        np.arange(7.0).reshape(1, 1, 7),
        np.arange(5.0).reshape(1, 1, 5),
        np.ones((1, 1, 3)),
    )
    results = [gradients((replace(axes, mode=mode),), *arguments) for mode in MODES]
    for at in (0, 1):
        assert len({result[at].tobytes() for result in results}) == len(MODES)
