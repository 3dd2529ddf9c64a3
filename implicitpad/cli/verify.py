"""`implicitpad verify`: prove the formulas, and compare them with everything that computes them."""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import groupby

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from implicitpad.spec.verification import ABSENT, CHECKED, PROVED, Result, run, tasks

STYLE = {PROVED: "green", CHECKED: "cyan", ABSENT: "dim"}


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only results whose name holds NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of results as JSON.")
@click.option(
    "--jobs", type=click.IntRange(1), default=min(2, os.cpu_count() or 1), show_default=True
)
def verify(only: tuple[str, ...], as_json: bool, jobs: int) -> None:
    """Prove every formula, then check it against counting, the kernels and the public functions.

    "proved" holds for all values: every step carries a certificate that was multiplied out.
    "checked" was compared at that many settings.  The exit status is 1 if anything disagrees.
    """
    start = time.perf_counter()
    known = [name for name, _ in tasks(only)]
    if not known:
        raise click.BadParameter(f"no result is called {', '.join(only)}", param_hint="--only")
    results = collect(only, len(known), 1 if len(known) < 4 else jobs, quiet=as_json)
    if as_json:
        click.echo(
            json.dumps([result.as_dict() for result in results], ensure_ascii=False, indent=2)
        )
    else:
        show(results, time.perf_counter() - start)
    sys.exit(int(not all(result.ok for result in results)))


def collect(only: tuple[str, ...], number: int, jobs: int, quiet: bool) -> list[Result]:
    """All results, with a progress bar on standard error."""
    columns = TextColumn("{task.description:26}"), BarColumn(), MofNCompleteColumn()
    results: list[Result] = []
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet) as progress:
        bar = progress.add_task("starting", total=number)
        for found in run(only, jobs):
            results += found
            progress.update(bar, advance=1, description=found[0].name if found else "")
    return results


def show(results: list[Result], seconds: float) -> None:
    """The table, one row for a name and status; then what failed, and a summary."""
    console = Console()
    wide = console.width >= 130
    table = Table(title="Formulas of implicit padding", header_style="bold", box=SIMPLE_HEAD)
    table.add_column("result", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("instances", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("compared with", overflow="fold")
    if wide:
        table.add_column(
            "statement", overflow="ellipsis", no_wrap=True, max_width=console.width - 95
        )
    for (name, status), group in groupby(results, key=lambda result: (result.name, result.status)):
        rows = list(group)
        missing = status == ABSENT
        row: list[Text | str] = [
            Text(name),
            Text(status, style=STYLE.get(status, "bold red")),
            "" if missing else f"{sum(row.instances for row in rows):,}",
            "" if missing else f"{sum(row.seconds for row in rows):.2f}",
            Text(rows[0].statement if missing else ", ".join(row.against for row in rows)),
        ]
        table.add_row(*row, *([Text(rows[0].statement)] if wide and not missing else []))
    console.print(table)
    for result in results:
        if not result.ok:
            at = result.counterexample or "no evidence was found for it, nor an instance against it"
            console.print(
                Text(f"{result.name}, {result.against}: {result.status}. {at}", "bold red")
            )
    counts = [sum(result.status == status for result in results) for status in (PROVED, CHECKED)]
    instances = sum(result.instances for result in results)
    bad = sum(not result.ok for result in results)
    console.print(
        f"{counts[0]} proved, {counts[1]} comparisons checked, {instances:,} instances, "
        f"{bad} disagree; {seconds:.1f} s"
    )
