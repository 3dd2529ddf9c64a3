"""The picture of a layer: where windows lie, what is padding, which outputs see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from implicitpad.spec.worked import Layer

from ._drawing import Dot, Line, Rectangle, Shape, Words

CELL = 36
MARGIN = 26
DATA, PADDING, EDGE = "#e8f0fb", "#f1efe9", "#9aa3ad"
FIRST, NEXT, INK, QUIET = "#d9541e", "#1f6fb4", "#222222", "#6b7280"
SEES = "#fbe3c6"


@dataclass(frozen=True)
class Picture:
    shapes: list[Shape]
    width: float
    height: float
    title: str


def padding_taps(layer: Layer, i: int) -> list[bool]:
    """For each tap of output i along one axis, whether it reads padding."""
    first = i * layer.s - layer.p0
    return [not 0 <= first + k * layer.d < layer.n for k in range(layer.f)]


def seen(rows: Layer, columns: Layer, i: int, j: int) -> int:
    """How many taps of output (i, j) read padding."""
    down, across = padding_taps(rows, i), padding_taps(columns, j)
    return rows.f * columns.f - down.count(False) * across.count(False)


def title(rows: Layer, columns: Layer) -> str:
    def both(name: str) -> str:
        a, b = getattr(rows, name), getattr(columns, name)
        return f"{a} × {b}" if rows.n > 1 or rows.f > 1 else f"{b}"

    steps = [f"stride {columns.s}"] if columns.s == rows.s or rows.f == 1 else []
    steps = steps or [f"stride {rows.s} × {columns.s}"]
    if max(columns.d, rows.d) > 1:
        steps.append(f"dilation {columns.d}")
    if columns.p0 or columns.p1:
        widths = {columns.p0, columns.p1, rows.p0, rows.p1} - ({0} if rows.n == 1 else set())
        steps.append(f"padding {columns.p0}" if len(widths) == 1 else "padding as drawn")
    return f"{both('n')} input, {both('f')} kernel, {', '.join(steps)} → {both('out')} output"


def picture(rows: Layer, columns: Layer) -> Picture:
    """Two axes; a single axis is `rows` of one element."""
    left, top = MARGIN + 6, 96
    tall, wide = rows.virtual * CELL, columns.virtual * CELL
    right = left + wide + 110
    out_top = top + max(0, (tall - rows.out * CELL) / 2)
    width = max(right + columns.out * CELL + MARGIN, 780)
    below = max(top + tall, out_top + rows.out * CELL + 30) + 34
    shapes: list[Shape] = [Words(left, 28, title(rows, columns), 19, INK, "start", True)]
    shapes += _sizes(columns, left, top)
    shapes += _input(rows, columns, left, top)
    shapes += _windows(rows, columns, left, top)
    shapes += _arrow(left + wide, right, top + tall / 2)
    shapes += _output(rows, columns, right, out_top)
    shapes += _legend(rows, columns, left, below)
    return Picture(shapes, width, below + 136, title(rows, columns))


def _sizes(columns: Layer, left: float, top: float) -> list[Shape]:
    """Dimension lines above the input: padding, n, padding."""
    out: list[Shape] = []
    y, start = top - 18, left
    spans = (("p₀ = ", columns.p0), ("n = ", columns.n), ("p₁ = ", columns.p1))
    for name, length in spans:
        if length <= 0:
            continue
        end = start + length * CELL
        out += [
            Line(start + 3, y, end - 3, y, QUIET, 1.2),
            Line(start + 3, y - 4, start + 3, y + 4, QUIET, 1.2),
            Line(end - 3, y - 4, end - 3, y + 4, QUIET, 1.2),
            Words((start + end) / 2, y - 14, f"{name}{length}", 12.5, QUIET),
        ]
        start = end
    return out


def _input(rows: Layer, columns: Layer, left: float, top: float) -> list[Shape]:
    out: list[Shape] = []
    for i, j in product(range(rows.virtual), range(columns.virtual)):
        data = 0 <= i - rows.p0 < rows.n and 0 <= j - columns.p0 < columns.n
        x, y = left + j * CELL, top + i * CELL
        out.append(Rectangle(x, y, CELL, CELL, DATA if data else PADDING, EDGE, 0.8))
        if not data:
            out.append(Words(x + CELL / 2, y + CELL / 2, "v", 13, "#a8a29a"))
    x, y = left + columns.p0 * CELL, top + rows.p0 * CELL
    out.append(Rectangle(x, y, columns.n * CELL, rows.n * CELL, "none", "#3b4754", 2))
    return out


def _windows(rows: Layer, columns: Layer, left: float, top: float) -> list[Shape]:
    """The first window with its taps; the next one, one stride along each axis that has one."""
    out: list[Shape] = []
    if not (rows.out and columns.out):
        return out
    tall, wide = rows.extent * CELL, columns.extent * CELL
    if columns.out > 1:
        x = left + columns.s * CELL
        out.append(Rectangle(x + 3, top + 3, wide - 6, tall - 6, "none", NEXT, 3, True, 5))
        out += _taps(rows, columns, x, top, NEXT, 3.2)
    out.append(Rectangle(left - 2, top - 2, wide + 4, tall + 4, "none", FIRST, 3.5, False, 5))
    out += _taps(rows, columns, left, top, FIRST, 5)
    if columns.out > 1:
        y = top + tall + 14
        out.append(Line(left, y, left + columns.s * CELL, y, INK, 2, True))
        middle = left + columns.s * CELL + 8
        out.append(Rectangle(middle - 3, y - 10, 64, 20, "#ffffff", "none", 0, False, 4))
        out.append(Words(middle, y, f"stride {columns.s}", 13, INK, "start", True))
    return out


def _taps(
    rows: Layer, columns: Layer, left: float, top: float, colour: str, radius: float
) -> list[Shape]:
    """Dots at the taps of output (0, 0) or (0, 1); hollow where a tap reads padding."""
    shift, output = (0, 0) if colour == FIRST else (7, 1)
    down, across = padding_taps(rows, 0), padding_taps(columns, output)
    out: list[Shape] = []
    for r, k in product(range(rows.f), range(columns.f)):
        x = left + (k * columns.d + 0.5) * CELL + shift
        y = top + (r * rows.d + 0.5) * CELL + shift
        out.append(Dot(x, y, radius, colour))
        if down[r] or across[k]:
            out.append(Dot(x, y, 0.6 * radius, PADDING))
    return out


def _arrow(start: float, end: float, y: float) -> list[Shape]:
    return [
        Line(start + 22, y, end - 22, y, INK, 2.5, True),
        Words((start + end) / 2, y - 16, "one output", 12.5, QUIET),
        Words((start + end) / 2, y + 16, "per window", 12.5, QUIET),
    ]


def _output(rows: Layer, columns: Layer, left: float, top: float) -> list[Shape]:
    out: list[Shape] = []
    taps = rows.f * columns.f
    for i, j in product(range(rows.out), range(columns.out)):
        number = seen(rows, columns, i, j)
        x, y = left + j * CELL, top + i * CELL
        out.append(Rectangle(x, y, CELL, CELL, SEES if number else "#ffffff", EDGE, 0.8))
        word = "z" if number == taps else str(number or "0")
        out.append(Words(x + CELL / 2, y + CELL / 2, word, 14, INK if number else "#b6bcc4"))
    marks = [(0, FIRST, False), (1, NEXT, True)][: columns.out]
    for j, colour, dashed in reversed(marks):
        x = left + j * CELL
        out.append(Rectangle(x + 2, top + 2, CELL - 4, CELL - 4, "none", colour, 3, dashed, 4))
    middle = left + columns.out * CELL / 2
    size = f"m = {columns.out}" if rows.n == rows.f == 1 else f"{rows.out} × {columns.out} output"
    out.append(Words(middle, top - 18, size, 14, INK, "middle", True))
    below = top + rows.out * CELL + 16
    out.append(Words(middle, below, f"number: taps of {taps}", 12, QUIET))
    out.append(Words(middle, below + 16, "that read padding", 12, QUIET))
    return out


def _legend(rows: Layer, columns: Layer, left: float, top: float) -> list[Shape]:
    taps = rows.f * columns.f
    entries = [
        (DATA, "#3b4754", "the input: all that is stored"),
        (PADDING, EDGE, "padding: the fill value v, read but never stored"),
        ("#ffffff", FIRST, "the first window, its taps ● (○ reads v), its output"),
        ("#ffffff", NEXT, "the next window, one stride further"),
        (SEES, EDGE, "an output that sees padding"),
    ]
    if any(
        seen(rows, columns, i, j) == taps for i, j in product(range(rows.out), range(columns.out))
    ):
        entries.append((SEES, EDGE, "z: all taps read v, so the output is (Σ w)·v + b"))
    out: list[Shape] = []
    for at, (fill, line, words) in enumerate(entries):
        x, y = left + (at % 2) * 385, top + (at // 2) * 26
        out.append(
            Rectangle(x, y, 18, 18, fill, line, 2.5 if line in (FIRST, NEXT) else 1, line == NEXT)
        )
        out.append(Words(x + 27, y + 9, words, 12.5, INK, "start"))
    out.append(Words(left, top + 102, formula(columns), 15, INK, "start", True))
    return out


def formula(layer: Layer) -> str:
    n, p0, p1, F, s = layer.n, layer.p0, layer.p1, layer.extent, layer.s
    numbers = f"⌊({n} + {p0} + {p1} − {F})/{s}⌋ + 1 = {layer.out}"
    return f"m = ⌊(n + p₀ + p₁ − F)/s⌋ + 1 = {numbers}"


def rows_of_text(rows: Layer, columns: Layer) -> Sequence[str]:
    """The same in characters: [ ] is the first window, ░ padding, □ data, ■ a tap on data."""
    lines = []
    in_first = {(r * rows.d, k * columns.d) for r, k in product(range(rows.f), range(columns.f))}
    for i in range(rows.virtual):
        line = ""
        for j in range(columns.virtual):
            data = 0 <= i - rows.p0 < rows.n and 0 <= j - columns.p0 < columns.n
            tap = (i, j) in in_first
            line += f"[{'□' if data else '░'}]" if tap else f" {'□' if data else '░'} "
        lines.append(line)
    taps = rows.f * columns.f
    start = (rows.virtual - rows.out) // 2
    for i in range(rows.out):
        cells = ""
        for j in range(columns.out):
            number = seen(rows, columns, i, j)
            word = "z" if number == taps else str(number) if number else "·"
            cells += f"[{word}]" if (i, j) == (0, 0) else f" {word} "
        arrow = "   →   " if i == rows.out // 2 else "       "
        lines[start + i] += arrow + cells
    return lines
