"""What a network will do to a padded array, and what padding it needs: from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .._arguments import per_axis
from ..padded.spans import Span
from .layer import Layer, Sequential
from .layout import Layout, Row, View

_HEADINGS = (
    "layer",
    "virtual shape",
    "core",
    "pad",
    "fill",
    "sees",
    "MACs",
    "explicit",
    "bytes",
    "explicit",
)


class Plan:
    """A table with a row for each layer; `print` shows it.

    Attributes
    ----------
    rows : list of Row
        Named tuples (layer, layout, macs, macs_explicit); `layout` has shape, core, spans, …
    macs, macs_explicit : int
        Multiply-adds of all layers, with the border implicit and explicit.
    bytes, bytes_explicit : int
        Of the largest array.
    """

    def __init__(self, start: Layout, rows: list[Row], itemsize: int) -> None:
        self.rows, self._itemsize = rows, itemsize
        self.macs = sum(row.macs for row in rows)
        self.macs_explicit = sum(row.macs_explicit for row in rows)
        every = [Row("input", start, 0, 0), *rows]
        self._every = every
        self.bytes = max(self._bytes(row.layout)[0] for row in every)
        self.bytes_explicit = max(self._bytes(row.layout)[1] for row in every)

    def _bytes(self, layout: Layout) -> tuple[int, int]:
        each = math.prod(layout.lead) * self._itemsize
        return each * math.prod(layout.core), each * math.prod(layout.size)

    def __str__(self) -> str:
        lines = [_HEADINGS, *[self._line(row) for row in self._every]]
        total = ["total", *[""] * 5, _short(self.macs), _short(self.macs_explicit), "largest", ""]
        total[8:] = [_short(self.bytes), _short(self.bytes_explicit)]
        lines.append(tuple(total))
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADINGS))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def _line(self, row: Row) -> tuple[str, ...]:
        layout = row.layout
        pads = [
            f"{s.before}" if s.before == s.after else f"{s.before}+{s.after}" for s in layout.spans
        ]
        pad = " ".join(pads[:1] if len(set(pads)) == 1 else pads)
        fill = str(layout.lead[-1])
        if any(length > 1 for length in layout.period):
            fill += "·" + "×".join(map(str, layout.period))
        own, explicit = self._bytes(layout)
        return (
            row.layer,
            "×".join(map(str, layout.shape)),
            "×".join(map(str, layout.core)),
            pad,
            fill,
            "×".join(_number(view.size) for view in layout.views),
            _short(row.macs) if row.macs else "",
            _short(row.macs_explicit) if row.macs else "",
            _short(own),
            _short(explicit),
        )

    def __repr__(self) -> str:
        return str(self)


def plan(network: Layer, input: Any) -> Plan:
    """Core, border and cost of every layer, without computing anything.

    Parameters
    ----------
    network : nn.Layer
    input : PaddedArray, or array (N, C, *spatial)
        Only its shape, border and dtype are read.

    Returns
    -------
    Plan
        For each layer: shape of the virtual output, core, border, values of the fill, receptive
        field in pixels of the input, multiply-adds and bytes against those of the explicit network.

    Raises
    ------
    TypeError
        `network` is not made of `implicitpad.nn` layers.
    ValueError
        A layer does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> net = ip.nn.Sequential(ip.nn.Conv2d(1, 8, 3), np.tanh, ip.nn.Conv2d(8, 8, 3, stride=2))
    >>> plan = ip.plan(net, ip.PaddedArray(np.zeros((1, 1, 64, 64), np.float32), 480, fill=1))
    >>> plan.macs, plan.macs_explicit
    (980136, 225020448)
    >>> [row.layout.core for row in plan.rows]
    [(66, 66), (66, 66), (34, 34)]

    ``print(plan)`` shows the table.
    """
    _check_network("plan", network)
    start = Layout.of(input)
    rows: list[Row] = []
    network.trace(start, rows)
    return Plan(start, rows, input.dtype.itemsize)


def required_padding(
    network: Layer, output_size: Any, input_size: Any = None, *, channels: int | None = None
) -> tuple[tuple[int, int], ...]:
    """The border that makes a network's output as large as asked, once around its input.

    Parameters
    ----------
    network : nn.Layer
        Its own paddings count as they are.
    output_size : sequence of int
        Spatial size of the output.
    input_size : sequence of int, optional
        Spatial size of the image; `output_size` if left out, so that the size is kept.
    channels : int, optional
        Of the input; by default, what the first convolution takes.

    Returns
    -------
    tuple of (before, after)
        The least border, one pair for each axis, the odd position after: pass it to `PaddedArray`.

    Raises
    ------
    TypeError
        `network` is not made of `implicitpad.nn` layers.
    ValueError
        The network has no output of that size, or the image is too large for it.

    Examples
    --------
    >>> import implicitpad as ip
    >>> net = ip.nn.Sequential(*[ip.nn.Conv2d(1, 1, 5) for _ in range(3)])
    >>> ip.required_padding(net, (32, 32))
    ((6, 6), (6, 6))
    """
    name = "required_padding"
    _check_network(name, network)
    rank = len(output_size)
    wanted = per_axis(name, "output_size", output_size, rank)
    image = wanted if input_size is None else per_axis(name, "input_size", input_size, rank)
    lead = (1, channels or _channels(network) or 1)
    refusal = ""

    def outputs(totals: Sequence[int]) -> tuple[int, ...] | None:
        nonlocal refusal
        spans = tuple([Span(0, total, 0) for total in totals])
        layout = Layout(lead, spans, (1,) * rank, (View(),) * rank)
        try:
            return network.trace(layout).size
        except ValueError as error:
            refusal = f", even with {max(totals)} positions: {error}"
            return None

    high = list(image)
    for _ in range(40):
        found = outputs(high)
        if found and all(a >= b for a, b in zip(found, wanted, strict=True)):
            break
        high = [2 * total for total in high]
    else:
        raise ValueError(
            f"{name}: no input with {lead[1]} channels gives outputs of size {wanted}{refusal}; "
            "pass channels= or another size."
        )
    pads = []
    for axis in range(rank):

        def along(total: int, axis: int = axis) -> int:
            found = outputs([*high[:axis], total, *high[axis + 1 :]])
            return found[axis] if found else 0

        least = _first(lambda total: along(total) >= wanted[axis], high[axis])  # noqa: B023
        if along(least) != wanted[axis]:
            raise ValueError(
                f"{name}: no input gives {wanted[axis]} outputs on spatial axis {axis}; the next "
                f"size is {along(least)}, from {least} positions; pass "
                f"output_size={along(least)} there."
            )
        if least < image[axis] and along(image[axis]) != wanted[axis]:
            seen = _first(lambda total: along(total) > wanted[axis], image[axis]) - 1  # noqa: B023
            raise ValueError(
                f"{name}: {wanted[axis]} outputs see only {seen} positions on spatial axis {axis} "
                f"and the image has {image[axis]}; crop it or ask for more outputs."
            )
        border = max(least, image[axis]) - image[axis]
        pads.append((border // 2, border - border // 2))
    return tuple(pads)


def _first(holds: Callable[[int], bool], high: int) -> int:
    """The least number from 1 to `high`, which holds, for which it and all larger ones hold."""
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _check_network(name: str, network: Any) -> None:
    if not isinstance(network, Layer):
        raise TypeError(
            f"{name}: network must be an implicitpad.nn layer, got {type(network).__name__}; pass "
            "implicitpad.nn.Sequential(...)."
        )


def _channels(network: Layer) -> int | None:
    """What the first layer that knows takes."""
    for name in ("in_channels", "channels"):
        if isinstance(getattr(network, name, None), int):
            return int(getattr(network, name))
    for child in _children(network):
        if found := _channels(child):
            return found
    return None


def _children(network: Layer) -> tuple[Layer, ...]:
    if isinstance(network, Sequential):
        return network.layers
    body = getattr(network, "body", None)
    return (body,) if isinstance(body, Layer) else ()


def _number(value: Any) -> str:
    return str(int(value)) if value == int(value) else f"{float(value):.1f}"


def _short(number: int) -> str:
    """Three digits and a unit: 12.3 K."""
    value, unit = float(number), 0
    while value >= 1000 and unit < 4:
        value, unit = value / 1000, unit + 1
    digits = f"{value:.3g}" if unit else str(number)
    return f"{digits} {('', 'K', 'M', 'G', 'T')[unit]}".strip()
