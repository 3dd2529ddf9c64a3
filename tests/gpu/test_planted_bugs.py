"""Bugs planted in the kernels, each caught, and by what.

A bug is one edit of a source. "values" means that the result differs from the reference; the other
entries are what the emulator reports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import test_conv_adjoint
import test_pool_gradients
from gpu_problems import Problem, problem, values
from ptx_emulator import EmulatedDevice, EmulatorError
from test_cuda_pool import MAX, MEAN

import implicitpad
from implicitpad import _cuda_device, _cuda_planes, _cuda_pool, _cuda_source, _reference
from implicitpad._geometry_pool import avg_pool_geometry, max_pool_geometry

GEMM = ("gemm", problem(1, (1, 9, 7, 6), (70, 9, 3, 3), padding=1, fill_value=3.0))
GROUPED = ("gemm", problem(2, (1, 34, 5, 4), (22, 17, 3, 3), padding=1, groups=2))
PER_CHANNEL = (
    "gemm",
    problem(3, (1, 5, 4, 4), (8, 5, 3, 3), padding=1, fill_value=[1.0, 2, 3, 4, 5]),
)
VIEW = ("gemm_view", problem(4, (1, 5, 7, 6), (8, 5, 3, 3)))
PLANES = ("planes", problem(5, (1, 3, 9, 8), (3, 1, 3, 3), padding=1, groups=3))
FEW = ("few_channels", problem(6, (1, 3, 6, 5), (18, 3, 3, 3), padding=1))
REFLECT = ("direct", problem(7, (1, 2, 4, 5), (3, 2, 3, 3), padding=2, padding_mode="reflect"))


GRADIENTS = ("gradients", problem(12, (1, 2, 5, 4), (3, 2, 2, 3), bias=False, stride=2, padding=3))


def infinite() -> Problem:
    p = problem(8, (1, 5, 4, 4), (8, 5, 3, 3), padding=1, fill_value=np.inf)
    p.w[...] = 1
    return p


INFINITE = ("gemm", infinite())


FINISHED = ("finished", problem(15, (1, 9, 4, 5), (10, 9, 3, 3), padding=1))
POOL_GRADIENT = ("pool gradient", None)
PLANES_POOLED = ("planes of pooling", None)


@dataclass
class Bug:
    source: str
    old: str  # any white space matches any other
    new: str
    runs: tuple[str, Any]
    caught_by: str  # a regular expression


BUGS = {
    "the barrier between filling and reading a panel is removed": Bug(
        "conv_gemm", "if (more) stash(buffer ^ 1); __syncthreads();",
        "if (more) stash(buffer ^ 1);", GEMM, "shared memory race"),
    "both panels use one buffer": Bug(
        "conv_gemm", "stash(buffer ^ 1)", "stash(buffer)", GEMM, "shared memory race"),
    "the barrier after the row lookup is removed": Bug(
        "conv_gemm", "} __syncthreads(); } }", "} } }",
        GEMM, "shared memory race: read after write"),
    "the barrier before a tile is overwritten is removed": Bug(
        "conv_planes", "} __syncthreads(); } }", "} } }",
        ("planes", problem(9, (1, 4, 9, 8), (4, 2, 3, 3), padding=1, groups=2)),
        "shared memory race: write after read"),
    "rows past the last position are not clamped": Bug(
        "conv_gemm", "min(m0 + t, rows - 1)", "(m0 + t)", VIEW, "outside every array"),
    "output channels past the last are stored": Bug(
        "conv_gemm", "if (o < p.out_group) y_o", "y_o", GROUPED,
        "outside every array"),
    "the last position is not stored": Bug(
        "conv_gemm", "if (row >= here) continue", "if (row >= here - 1) continue", GEMM,
        "never written"),
    "the last channels of a panel are not bounded": Bug(
        "conv_gemm", "if (k < depth) { if constexpr", "{ if constexpr", VIEW,
        "outside every array"),
    "padding is multiplied by zero instead of selected": Bug(
        "conv_gemm",
        "widen<Acc>(from == OUTSIDE ? fill_value(p, fill_c, k) : x_ncq[from + k * p.x_channel]);",
        "widen<Acc>(fill_value(p, fill_c, k)) * Acc(from == OUTSIDE) +\n"
        "widen<Acc>(x_ncq[from == OUTSIDE ? 0 : from + k * p.x_channel]);",
        INFINITE, "values"),
    "every channel gets the fill of the first": Bug(
        "conv_gemm", "fill_value(p, fill_c, k)", "fill_value(p, fill_c, 0)", PER_CHANNEL, "values"),
    "the stored offset of a row is 32 bits wide": Bug(
        "conv_gemm", "row_n[t] * p.x_batch + d", "(int32)(row_n[t] * p.x_batch) + d",
        ("gemm", "far apart"), "outside every array"),
    "reflect repeats the edge": Bug(
        "index_table", "mode == REFLECT ? period - phase", "mode == REFLECT ? period - 1 - phase",
        REFLECT, "values"),
    "the period of reflect is one too long": Bug(
        "index_table", "2 * n - 2", "2 * n - 1", REFLECT, "values"),
    "a tap reads the table one entry late": Bug(
        "conv_direct", "k * p.dilation[a]]", "(k + 1) * p.dilation[a]]", REFLECT,
        "outside every array"),
    "a tile reads the table past its end": Bug(
        "conv_planes", "virtual_w < reach_w ?", "true ?", PLANES, "outside every array"),
    "a field of the parameters is narrower": Bug(
        "conv_direct", "struct ConvParams { int64 x_batch,", "struct ConvParams { int32 x_batch,",
        REFLECT, "is .b8 of 232 bytes, got a structure of 248 bytes"),
    "two fields of the parameters change places": Bug(
        "conv_direct", "packed weights int32 kernel[3], stride[3]",
        "packed weights\nint32 stride[3], kernel[3]",
        ("direct", problem(10, (1, 2, 7, 7), (3, 2, 3, 3), stride=2)), "outside every array"),
    "two arguments of a kernel change places": Bug(
        "conv_direct", "Y *__restrict__ y_noq, // OUT const __grid_constant__ ConvParams p)",
        "const __grid_constant__ ConvParams p, Y *y_noq)", REFLECT, "is .* bytes, got"),
    "weights of unused outputs are not set to zero": Bug(
        "conv_few_channels", "w_ko[i] = o < outputs ?", "if (o < outputs) w_ko[i] = true ?",
        FEW, "read of uninitialised shared memory"),
    "an activation turns NaN into its bound": Bug(
        "conv_gemm", "z < low ? low : z", "z >= low ? z : low", FINISHED, "values"),
    "a residual is read as the output lies": Bug(
        "conv_gemm", "q.at[2] * p.r_axis[2]]", "q.at[2] * p.y_axis[2]]", FINISHED, "values"),
    "windows between two steps are counted": Bug(
        "conv_adjoint", "q < p.out[a] && q * p.stride[a] == reach", "q < p.out[a]",
        GRADIENTS, "values"),
    "the bounds of the inverse are read one early": Bug(
        "conv_adjoint", "inverse[p.table[a] + at[a] + 1]", "inverse[p.table[a] + at[a]]",
        GRADIENTS, "values"),
    "of equal maxima the last is taken": Bug(
        "pool", "return a > b || a != a", "return a >= b || a != a", ("pool", None), "values"),
    "a position past the padding counts as padding": Bug(
        "pool", "if (d == ABSENT || h == ABSENT || w == ABSENT)", "if (false)", ("pool", None),
        "values"),
    "a window is read by the element after its maximum": Bug(
        "pool_gradients", "== i) sum +=", "== i - 1) sum +=", POOL_GRADIENT, "values"),
    "the readers of the last index are left out": Bug(
        "pool_gradients", "readers[p.readers[a] + i.at[a] + 1]",
        "readers[p.readers[a] + min(i.at[a] + 1, p.size[a] - 1)]", POOL_GRADIENT, "values"),
    "the taps of a window are counted for the input alone": Bug(
        "pool_gradients", "taps(p, counts, q, !p.count_pad)", "taps(p, counts, q, 1)",
        POOL_GRADIENT, "values"),
    "an axis reads the counts of the one before": Bug(
        "pool_gradients", "counts[p.counts[a] + real", "counts[p.counts[a > 1 ? a - 1 : a] + real",
        POOL_GRADIENT, "values"),
    "the row of the index is as long as the input's": Bug(
        "pool_gradients", "row * p.out[2] + q.at[2]", "row * p.size[2] + q.at[2]",
        POOL_GRADIENT, "outside every array"),
    "the plane of the batch's first image is read for all": Bug(
        "pool_planes", "x_nci + n * p.x_batch + blockIdx.x * p.x_channel; float64",
        "x_nci + blockIdx.x * p.x_channel; float64", PLANES_POOLED, "values"),
    "a NaN loses to the number beside it": Bug(
        "pool_planes", "return b > a || b != b ? b : a", "return b > a ? b : a", PLANES_POOLED,
        "values"),
    "a barrier between two halves of a maximum is removed": Bug(
        "pool_planes", "larger(best[threadIdx.x], best[threadIdx.x + half]); __syncthreads();",
        "larger(best[threadIdx.x], best[threadIdx.x + half]);", PLANES_POOLED,
        "shared memory race"),
    "a part ends where its last element begins": Bug(
        "pool_planes", "((i + 1) * size + parts - 1) / parts", "((i + 1) * size) / parts",
        PLANES_POOLED, "values"),
    "a barrier of the sum over a block is removed": Bug(
        "conv_gradients", "partial[threadIdx.x] += partial[threadIdx.x + half]; __syncthreads();",
        "partial[threadIdx.x] += partial[threadIdx.x + half];", GRADIENTS, "shared memory race"),
}  # fmt: skip


def gradients(device: EmulatedDevice, p: Problem) -> None:
    v = values(np.random.default_rng(13), p.geometry.out_shape, "float32")
    for name, array in test_conv_adjoint.run(device, p, v).items():
        test_conv_adjoint.Gradients(p, v).check(name, array)


def pools(device: EmulatedDevice) -> None:
    """Few different values, so that maxima are equal; windows that hang over the padding."""
    x = np.arange(2 * 7 * 7, dtype=np.float32).reshape(1, 2, 7, 7) % 3
    options = {"stride": 2, "padding": 1, "ceil_mode": True}
    for wanted in (implicitpad.max_pool2d, implicitpad.avg_pool2d):
        largest = wanted is implicitpad.max_pool2d
        resolve, given = (max_pool_geometry, MAX) if largest else (avg_pool_geometry, MEAN)
        geometry = resolve("pool", 2, x, 4, **(given | options))
        got = _cuda_pool.pool(device, geometry, device.asarray(x), largest)
        want = (
            wanted(x, 4, return_indices=True, **options) if largest else [wanted(x, 4, **options)]
        )
        for ours, theirs in zip(got, want, strict=False):
            np.testing.assert_allclose(device.asnumpy(ours), theirs, rtol=1e-6)


def pool_gradients(device: EmulatedDevice) -> None:
    """Windows of both kinds that overlap, and that hang over the padding."""
    for operation in ("max", "avg"):
        arguments = test_pool_gradients.inputs("ceil", "float32")
        ours, theirs, total = test_pool_gradients.on_both(device, operation, *arguments)
        test_pool_gradients.same_bits(ours[0], theirs.input)
        test_pool_gradients.same_fill(ours[1], theirs.fill_value, 9 * total)


def planes(device: EmulatedDevice) -> None:
    """A NaN that no other element of its thread hides; parts that overlap."""
    x = np.random.default_rng(14).standard_normal((2, 3, 5, 60)).astype(np.float32)
    x[1, 2, 4, 40] = np.nan
    array = device.asarray(x)
    for operation, wanted in (
        ("mean", implicitpad.global_avg_pool), ("max", implicitpad.global_max_pool)
    ):  # fmt: skip
        got = device.asnumpy(_cuda_planes.global_pool(device, operation, array))
        np.testing.assert_allclose(got, wanted(x), rtol=1e-6, atol=1e-7)
    got = device.asnumpy(_cuda_planes.adaptive_mean(device, array, (3, 7)))
    np.testing.assert_array_equal(got, implicitpad.adaptive_avg_pool2d(x, (3, 7)))


def finished(device: EmulatedDevice, p: Problem) -> None:
    """A residual with rows and columns exchanged in memory, and a NaN."""
    sums = p.run(device, "gemm")
    residual = np.random.default_rng(16).standard_normal((1, 10, 5, 4)).astype(np.float32)
    residual[0, 3, 2, 1] = np.nan
    turned = device.asarray(residual).transpose(0, 1, 3, 2)
    got = p.run(device, "gemm", activation="relu", residual=turned)
    want = _reference.finish(sums, residual.swapaxes(2, 3), "relu")
    np.testing.assert_array_equal(got, want)


def far_apart(device: EmulatedDevice):
    """A batch of two images 2^31 elements apart, of which only the images exist."""
    p = problem(11, (2, 5, 4, 4), (8, 5, 3, 3), padding=1, fill_value=2.0)
    return p, device.far_apart(p.x, stride=1 << 33)


def outcome(device: EmulatedDevice, runs: tuple[str, Any]) -> str:
    """What the emulator reports; "values" if the result is wrong, "" if it is right."""
    family, p = runs
    x = None
    if p == "far apart":
        p, x = far_apart(device)
    try:
        if family == "gradients":
            gradients(device, p)
        elif family == "finished":
            finished(device, p)
        elif family == "pool":
            pools(device)
        elif family == "pool gradient":
            pool_gradients(device)
        elif family == "planes of pooling":
            planes(device)
        else:
            p.check(p.run(device, family, x=x))
    except EmulatorError as error:
        return str(error)
    except AssertionError:
        return "values"
    return ""


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_is_caught(emulator, name, monkeypatch, record_property):
    bug = BUGS[name]
    pattern = r"\s+".join(re.escape(word) for word in bug.old.split())
    edited, edits = re.subn(pattern, lambda _: bug.new, _cuda_source.source(bug.source))
    assert edits == 1
    monkeypatch.setattr(
        _cuda_device, "source",
        lambda wanted: edited if wanted == bug.source else _cuda_source.source(wanted),
    )  # fmt: skip
    report = outcome(EmulatedDevice(80, check=True), bug.runs)
    record_property("caught", report)
    assert re.search(bug.caught_by, report), report


@pytest.mark.parametrize("runs", {str(bug.runs): bug.runs for bug in BUGS.values()}.values(),
                         ids=lambda runs: runs[0])  # fmt: skip
def test_without_the_bugs_nothing_is_reported(emulator, runs):
    assert outcome(emulator, runs) == ""
