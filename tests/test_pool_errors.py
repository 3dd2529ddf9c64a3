"""Bad calls of pooling, windows and pad: one clear sentence each, before anything is allocated."""

from __future__ import annotations

import re

import numpy as np
import pytest

import implicitpad as ip

IMAGE = np.ones((1, 4, 6, 6), np.float32)
FIX = r"[;:,] (pass|convert|leave|split|add|call|do not|reduce) "
T, V = TypeError, ValueError
BAD = [
    ("max_pool2d", V, "input", "(6, 6)", {"input": np.ones((6, 6))}),
    ("max_pool2d", T, "input", "complex64", {"input": IMAGE.astype(complex).astype("complex64")}),
    ("max_pool2d", T, "input", "MaskedArray", {"input": np.ma.masked_array(IMAGE)}),
    ("max_pool2d", T, "kernel_size", "2.0", {"kernel_size": 2.0}),
    ("max_pool2d", V, "kernel_size", "0", {"kernel_size": 0}),
    ("max_pool2d", V, "kernel_size", "(1, 2, 3)", {"kernel_size": (1, 2, 3)}),
    ("max_pool2d", V, "kernel_size", "spans 9", {"kernel_size": 9}),
    ("max_pool2d", V, "stride", "-1", {"stride": -1}),
    ("max_pool2d", V, "dilation", "0", {"dilation": 0}),
    ("max_pool2d", T, "padding", "1.5", {"padding": 1.5}),
    ("max_pool2d", V, "padding", "'half'", {"padding": "half"}),
    ("max_pool2d", T, "ceil_mode", "1", {"ceil_mode": 1}),
    ("max_pool2d", T, "return_indices", "'yes'", {"return_indices": "yes"}),
    ("max_pool2d", V, "fill_value", "(3,)", {"fill_value": [1, 2, 3]}),
    ("max_pool2d", V, "fill_value", "0", {"fill_value": 0, "padding_mode": "reflect"}),
    ("max_pool2d", V, "fill_value", "300", {"input": IMAGE.astype("uint8"), "fill_value": 300}),
    ("max_pool2d", V, "padding_mode", "'mirrored'", {"padding_mode": "mirrored"}),
    ("avg_pool2d", T, "input", "int32", {"input": IMAGE.astype("int32")}),
    ("avg_pool2d", T, "count_include_pad", "None", {"count_include_pad": None}),
    ("avg_pool2d", V, "fill_value", "2", {"count_include_pad": False, "fill_value": 2}),
    (
        "avg_pool2d",
        V,
        "padding_mode",
        "'wrap'",
        {"count_include_pad": False, "padding_mode": "wrap"},
    ),
    ("avg_pool2d", T, "divisor_override", "2.5", {"divisor_override": 2.5}),
    ("avg_pool2d", V, "divisor_override", "0", {"divisor_override": 0}),
    ("max_pool2d_backward", V, "grad_output", "(1, 4, 2, 2)", {"grad_output": IMAGE[..., :2, :2]}),
    (
        "max_pool2d_backward",
        T,
        "input",
        "int32",
        {"grad_output": IMAGE, "input": IMAGE.astype("int32")},
    ),
    (
        "max_pool2d_backward",
        T,
        "indices",
        "int32",
        {"grad_output": IMAGE[..., ::2, ::2], "indices": np.zeros((1, 4, 3, 3), np.int32)},
    ),
    (
        "max_pool2d_backward",
        V,
        "indices",
        "(4, 3, 3)",
        {"grad_output": IMAGE[..., ::2, ::2], "indices": np.zeros((4, 3, 3), np.int64)},
    ),
    ("avg_pool2d_backward", T, "grad_output", "float64", {"grad_output": np.ones((1, 4, 3, 3))}),
]
BAD_WINDOWS = [
    ("windows", V, "kernel_size", "2", {"x": np.ones(5), "kernel_size": 2}),
    ("windows", V, "kernel_size", "(1, 1)", {"x": np.ones(5), "kernel_size": (1, 1)}),
    ("windows", V, "kernel_size", "spans 7", {"x": IMAGE, "kernel_size": 7}),
    ("windows", T, "x", "complex64", {"x": IMAGE + 1j, "kernel_size": 2}),
    ("pad", V, "padding", "1", {"x": np.ones(5), "padding": 1}),
    ("pad", V, "padding", "()", {"x": np.ones(5), "padding": ()}),
    ("pad", V, "fill_value", "(2,)", {"x": IMAGE, "padding": 1, "fill_value": [1, 2]}),
    ("pad", V, "padding_mode", "'empty'", {"x": IMAGE, "padding": 1, "padding_mode": "empty"}),
    ("global_avg_pool", V, "x", "(2, 3)", {"x": np.ones((2, 3))}),
    ("global_avg_pool", T, "input", "int64", {"x": np.ones((2, 3, 4), int)}),
    ("global_max_pool", V, "x", "(2, 3, 0)", {"x": np.ones((2, 3, 0))}),
    (
        "adaptive_avg_pool2d",
        V,
        "output_size",
        "(1, 2, 3)",
        {"input": IMAGE, "output_size": (1, 2, 3)},
    ),
    ("adaptive_avg_pool2d", V, "output_size", "0", {"input": IMAGE, "output_size": 0}),
    ("adaptive_avg_pool2d", T, "output_size", "'2'", {"input": IMAGE, "output_size": "2"}),
]


@pytest.mark.parametrize(("function", "kind", "argument", "received", "call"), BAD + BAD_WINDOWS)
def test_bad_calls_are_refused_with_one_helpful_sentence(function, kind, argument, received, call):
    if "pool2d" in function and not function.startswith("adaptive"):
        call = {"input": IMAGE, "kernel_size": 2, **call}
    with pytest.raises(kind) as caught:
        getattr(ip, function)(**call)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.startswith(f"{function}: ")
    assert argument in message
    assert received in message
    assert re.search(FIX, message), message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_map_says_what_its_function_should_return():
    windows = ip.windows(IMAGE, 2)
    with pytest.raises(ValueError, match="one value for each window, got shape"):
        windows.map(lambda block: block)
    with pytest.raises(ValueError, match="one value for each window"):
        windows.map(lambda window: window, each=True)
    with pytest.raises(TypeError, match="f must be a function, got 3"):
        windows.map(3)
    with pytest.raises(ValueError, match="block must be at least 1"):
        windows.map(np.mean, block=0)


def test_arrays_of_all_windows_have_a_limit():
    with pytest.raises(ValueError, match=r"call \.map"):
        np.asarray(ip.windows(np.ones((1, 1, 2000, 2000)), 31, padding=15))
