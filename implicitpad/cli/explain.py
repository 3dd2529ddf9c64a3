"""`implicitpad explain`: a picture of windows, stride, dilation, padding, and who sees padding."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from implicitpad.spec.worked import Layer

from ._drawing import png, svg
from ._window_picture import formula, picture, rows_of_text, title
from .shape import forward, per_axis

LARGEST = 40  # cells along an axis


@click.command()
@click.option("--n", default="7x7", show_default=True, help="Input size: 7x7, or 7 for one axis.")
@click.option("--f", default="3", show_default=True, help="Kernel size.")
@click.option(
    "--p", default="1", show_default=True, help="Padding: a width, BEFORE,AFTER or a name."
)
@click.option("--s", default="2", show_default=True, help="Stride.")
@click.option("--d", default="1", show_default=True, help="Dilation.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it to FILE.svg or FILE.png."
)
def explain(n: str, f: str, p: str, s: str, d: str, output: Path | None) -> None:
    """Draw a layer: which positions a window reads, and which outputs see padding.

    \b
    implicitpad explain --n 7x7 --f 3 --s 2 --p 1 -o layer.svg
    implicitpad explain --n 10 --f 3 --d 2 --p full
    """
    tokens = {"n": n, "f": f, "p": p, "s": s, "d": d}
    sizes = {name: per_axis(text) for name, text in tokens.items()}
    rank = max(map(len, sizes.values()))
    if rank > 2 or any(len(each) not in (1, rank) for each in sizes.values()):
        raise click.UsageError("explain draws one axis or two: 7 or 7x7")
    axes = [
        forward({name: each[at if len(each) > 1 else 0] for name, each in sizes.items()}, False)
        for at in range(rank)
    ]
    if rank == 1:
        axes.insert(0, forward({"n": "1", "f": "1", "p": "0", "s": "1", "d": "1"}, False))
    rows, columns = axes
    if max(rows.virtual, columns.virtual) > LARGEST:
        raise click.UsageError(f"with its padding the input has more than {LARGEST} positions")
    if min(rows.p0, rows.p1, columns.p0, columns.p1) < 0:
        raise click.UsageError("explain draws no negative padding")
    if not (rows.out and columns.out):
        raise click.ClickException("no window fits: the kernel is larger than the padded input")
    if output is None:
        show(rows, columns)
        return
    drawn = picture(rows, columns)
    if output.suffix == ".png":
        png(drawn.shapes, drawn.width, drawn.height, output)
    elif output.suffix == ".svg":
        document = svg(drawn.shapes, drawn.width, drawn.height, drawn.title)
        output.write_text(document, encoding="utf-8")
    else:
        raise click.BadParameter("the name must end in .svg or .png", param_hint="--output")
    click.echo(f"{drawn.title}: {output}")


def show(rows: Layer, columns: Layer) -> None:
    console = Console(highlight=False)
    console.print(title(rows, columns), style="bold")
    console.print()
    for line in rows_of_text(rows, columns):
        console.print(line, markup=False, no_wrap=True, overflow="ignore")
    taps = rows.f * columns.f
    console.print()
    console.print("□ input   ░ padding: fill value v, never stored   [ ] tap of the first window")
    console.print(f"numbers: how many of an output's {taps} taps read padding   z: all of them")
    console.print(formula(columns))
