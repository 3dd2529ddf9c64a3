"""What a call allocates, launches, reads and writes."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_problems import Problem, problem

from implicitpad import _cuda_conv, _cuda_families, _cuda_instances


class Counting:
    """A device that counts what is asked of it."""

    def __init__(self, device):
        self.device, self.calls = device, []
        self.arch = device.arch

    def __getattr__(self, name):
        value = getattr(self.device, name)
        if not callable(value):
            return value

        def counted(*arguments, **keywords):
            self.calls.append(name)
            return value(*arguments, **keywords)

        return counted


def test_a_planned_call_only_launches(device):
    p = problem(1, (2, 9, 6, 5), (8, 9, 3, 3), padding=1, fill_value=np.arange(9.0))
    counting = Counting(device)
    geometry, x = p.geometry, device.asarray(p.x)
    packed = _cuda_conv.pack(
        counting, device.asarray(p.w), device.asarray(p.bias), geometry.compute
    )
    first = _cuda_conv.conv(counting, geometry, x, packed)
    counting.calls.clear()
    second = _cuda_conv.conv(counting, p.geometry, x, packed)
    assert counting.calls == ["empty"]  # the output
    counting.calls.clear()
    third = _cuda_conv.conv(counting, p.geometry, x, packed, device.empty(first.shape, np.float32))
    assert counting.calls == []
    np.testing.assert_array_equal(device.asnumpy(first), device.asnumpy(second))
    np.testing.assert_array_equal(device.asnumpy(first), device.asnumpy(third))


def test_one_packing_serves_every_size_fill_and_layout(device):
    w = problem(2, (1, 4, 5, 5), (6, 4, 3, 3)).w
    packed = _cuda_conv.pack(device, device.asarray(w), None, np.dtype(np.float32))
    rng = np.random.default_rng(3)
    for size, fill in [((5, 5), 0.0), ((7, 4), 0.0), ((5, 5), 1.0), ((5, 5), 2.0)]:
        x = rng.standard_normal((2, 4, *size)).astype(np.float32)
        p = Problem(x, w, None, {"padding": 2, "fill_value": fill})
        p.check(device.asnumpy(_cuda_conv.conv(device, p.geometry, device.asarray(x), packed)))


def test_plans_are_bounded(device):
    w = problem(2, (1, 1, 3), (1, 1, 2)).w
    packed = _cuda_conv.pack(device, device.asarray(w), None, np.dtype(np.float32))
    for n in range(2, 2 + 2 * _cuda_conv.PLANS):
        p = Problem(np.ones((1, 1, n), np.float32), w)
        x, y = device.asarray(p.x), device.empty(p.geometry.out_shape, np.float32)
        newest = _cuda_conv.plan(device, p.geometry, x, packed, y)
    assert len(packed.plans) == _cuda_conv.PLANS
    assert newest in packed.plans.values()


VIEWS = {
    "reversed": lambda x: x[:, :, ::-1, ::-1],
    "every second row and channel": lambda x: x[:, ::2, 1::2],
    "rows and columns exchanged": lambda x: x.transpose(0, 1, 3, 2),
    "channels last": lambda x: x.transpose(0, 3, 1, 2),
}


@pytest.mark.parametrize("family", ["direct", "planes", "few_channels", "gemm", "gemm_view"])
@pytest.mark.parametrize("view", VIEWS)
def test_views_are_read_in_place(device, view, family):
    rng = np.random.default_rng(4)
    base = rng.standard_normal((2, 4, 8, 6)).astype(np.float32)
    channels = 4 if family == "few_channels" else 6

    def look(array):
        return VIEWS[view](array)[:, :channels]

    x = look(base)
    groups = 2 if family == "planes" else 1
    w = rng.standard_normal((8, x.shape[1] // groups, 3, 3)).astype(np.float32)
    p = Problem(x, w, None, {"padding": 0 if family == "gemm_view" else 1, "groups": groups})
    if family == "planes":
        p.w = p.w[:2] if x.shape[1] > 4 else p.w[:4]
    p.check(p.run(device, family, x=look(device.asarray(base))))


def test_weights_are_read_in_place_too(device):
    p = problem(5, (1, 3, 5, 5), (4, 3, 3, 2), padding=1)
    expected = p.run(device)
    turned = device.asarray(p.w.transpose(3, 1, 2, 0).copy()).transpose(3, 1, 2, 0)
    packed = _cuda_conv.pack(device, turned, device.asarray(p.bias), np.dtype(np.float32))
    got = _cuda_conv.conv(device, p.geometry, device.asarray(p.x), packed)
    np.testing.assert_array_equal(device.asnumpy(got), expected)


def test_out_may_have_any_strides(device):
    p = problem(6, (2, 5, 6, 7), (8, 5, 3, 3), padding=1)
    out = device.empty((7, 8, 6, 2), np.float32).transpose(3, 1, 2, 0)
    np.testing.assert_array_equal(p.run(device, out=out), p.run(device))
    p.check(device.asnumpy(out))


def test_channels_last_in_channels_last_out(device):
    p = problem(7, (2, 6, 5, 4), (8, 6, 3, 3), padding=1)
    x = device.asarray(p.x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    y = _cuda_conv.empty_output(device, p.geometry, x)
    assert y.shape == (2, 8, 5, 4)
    assert y.strides[1] == 4
    p.check(p.run(device, x=x))


def test_an_empty_batch_launches_nothing(device):
    p = problem(8, (0, 3, 5, 5), (4, 3, 3, 3), padding=1)
    assert p.run(device).shape == (0, 4, 5, 5)


def test_an_input_without_elements_is_all_fill(device):
    p = problem(9, (1, 3, 0, 4), (4, 3, 3, 3), padding=2, fill_value=2.0)
    p.check(p.run(device))


def test_inputs_are_left_unchanged(device):
    p = problem(10, (1, 3, 5, 5), (4, 3, 3, 3), padding=1)
    arrays = [device.asarray(a) for a in (p.x, p.w, p.bias)]
    packed = _cuda_conv.pack(device, arrays[1], arrays[2], np.dtype(np.float32))
    _cuda_conv.conv(device, p.geometry, arrays[0], packed)
    for array, before in zip(arrays, (p.x, p.w, p.bias), strict=True):
        np.testing.assert_array_equal(device.asnumpy(array), before)


@pytest.mark.parametrize("family", ["direct", "planes", "few_channels", "gemm", "gemm_view"])
def test_offsets_beyond_two_to_the_31_elements(emulator, family):
    padding = 0 if family == "gemm_view" else 1
    p = problem(11, (3, 3, 5, 6), (8, 3, 3, 3), padding=padding, fill_value=2.0 * padding)
    if family == "planes":
        p = problem(11, (3, 3, 5, 6), (3, 1, 3, 3), padding=1, groups=3)
    p.check(p.run(emulator, family, x=emulator.far_apart(p.x, stride=(1 << 33) + 512)))


DISPATCH = {
    "planes": ((1, 4, 5, 5), (4, 1, 3, 3), {"groups": 4, "padding": 1}),
    "gemm_view": ((1, 16, 5, 5), (8, 16, 1, 1), {}),
    "few_channels": ((1, 3, 9, 9), (8, 3, 3, 3), {"padding": 1}),
    "gemm": ((1, 8, 5, 5), (8, 8, 3, 3), {"padding": 1}),
    "direct": ((1, 8, 5, 5), (3, 8, 3, 3), {"padding": 1}),
}


@pytest.mark.parametrize("family", DISPATCH)
def test_dispatch(emulator, family):
    x, w, options = DISPATCH[family]
    p = problem(12, x, w, **options)
    packed = _cuda_conv.pack(emulator, emulator.asarray(p.w), None, np.dtype(np.float32))
    x, y = emulator.asarray(p.x), emulator.empty(p.geometry.out_shape, np.float32)
    chosen = _cuda_conv.plan(emulator, p.geometry, x, packed, y).launch
    assert chosen == _cuda_conv.plan(emulator, p.geometry, x, packed, y, family).launch


def test_integers_go_to_the_direct_kernel():
    assert set(_cuda_instances.INTEGERS) >= {("int8", "uint8"), ("int64", "int64")}
    p = problem(13, (1, 16, 5, 5), (16, 16, 3, 3), "int8", padding=1)
    params = {"in_group": 16, "out_group": 16, "out": (1, 5, 5), "kernel": (1, 3, 3)}
    assert _cuda_families.choose(p.geometry, params).source == "conv_direct"


def test_a_family_that_does_not_take_a_problem_is_refused():
    p = problem(14, (1, 16, 5, 5), (16, 16, 3, 3), "int8", padding=1)
    with pytest.raises(ValueError, match="'gemm' does not take this problem"):
        _cuda_families.choose(p.geometry, {"out_group": 16}, "gemm")
