"""The numbers that courses on convolutional networks work out, as cases.

Each case states what a lecture states; formulas, counting, the shape functions and the kernels are
then asked for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import counting, formulas
from .problems import Problem, Setting
from .worked import named_widths

# title, input, weights, stride, padding, groups, output
SHAPES: list[tuple[str, tuple[int, ...], tuple[int, ...], int, Any, int, tuple[int, ...]]] = [
    ("32 to 28 with 5 × 5", (3, 32, 32), (6, 3, 5, 5), 1, 0, 1, (6, 28, 28)),
    ("28 to 24 with 5 × 5", (6, 28, 28), (10, 6, 5, 5), 1, 0, 1, (10, 24, 24)),
    ("24 to 20 with 5 × 5", (10, 24, 24), (8, 10, 5, 5), 1, 0, 1, (8, 20, 20)),
    ("5 × 5 with 3 × 3", (1, 5, 5), (1, 1, 3, 3), 1, 0, 1, (1, 3, 3)),
    ("5 × 5 padded to 7 × 7", (1, 5, 5), (1, 1, 3, 3), 1, 1, 1, (1, 5, 5)),
    ("7 × 7 with stride 2", (1, 7, 7), (1, 1, 3, 3), 2, 0, 1, (1, 3, 3)),
    ("7 × 7 with stride 2, padded", (1, 7, 7), (1, 1, 3, 3), 2, 1, 1, (1, 4, 4)),
    ("28 halved", (1, 28, 28), (1, 1, 3, 3), 2, 1, 1, (1, 14, 14)),
    ("6 × 7 with stride 2: the floor", (1, 6, 7), (1, 1, 3, 3), 2, 0, 1, (1, 2, 3)),
    ("a kernel of 2 × 3", (1, 28, 28), (1, 1, 2, 3), 1, 0, 1, (1, 27, 26)),
    ("a batch", (128, 3, 20, 20), (5, 3, 5, 5), 1, 0, 1, (128, 5, 16, 16)),
    ("groups", (6, 8, 8), (4, 3, 3, 3), 1, 0, 2, (4, 6, 6)),
    ("depthwise", (16, 8, 8), (16, 1, 3, 3), 1, 1, 16, (16, 8, 8)),
    ("pointwise", (16, 8, 8), (32, 16, 1, 1), 1, 0, 1, (32, 8, 8)),
    ("one axis", (1, 7), (1, 1, 3), 1, 0, 1, (1, 5)),
    ("one axis, full", (1, 5), (1, 1, 3), 1, "full", 1, (1, 7)),
]

# title, layers (input, weights, groups), of all layers together: weights, multiply-adds or None
COSTS: list[tuple[str, list[tuple[tuple[int, ...], tuple[int, ...], int]], int, int | None]] = [
    (
        "fully connected, 200 × 200 RGB: 120 K to 120 K, 58 GB of float32",
        [((3, 200, 200), (120_000, 3, 200, 200), 1)],
        14_400_000_000,
        14_400_000_000,
    ),
    (
        "fully connected, 128 × 128 × 3 to 1000: 50 M",
        [((3, 128, 128), (1000, 3, 128, 128), 1)],
        49_152_000,
        49_152_000,
    ),
    ("6 to 4 channels, 3 × 3, one group", [((6, 8, 8), (4, 6, 3, 3), 1)], 216, 216 * 36),
    ("6 to 4 channels, 3 × 3, two groups", [((6, 8, 8), (4, 3, 3, 3), 2)], 108, 108 * 36),
    ("32 to 64 channels, 3 × 3", [((32, 16, 16), (64, 32, 3, 3), 1)], 18_432, 18_432 * 196),
    (
        "the same as depthwise and 1 × 1",
        [((32, 16, 16), (32, 1, 3, 3), 32), ((32, 14, 14), (64, 32, 1, 1), 1)],
        288 + 2048,
        (288 + 2048) * 196,
    ),
]


def shapes() -> Iterator[Setting]:
    names = ("title", "input", "weight", "stride", "padding", "groups", "stated")
    for case in SHAPES:
        yield dict(zip(names, case, strict=True))


def costs() -> Iterator[Setting]:
    for case in COSTS:
        yield dict(zip(("title", "layers", "weights", "multiply_adds"), case, strict=True))


def stated_shape(stated: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    return stated


def stated_cost(weights: int, multiply_adds: int, **_: Any) -> tuple[int, int]:
    return weights, multiply_adds


def _widths(padding: Any, n: int, f: int, s: int) -> tuple[int, int]:
    return named_widths(padding, n, f, s, 1) if isinstance(padding, str) else (padding, padding)


def shape_by(size: Any, input: Any, weight: Any, stride: int, padding: Any, **_: Any) -> Any:
    """The output's shape, each axis by the function `size`."""
    rank = len(weight) - 2
    axes = []
    for n, f in zip(input[-rank:], weight[2:], strict=True):
        before, after = _widths(padding, n, f, stride)
        axes.append(size(n=n, f=f, s=stride, d=1, p0=before, p1=after))
    return (*input[: -rank - 1], weight[0], *axes)


def shape_by_formula(**setting: Any) -> Any:
    return shape_by(formulas.outputs, **setting)


def shape_by_counting(**setting: Any) -> Any:
    def size(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        return counting.output_size(n, f, s, d, p0, p1)

    return shape_by(size, **setting)


def cost_by_formula(layers: Any, **_: Any) -> tuple[int, int]:
    """Weights (no biases) and multiply-adds of all layers, without padding."""
    weights = adds = 0
    for input, weight, _groups in layers:
        outputs = [n - f + 1 for n, f in zip(input[1:], weight[2:], strict=True)]
        weights += formulas.parameters(*weight) - weight[0]
        adds += formulas.multiply_adds(1, weight[0], *outputs, *weight[1:])
    return weights, adds


def step_edge() -> Problem:
    """A 5 × 5 image with an edge from 2 to 0, and the filter of three rows 1 0 −1."""
    image = np.zeros((1, 5, 5), np.int64)
    image[:, :, :2] = 2
    rows = np.tile(np.array([1, 0, -1]), (3, 1))[None, None]
    zero = np.zeros(1, np.int64)
    return Problem(image, rows, zero, zero, (1, 1), ((0, 0),) * 2, (1, 1), 1, "constant")


def line(padding: int) -> Problem:
    """One axis: 1 2 3 4 5 with the filter 1 0 −1, not padded and padded with zeros."""
    numbers = np.arange(1, 6)[None]
    zero, weights = np.zeros(1, np.int64), np.array([[[1, 0, -1]]])
    return Problem(numbers, weights, zero, zero, (1,), ((padding, padding),), (1,), 1, "constant")


VALUES: list[tuple[Problem, Any]] = [
    (step_edge(), [[[6, 6, 0]] * 3]),
    (line(0), [[-2, -2, -2]]),
    (line(1), [[-2, -2, -2, -2, 4]]),
]


def examples() -> list[Problem]:
    return [problem for problem, _ in VALUES]


def stated_values(problem: Problem) -> Any:
    return next(np.array(values) for one, values in VALUES if one is problem)
