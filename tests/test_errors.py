"""Bad calls: one clear sentence each, before anything is allocated.

Every message names the function, the argument and what was received, and ends with a way out.
"""

from __future__ import annotations

import re
import tracemalloc
from typing import Any, NamedTuple

import numpy as np
import pytest

import implicitpad as ip

IMAGE = np.ones((1, 4, 6, 6), np.float32)
FILTERS = np.ones((8, 4, 3, 3), np.float32)
BIAS = np.ones(8, np.float32)
READ_ONLY = np.empty((1, 8, 4, 4), np.float32)
READ_ONLY.flags.writeable = False
OVERLAPPING = np.lib.stride_tricks.as_strided(
    np.empty(64, np.float32), (1, 8, 4, 4), (256, 4, 16, 4)
)
# Shapes as large as address space allows, on one element of memory.
LONG = np.broadcast_to(np.float32(0), (1, 4, 6, 2**31))
MANY = np.broadcast_to(np.float32(0), (2**27, 4, 2**15, 2**15))
WIDE = np.broadcast_to(np.float32(0), (8, 2**31, 1, 1))
FIX = r"[;:,] (pass|convert|leave|split|add|call|do not|name) "


class Bad(NamedTuple):
    kind: type[Exception]
    argument: str  # named by the message
    received: str  # repeated by the message
    call: dict[str, Any]
    function: str = "conv2d"


def image(shape, dtype=np.float32):
    return {"input": np.ones(shape, dtype)}


def filters(shape, dtype=np.float32):
    return {"weight": np.ones(shape, dtype)}


def both(dtype):
    return {"input": IMAGE.astype(dtype), "weight": FILTERS.astype(dtype)}


T, V = TypeError, ValueError
MASKED = np.ma.masked_array(IMAGE, IMAGE > 0)
BAD = [
    # the input
    Bad(V, "input", "(6, 6)", image((6, 6))),
    Bad(V, "input", "(1, 1, 4, 6, 6)", image((1, 1, 4, 6, 6))),
    Bad(V, "input", "()", {"input": 3.0}),
    Bad(V, "input", "(1, 0, 6, 6)", image((1, 0, 6, 6))),
    Bad(V, "input", str(LONG.shape), {"input": LONG}),
    Bad(T, "input", "c8", both("complex64")),
    Bad(T, "input", "c16", both("complex128")),
    Bad(T, "input", "bool", both("bool")),
    Bad(T, "input", "O", both("object")),
    Bad(T, "input", "list", {"input": [["a"]]}),
    Bad(T, "input", "<U1", {"input": np.full((4, 6, 6), "a")}),
    Bad(T, "input", "NoneType", {"input": None}),
    Bad(T, "input", "dict", {"input": {"a": 1}}),
    Bad(T, "input", "list", {"input": [[1.0, 2.0], [3.0]]}),
    Bad(T, "input", ">f4", both(">f4")),
    Bad(T, "input", "<M8", {"input": np.zeros((4, 6, 6), "M8[s]")}),
    Bad(T, "input", "V8", {"input": np.zeros((4, 6, 6), [("a", "f4"), ("b", "f4")])}),
    Bad(T, "input", "MaskedArray", {"input": MASKED}),
    # the weight
    Bad(V, "weight", "(4, 3, 3)", filters((4, 3, 3))),
    Bad(V, "weight", "(8, 5, 3, 3)", filters((8, 5, 3, 3))),
    Bad(V, "weight", "(8, 4, 0, 3)", filters((8, 4, 0, 3))),
    Bad(V, "weight", "(0, 4, 3, 3)", filters((0, 4, 3, 3))),
    Bad(V, "weight", str(WIDE.shape), {"weight": WIDE}),
    Bad(V, "weight", "spans 7", filters((8, 4, 7, 3))),
    Bad(T, "weight", "float64", filters((8, 4, 3, 3), np.float64)),
    Bad(T, "weight", "int8", {**both("int16"), **filters((8, 4, 3, 3), np.int8)}),
    Bad(T, "weight", "c16", filters((8, 4, 3, 3), complex)),
    Bad(T, "weight", "NoneType", {"weight": None}),
    # the bias
    Bad(V, "bias", "(7,)", {"bias": np.ones(7, np.float32)}),
    Bad(V, "bias", "(8, 1)", {"bias": np.ones((8, 1), np.float32)}),
    Bad(V, "bias", "()", {"bias": np.float32(1)}),
    Bad(T, "bias", "float64", {"bias": BIAS.astype(float)}),
    Bad(T, "bias", "int8", {**both("int8"), "bias": BIAS.astype("int8")}),
    Bad(T, "bias", "float32", {**both("int64"), "bias": BIAS}),
    # the steps
    Bad(V, "stride", "0", {"stride": 0}),
    Bad(V, "stride", "(1, -2)", {"stride": (1, -2)}),
    Bad(V, "stride", "(1, 2, 3)", {"stride": (1, 2, 3)}),
    Bad(V, "stride", "()", {"stride": ()}),
    Bad(V, "stride", str(2**31), {"stride": 2**31}),
    Bad(T, "stride", "1.5", {"stride": 1.5}),
    Bad(T, "stride", "True", {"stride": True}),
    Bad(T, "stride", "'2'", {"stride": "2"}),
    Bad(T, "stride", "None", {"stride": None}),
    Bad(V, "dilation", "0", {"dilation": 0}),
    Bad(V, "dilation", "(-1, 1)", {"dilation": (-1, 1)}),
    Bad(V, "dilation", "dilation 3", {"dilation": 3}),
    Bad(T, "dilation", "(1, 1.0)", {"dilation": (1, 1.0)}),
    Bad(V, "groups", "0", {"groups": 0}),
    Bad(V, "groups", "3", {"groups": 3}),
    Bad(V, "groups", "2", {"groups": 2}),
    Bad(T, "groups", "1.0", {"groups": 1.0}),
    Bad(T, "groups", "(1,)", {"groups": (1,)}),
    # the padding
    Bad(V, "padding", "(1, 2, 3)", {"padding": (1, 2, 3)}),
    Bad(V, "padding", "((1, 2),)", {"padding": ((1, 2),)}),
    Bad(T, "padding", "(1, (1, 2))", {"padding": (1, (1, 2))}),
    Bad(T, "padding", "((1, 2, 3), (1, 2, 3))", {"padding": ((1, 2, 3), (1, 2, 3))}),
    Bad(T, "padding", "1.0", {"padding": 1.0}),
    Bad(T, "padding", "nan", {"padding": float("nan")}),
    Bad(T, "padding", "(nan, 1)", {"padding": (float("nan"), 1)}),
    Bad(T, "padding", "None", {"padding": None}),
    Bad(T, "padding", "True", {"padding": True}),
    Bad(V, "padding", "'SAME'", {"padding": "SAME"}),
    Bad(V, "padding", "'causal'", {"padding": "causal"}),
    Bad(V, "padding", "(-3, -3)", {"padding": -3}),
    Bad(V, "padding", str(10**30), {"padding": 10**30}),
    Bad(V, "padding", str(2**31 - 1), {"padding": 2**31 - 1}),
    Bad(V, "out", "1073741828", {"padding": 2**29}),
    Bad(V, "padding", "(1, 2)", {"input": np.ones((1, 9)), "weight": np.ones((1, 1, 3)),
                                 "padding": (1, 2)}, "conv1d"),
    # the mode and the fill
    Bad(V, "padding_mode", "'mirrored'", {"padding_mode": "mirrored"}),
    Bad(V, "padding_mode", "'Edge'", {"padding_mode": ("edge", "Edge")}),
    Bad(V, "padding_mode", "('edge',)", {"padding_mode": ("edge",)}),
    Bad(T, "padding_mode", "0", {"padding_mode": 0}),
    Bad(T, "padding_mode", "None", {"padding_mode": None}),
    Bad(V, "padding_mode", "size 0", {**image((1, 4, 0, 6)), "padding_mode": "edge"}),
    Bad(V, "fill_value", "1.0", {"fill_value": 1.0, "padding_mode": "reflect"}),
    Bad(V, "fill_value", "(3,)", {"fill_value": [1.0, 2.0, 3.0]}),
    Bad(V, "fill_value", "(4, 1)", {"fill_value": np.ones((4, 1))}),
    Bad(T, "fill_value", "1j", {"fill_value": 1j}),
    Bad(T, "fill_value", "True", {"fill_value": True}),
    Bad(T, "fill_value", "False", {"fill_value": [1.0, 2.0, 3.0, False]}),
    Bad(T, "fill_value", "'0'", {"fill_value": "0"}),
    Bad(T, "fill_value", "[1.0, [2.0]]", {"fill_value": [1.0, [2.0]]}),
    Bad(V, "fill_value", "1e+39", {"fill_value": 1e39}),
    Bad(V, "fill_value", str(10**400), {"fill_value": 10**400}),
    Bad(V, "fill_value", "256", {**both("uint8"), "fill_value": 256}),
    Bad(V, "fill_value", "0.5", {**both("int32"), "fill_value": 0.5}),
    Bad(V, "fill_value", "nan", {**both("int64"), "fill_value": float("nan")}),
    # the precision
    Bad(V, "precision", "'faster'", {"precision": "faster"}),
    Bad(T, "precision", "32", {"precision": 32}),
    # the result
    Bad(V, "out", "(1, 8, 6, 6)", {"out": np.empty((1, 8, 6, 6), np.float32)}),
    Bad(V, "out", "(8, 4, 4)", {"out": np.empty((8, 4, 4), np.float32)}),
    Bad(T, "out", "float64", {"out": np.empty((1, 8, 4, 4))}),
    Bad(T, "out", "list", {"out": [[0.0]]}),
    Bad(V, "out", "read-only", {"out": READ_ONLY}),
    Bad(V, "out", str(OVERLAPPING.strides), {"out": OVERLAPPING}),
    Bad(V, "out", "input", {**filters((4, 4, 1, 1)), "out": IMAGE}),
    Bad(V, "out", "bytes", {"input": MANY, "padding": 2**15}),
]  # fmt: skip


def describe(bad: Bad) -> str:
    return f"{bad.argument}: {bad.received[:40]}"


@pytest.mark.parametrize("bad", BAD, ids=describe)
def test_says_what_is_wrong_and_what_to_do(bad):
    arguments = {"input": IMAGE, "weight": FILTERS, **bad.call}
    tracemalloc.start()
    try:
        with pytest.raises(bad.kind) as caught:
            getattr(ip, bad.function)(**arguments)
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert type(caught.value) is bad.kind
    assert message.startswith(f"{bad.function}: ")
    assert re.search(rf"\b{bad.argument}\b", message)
    assert bad.received in message
    assert message.endswith(".")
    assert re.search(FIX, message)
    assert allocated < 200_000, "allocated before it refused"


def test_table_is_long():
    assert len(BAD) >= 50


@pytest.mark.parametrize("argument", ["input", "weight", "bias"])
def test_result_may_not_overlap_what_is_read(argument):
    memory = np.ones(1000, np.float32)
    arrays = {"input": IMAGE, "weight": FILTERS, "bias": BIAS}
    size = arrays[argument].size
    arrays[argument] = memory[100 : 100 + size].reshape(arrays[argument].shape)
    for start in (100 - 127, 99 + size):
        out = memory[max(start, 0) :][: 8 * 16].reshape(1, 8, 4, 4)
        with pytest.raises(ValueError, match=f"out must not share memory with {argument}"):
            ip.conv2d(**arrays, out=out)
    apart = memory[100 + size :][: 8 * 16].reshape(1, 8, 4, 4)
    assert ip.conv2d(**arrays, out=apart) is apart


def test_tensors_of_other_libraries_are_named():
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    with pytest.raises(TypeError, match=r"conv2d: input is a torch Tensor; pass input\.numpy\(\)"):
        ip.conv2d(torch.ones(1, 4, 6, 6), FILTERS)


LAYER_ERRORS = [bad for bad in BAD if not {"input", "out", "fill_value"} & set(bad.call)]


@pytest.mark.parametrize("bad", LAYER_ERRORS, ids=describe)
def test_layers_refuse_the_same(bad):
    """When the layer is made, or when it meets an input that does not go with it."""
    options = {"weight": FILTERS, **bad.call}
    with pytest.raises(bad.kind, match=r"^Conv2d: ") as caught:
        ip.Conv2d(**options)(IMAGE)
    assert re.search(rf"\b{bad.argument}\b", str(caught.value))
