"""Draw docs/picture.svg, the picture at the top of the README: python docs/picture.py."""

from __future__ import annotations

from pathlib import Path

CELL = 21
CORE, PAD, KERNEL = 6, 3, 3
FILL = 0.93
GAIN = 0.72 / KERNEL**2  # of each tap; their sum below 1 lets the fill change visibly
WIDTH, HEIGHT = 960, 424
INSIDE, ACROSS, OUTSIDE = "#1a7f37", "#c2410c", "#7c3aed"

Grid = list[list[float]]


def core() -> Grid:
    """A dark ring on a light ground."""
    middle = (CORE - 1) / 2
    radii = [
        [((i - middle) ** 2 + (j - middle) ** 2) ** 0.5 for j in range(CORE)] for i in range(CORE)
    ]
    return [[0.18 if 1 < r < 2.9 else 0.62 for r in row] for row in radii]


def padded(image: Grid, width: int, fill: float) -> Grid:
    side = len(image) + 2 * width
    rows = [[fill] * width + row + [fill] * width for row in image]
    return [[fill] * side] * width + rows + [[fill] * side] * width


def filtered(image: Grid) -> Grid:
    side = range(len(image) - KERNEL + 1)
    taps = [(i, j) for i in range(KERNEL) for j in range(KERNEL)]
    return [[GAIN * sum(image[y + i][x + j] for i, j in taps) for x in side] for y in side]


def colour(value: float) -> str:
    """From deep blue through pale blue to nearly white."""
    dark, light = (23, 58, 99), (240, 244, 248)
    return "rgb({}, {}, {})".format(
        *(round(d + (t - d) * value) for d, t in zip(dark, light, strict=True))
    )


def cells(image: Grid, x: float, y: float) -> list[str]:
    return [
        f'<rect x="{x + j * CELL}" y="{y + i * CELL}" width="{CELL}" height="{CELL}" '
        f'fill="{colour(value)}" stroke="#fff" stroke-width="0.7"/>'
        for i, row in enumerate(image)
        for j, value in enumerate(row)
    ]


def box(x: float, y: float, side: int, stroke: str, width: float = 3, dash: str = "") -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{side * CELL}" height="{side * CELL}" fill="none" '
        f'stroke="{stroke}" stroke-width="{width}" stroke-dasharray="{dash}"/>'
    )


def text(
    x: float, y: float, words: str, size: int = 15, fill: str = "#1f2328", bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="middle"{weight}>'
        f"{words}</text>"
    )


def draw() -> str:
    explicit = padded(core(), PAD, FILL)
    grown = filtered(padded(core(), KERNEL - 1, FILL))
    side, after = len(explicit), len(explicit) - KERNEL + 1
    z = GAIN * KERNEL**2 * FILL
    top, left, middle = 74, 24, 354
    right = WIDTH - 24 - side * CELL + CELL
    pad_after = (after - len(grown)) // 2

    parts = [text(left + side * CELL / 2, 30, "Explicit padding", 18, bold=True)]
    parts += [text(left + side * CELL / 2, 54, f"{side * side} values written to memory")]
    parts += cells(explicit, left, top)

    parts += [text((middle + right + after * CELL) / 2, 30, "Implicit padding", 18, bold=True)]
    parts += [text(middle + side * CELL / 2, 54, f"{CORE * CORE} values, pad {PAD}, fill v")]
    parts += [
        f'<rect x="{middle}" y="{top}" width="{side * CELL}" height="{side * CELL}" '
        f'fill="{colour(FILL)}" opacity="0.45"/>',
        box(middle, top, side, "#8c959f", 1.5, "5 4"),
    ]
    parts += cells(core(), middle + PAD * CELL, top + PAD * CELL)

    shift = top + (side - after) * CELL / 2
    parts += [
        text(right + after * CELL / 2, 54, f"{len(grown) ** 2} values, pad {pad_after}, fill z")
    ]
    parts += [
        f'<rect x="{right}" y="{shift}" width="{after * CELL}" height="{after * CELL}" '
        f'fill="{colour(z)}" opacity="0.6"/>',
        box(right, shift, after, "#8c959f", 1.5, "5 4"),
    ]
    parts += cells(grown, right + pad_after * CELL, shift + pad_after * CELL)

    arrow = middle + side * CELL + 12, top + side * CELL / 2, right - 12
    parts += [
        f'<path d="M{arrow[0]} {arrow[1]} H{arrow[2] - 8}" stroke="#1f2328" stroke-width="2"/>',
        f'<path d="M{arrow[2]} {arrow[1]} l-10 -5 v10 z" fill="#1f2328"/>',
        text((arrow[0] + arrow[2]) / 2, arrow[1] - 12, "conv"),
        text((arrow[0] + arrow[2]) / 2, arrow[1] + 24, "3 × 3"),
    ]
    for (row, column), stroke in (((4, 5), INSIDE), ((7, 1), ACROSS), ((0, 9), OUTSIDE)):
        parts += [box(middle + column * CELL, top + row * CELL, KERNEL, stroke)]
        parts += [box(right + column * CELL, shift + row * CELL, 1, stroke)]

    outside = (
        "A window wholly outside is always z = (Σ w)·v + b: computed once, not once per pixel."
    )
    legend = [
        (INSIDE, "A window inside the image is an ordinary dot product."),
        (ACROSS, "A window across the edge reads v for the pixels that are not there."),
        (OUTSIDE, outside),
    ]
    for k, (stroke, words) in enumerate(legend):
        y = top + side * CELL + 30 + 26 * k
        parts += [
            f'<rect x="{left}" y="{y - 12}" width="14" height="14" fill="none" stroke="{stroke}" '
            'stroke-width="3"/>',
            f'<text x="{left + 26}" y="{y}" font-size="15" fill="#1f2328">{words}</text>',
        ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_name("picture.svg").write_text(draw(), encoding="utf-8")
