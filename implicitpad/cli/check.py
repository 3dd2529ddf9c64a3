"""`implicitpad check MODEL`: shapes and costs of a whole model, and which input sizes it takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from implicitpad.model.analysis import Row, analyse
from implicitpad.model.network import ModelError, Network
from implicitpad.model.reading import read
from implicitpad.model.sizes import ValidSizes, valid_sizes

UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--size", metavar="HxW", help="Another input size than the model was written for.")
@click.option("--summary", is_flag=True, help="Leave out the table of layers.")
@click.option("--json", "as_json", is_flag=True)
def check(model: Path, size: str | None, summary: bool, as_json: bool) -> None:
    """Check a model: an ONNX file, or a list of layers in YAML or JSON.

    Prints each layer's output, receptive field, weights, multiply-adds and bytes; the first layer
    that cannot work, with the smallest fix; and for which input sizes n × n the model works.
    The exit status is 1 if it does not work for the size asked.
    """
    try:
        network = read(model)
        sizes = parse(size, len(network.sizes)) if size else network.sizes
        rows, why = analyse(network, sizes)
        valid = valid_sizes(network)
    except ModelError as error:
        raise click.ClickException(str(error)) from None
    except ModuleNotFoundError as error:
        needed = {"yaml": "cli", "onnx": "onnx"}.get(error.name or "", "cli")
        message = f"{model.name} needs {error.name}: pip install 'implicitpad[{needed}]'."
        raise click.ClickException(message) from None
    if as_json:
        click.echo(json.dumps(as_dict(network, sizes, rows, why, valid), indent=2))
    else:
        show(network, sizes, rows, why, valid, summary)
    sys.exit(int(bool(why)))


def parse(size: str, rank: int) -> tuple[int, ...]:
    parts = size.split("x")
    if len(parts) not in (1, rank) or not all(part.isdigit() and int(part) for part in parts):
        raise click.BadParameter(f"{size!r} is no size such as 224 or 224x224", param_hint="--size")
    return tuple(map(int, parts * rank if len(parts) == 1 else parts))


def totals(rows: list[Row]) -> dict[str, int]:
    names = ("parameters", "multiply_adds", "output_bytes", "padded_bytes")
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def as_dict(
    network: Network, sizes: tuple[int, ...], rows: list[Row], why: str, valid: ValidSizes
) -> dict[str, Any]:
    return {
        "model": network.name,
        "input": [network.channels, *sizes],
        "works": not why,
        "error": why or None,
        "layers": [row.as_dict() for row in rows],
        **totals(rows),
        "valid_sizes": str(valid),
    }


def short(number: int) -> str:
    """Three digits and a unit."""
    for unit, name in UNITS:
        if number >= unit:
            return (
                f"{number / unit:.3g} {name}" if number < 100 * unit else f"{number // unit} {name}"
            )
    return str(number) if number else ""


def show(
    network: Network,
    sizes: tuple[int, ...],
    rows: list[Row],
    why: str,
    valid: ValidSizes,
    summary: bool,
) -> None:
    console = Console(highlight=False)
    shape = " × ".join(map(str, (network.channels, *sizes)))
    console.print(Text(f"{network.name}, input {shape}", "bold"))
    if network.source:
        console.print(Text(network.source, "dim"))
    if not summary:
        console.print(table(rows))
    if why:
        console.print(Text(why, "bold red"))
        below, above = valid.nearest(sizes[0])
        near = " and ".join(str(n) for n in (below, above) if n is not None)
        if near:
            console.print(f"The nearest sizes that work are {near}.")
    else:
        sums = totals(rows)
        console.print(
            f"{sums['parameters']:,} parameters, {sums['multiply_adds']:,} multiply-adds; "
            f"outputs take {short(sums['output_bytes'])}B, and copies for explicit padding "
            f"would take {short(sums['padded_bytes']) or '0 '}B more."
        )
    console.print(f"Works for inputs n × n with {valid}.")


def table(rows: list[Row]) -> Table:
    out = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    out.add_column("layer", no_wrap=True)
    headings = ("output", "sees", "weights", "mult-adds", "bytes", "copy")
    for heading in headings:
        out.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.kind in ("activation", "dropout"):
            continue
        numbers = (row.parameters, row.multiply_adds, row.output_bytes, row.padded_bytes)
        out.add_row(row.name, str(row.out), str(row.receptive_field), *map(short, numbers))
    return out
