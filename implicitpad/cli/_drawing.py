"""Rectangles, lines, dots and words, written as SVG or as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

FONT = "Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    line: str = "none"
    thick: float = 1
    dashed: bool = False
    round: float = 0


@dataclass(frozen=True)
class Line:
    x0: float
    y0: float
    x1: float
    y1: float
    line: str
    thick: float = 1.5
    arrow: bool = False


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    fill: str


@dataclass(frozen=True)
class Words:
    x: float
    y: float  # of the middle of the line
    text: str
    size: float = 14
    fill: str = "#222222"
    anchor: str = "middle"  # start, middle, end
    bold: bool = False


Shape = Rectangle | Line | Dot | Words


def head(line: Line, size: float = 7) -> list[Line]:
    """The two strokes of an arrow's head."""
    dx, dy = line.x1 - line.x0, line.y1 - line.y0
    length = (dx * dx + dy * dy) ** 0.5
    dx, dy = size * dx / length, size * dy / length
    ends = ((-dx + 0.6 * dy, -dy - 0.6 * dx), (-dx - 0.6 * dy, -dy + 0.6 * dx))
    plain = replace(line, arrow=False)
    return [replace(plain, x0=line.x1 + a, y0=line.y1 + b) for a, b in ends]


def strokes(shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes, with arrows written as lines."""
    out: list[Shape] = []
    for shape in shapes:
        out.append(shape)
        if isinstance(shape, Line) and shape.arrow:
            out += head(shape)
    return out


def _element(shape: Shape) -> str:
    if isinstance(shape, Rectangle):
        dash = ' stroke-dasharray="6 4"' if shape.dashed else ""
        return (
            f'<rect x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" '
            f'height="{shape.height:g}" rx="{shape.round:g}" fill="{shape.fill}" '
            f'stroke="{shape.line}" stroke-width="{shape.thick:g}"{dash}/>'
        )
    if isinstance(shape, Line):
        return (
            f'<line x1="{shape.x0:g}" y1="{shape.y0:g}" x2="{shape.x1:g}" y2="{shape.y1:g}" '
            f'stroke="{shape.line}" stroke-width="{shape.thick:g}" stroke-linecap="round"/>'
        )
    if isinstance(shape, Dot):
        return (
            f'<circle cx="{shape.x:g}" cy="{shape.y:g}" r="{shape.radius:g}" fill="{shape.fill}"/>'
        )
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{shape.x:g}" y="{shape.y + 0.35 * shape.size:g}" font-size="{shape.size:g}" '
        f'fill="{shape.fill}" text-anchor="{shape.anchor}"{weight}>{escape(shape.text)}</text>'
    )


def svg(shapes: Sequence[Shape], width: float, height: float, title: str) -> str:
    """A complete SVG document."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="{FONT}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        *map(_element, strokes(shapes)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def png(shapes: Sequence[Shape], width: float, height: float, path: Path) -> None:
    """The same picture by Matplotlib, two pixels to a unit."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, FancyBboxPatch

    figure = Figure(figsize=(width / 100, height / 100), dpi=200)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    points = 0.72  # of a unit
    for order, shape in enumerate(strokes(shapes)):
        if isinstance(shape, Rectangle):
            box = FancyBboxPatch(
                (shape.x, shape.y),
                shape.width,
                shape.height,
                boxstyle=f"round,pad=0,rounding_size={shape.round}",
                facecolor=shape.fill,
                edgecolor=shape.line,
                linewidth=points * shape.thick,
                linestyle=(0, (5, 3)) if shape.dashed else "-",
                zorder=order,
            )
            axes.add_patch(box)
        elif isinstance(shape, Line):
            span = [shape.x0, shape.x1], [shape.y0, shape.y1]
            axes.plot(*span, color=shape.line, linewidth=points * shape.thick, zorder=order)
        elif isinstance(shape, Dot):
            dot = Circle((shape.x, shape.y), shape.radius, facecolor=shape.fill, zorder=order)
            axes.add_patch(dot)
        else:
            axes.text(
                shape.x,
                shape.y,
                shape.text,
                fontsize=points * shape.size,
                color=shape.fill,
                ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                va="center",
                weight="bold" if shape.bold else "normal",
                zorder=order,
            )
    figure.savefig(path)
