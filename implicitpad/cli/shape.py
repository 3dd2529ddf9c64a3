"""`implicitpad shape`: the size of a layer's output, derived; or the setting that is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from implicitpad.spec.inverse import Solutions, solve
from implicitpad.spec.worked import Layer, Line, derivation, inverse, named_widths

PLACEMENTS = 10  # shown at most
NAMES = ("valid", "same", "same_lower", "full", "causal")


def per_axis(text: str | None) -> list[str]:
    return text.split("x") if text else []


def whole(token: str, name: str, least: int = 1) -> int:
    try:
        number = int(token)
    except ValueError:
        raise click.BadParameter(f"{token!r} is no whole number", param_hint=f"--{name}") from None
    if number < least:
        raise click.BadParameter(f"{number} is less than {least}", param_hint=f"--{name}")
    return number


def widths(token: str, n: int, f: int, s: int, d: int) -> tuple[int, int]:
    """(before, after) of --p: a number, BEFORE,AFTER, or a name."""
    if token in NAMES:
        return named_widths(token, n, f, s, d)
    before, _, after = token.partition(",")
    least = -n
    return whole(before, "p", least), whole(after or before, "p", least)


@click.command()
@click.option("--n", help="Input size; several axes as 28x28.")
@click.option("--f", help="Kernel size; ? to solve for it.")
@click.option("--p", help=f"Padding: a width, BEFORE,AFTER, or one of {', '.join(NAMES)}.  [0]")
@click.option("--s", default="1", show_default=True, help="Stride; ? to solve for it.")
@click.option("--d", default="1", show_default=True, help="Dilation; ? to solve for it.")
@click.option("--out", help="Output size; then one of n, f, p, s, d may be left out, or be ?.")
@click.option("--same", is_flag=True, help="The padding that gives ⌈n/s⌉ outputs.")
@click.option("--ceil", is_flag=True, help="Ceil mode: a window may run off the end.")
@click.option("--json", "as_json", is_flag=True)
def shape(
    n: str | None,
    f: str | None,
    p: str | None,
    s: str,
    d: str,
    out: str | None,
    same: bool,
    ceil: bool,
    as_json: bool,
) -> None:
    """Output size of a layer with the derivation; or which settings give an output size.

    \b
    implicitpad shape --n 28 --f 3 --p 1 --s 2
    implicitpad shape --n 28 --f 3 --s 2 --out 14        which padding?
    implicitpad shape --n 28 --f 3 --p 1 --s ? --out 14  which stride?
    implicitpad shape --n 224x224 --f 7 --s 2 --same
    """
    given = {"n": n, "f": f, "p": "same" if same else p, "s": s, "d": d, "out": out}
    tokens = {name: per_axis(text) for name, text in given.items()}
    rank = max(map(len, tokens.values()))
    if any(len(each) not in (0, 1, rank) for each in tokens.values()):
        raise click.UsageError("every option needs one number, or one for each axis")
    axes = [
        {name: each[at if len(each) > 1 else 0] for name, each in tokens.items() if each}
        for at in range(rank)
    ]
    answers = [backward(axis) if out else forward(axis, ceil) for axis in axes]
    if as_json:
        found = [as_dict(answer) for answer in answers]
        click.echo(json.dumps(found if rank > 1 else found[0], indent=2))
    else:
        show(answers)
    sys.exit(int(not all(map(works, answers))))


def works(answer: Layer | Solutions) -> bool:
    return answer.out > 0 if isinstance(answer, Layer) else bool(answer)


def forward(axis: dict[str, str], ceil: bool) -> Layer:
    if "n" not in axis or "f" not in axis:
        raise click.UsageError("--n and --f are needed, or --out with all but one of n, f, p, s, d")
    n, f, s, d = (whole(axis[name], name) for name in "nfsd")
    before, after = widths(axis.get("p", "0"), n, f, s, d)
    return Layer(n, f, s, d, before, after, ceil)


def backward(axis: dict[str, str]) -> Solutions:
    unknown = [name for name in "nfpsd" if axis.get(name, "?") == "?"]
    if len(unknown) != 1:
        names = ", ".join(unknown) or "none"
        message = f"with --out exactly one of n, f, p, s, d must be unknown; {names} is"
        raise click.UsageError(message + ("" if unknown else ": write ? for one"))
    settings = {name: whole(axis[name], name) for name in "nfsd" if name != unknown[0]}
    if unknown[0] != "p":
        if axis["p"] in NAMES:
            raise click.UsageError("--p must be a width here: a named padding depends on the rest")
        settings["P"] = sum(widths(axis["p"], 0, 1, 1, 1))
    return solve(whole(axis["out"], "out"), **settings)


def as_dict(answer: Layer | Solutions) -> dict[str, Any]:
    if isinstance(answer, Layer):
        return answer.as_dict()
    name = {"P": "p"}.get(answer.unknown, answer.unknown)
    found = {"unknown": name, "low": answer.low, "high": answer.high, "exists": bool(answer)}
    return {**dict(answer.settings), "out": answer.out, **found}


def show(answers: list[Layer | Solutions]) -> None:
    console = Console()
    for at, answer in enumerate(answers):
        if len(answers) > 1:
            console.print(f"axis {at}", style="bold")
        lines = derivation(answer) if isinstance(answer, Layer) else inverse(answer)
        console.print(table_of(lines))
        if isinstance(answer, Solutions) and answer.unknown == "P" and answer:
            console.print(table_of_placements(answer))
    if len(answers) > 1 and all(isinstance(answer, Layer) for answer in answers):
        console.print("output  " + " × ".join(str(answer.out) for answer in answers), style="bold")


def table_of(lines: Iterable[Line]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for line in lines:
        table.add_row(Text(line.formula), Text(line.numbers, "bold"), Text(line.because, "dim"))
    return table


def table_of_placements(found: Solutions) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("before", "after", "data never read"):
        table.add_column(heading, justify="right")
    table.add_column("")
    best, n, s = found.low, found.settings["n"], found.settings["s"]
    halves = best // 2, best - best // 2
    for before, after, unread in islice(found.placements(), PLACEMENTS):
        word = f"padding={before}" if before == after else ""
        if found.out == -(-n // s) and before + after == best and before != after:
            word = {halves: "same", halves[::-1]: "same_lower"}.get((before, after), "")
        table.add_row(str(before), str(after), str(unread or "none"), word)
    return table
