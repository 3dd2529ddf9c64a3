"""`implicitpad demo`: what padding does to a real picture, in one table and one figure."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import skimage
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from skimage.io import imread
from skimage.util import img_as_float32

import implicitpad as ip
from implicitpad.cli import _diffusion, _figure

FRAME = 16  # width in pixels of "the border" in the table
ROUNDING = 1e-5  # for pictures in [0, 1]: where a row of windows starts may decide the last bits
TITLES = {
    "zeros": "fake zeros in every layer",
    "explicit": "one big explicit padding",
    "implicit": "implicit padding",
}


@dataclass(frozen=True)
class Outcome:
    """One way's picture (C, H, W) and what it cost."""

    result: np.ndarray
    error: np.ndarray  # (H, W): mean absolute error of the channels, in grey levels of 255
    seconds: float
    bytes: int

    @property
    def border_error(self) -> float:
        inside = np.s_[FRAME:-FRAME, FRAME:-FRAME]
        edge = np.ones(self.error.shape, bool)
        edge[inside] = False
        return float(self.error[edge].mean())


def load(path: Path | None, size: int) -> np.ndarray:
    """Read a picture as (3, H, W) float32 in [0, 1]: its middle, at most `size` pixels a side."""
    path = path or Path(skimage.__file__).parent / "data" / "ihc.png"
    try:
        picture = img_as_float32(imread(path))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} is not a picture that can be read: {error}") from None
    smallest = 3 * _diffusion.REACH
    colour = picture.ndim == 3 and picture.shape[2] in (3, 4)
    if not (colour or picture.ndim == 2) or min(picture.shape[:2]) < smallest:
        raise click.ClickException(
            f"{path} has shape {picture.shape}; needed is a grey or colour picture "
            f"of at least {smallest} x {smallest} pixels."
        )
    if not colour:
        picture = np.stack([picture] * 3, axis=-1)
    top, left = (max(0, (n - size) // 2) for n in picture.shape[:2])
    middle = picture[top : top + size, left : left + size, :3]
    return np.ascontiguousarray(middle.transpose(2, 0, 1))


def background(picture: np.ndarray) -> np.ndarray:
    """Estimate the fill, one value per channel: the median of the outermost pixels."""
    edges = [picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]]
    return np.median(np.concatenate(edges, axis=1), axis=1).astype(np.float32)


def run(way: str, problem: Path, truth: np.ndarray) -> Outcome:
    """Run one way in a process of its own, so that its peak memory is its own."""
    result = problem.with_name(f"{way}.npy")
    module = ["-m", "implicitpad.cli._diffusion", way, str(problem), str(result)]
    done = subprocess.run([sys.executable, *module], capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"The run with {TITLES[way]} failed:\n{done.stderr}")
    picture = np.load(result)
    error = 255 * np.abs(picture - truth).mean(axis=0)
    return Outcome(picture, error, **json.loads(done.stdout))


def table(outcomes: dict[str, Outcome]) -> Table:
    """Peak memory, time and error of each way."""
    table = Table(title=f"{len(_diffusion.DILATIONS)} layers of 3×3, image size kept")
    table.add_column("padding")
    for heading in ("peak memory", "time", "error at the border*"):
        table.add_column(heading, justify="right")
    for way, outcome in outcomes.items():
        memory = f"{outcome.bytes / 1e6:.1f} MB" if outcome.bytes else "not measured"
        table.add_row(
            TITLES[way],
            memory,
            f"{1000 * outcome.seconds:.0f} ms",
            f"{outcome.border_error:.1f} / 255",
        )
    table.caption = f"* mean error in the outer {FRAME} pixels against the true continuation"
    return table


def shrinking() -> str:
    """What three 5×5 layers make of 32 pixels: alone, and with a border that they eat."""
    layers = ip.nn.Sequential(*[ip.nn.Conv2d(1, 1, 5) for _ in range(3)])
    image = np.zeros((1, 1, 32, 32), np.float32)
    ((width, _), _) = ip.required_padding(layers, (32, 32))
    rows = {pad: ip.plan(layers, ip.PaddedArray(image, pad)).rows for pad in (0, width)}
    sizes = {pad: [row.layout.size[0] for row in found] for pad, found in rows.items()}
    alone, bordered = (" → ".join(map(str, (32 + 2 * pad, *n))) for pad, n in sizes.items())
    return f"Three 5×5 layers: {alone}; with one border of {width} around the image: {bordered}."


@click.command()
@click.argument("image", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--size", default=1024, show_default=True, help="Use at most SIZE×SIZE pixels.")
@click.option(
    "--output",
    default="implicitpad-demo.png",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to save the figure.",
)
def demo(image: Path | None, size: int, output: Path) -> None:
    """Filter IMAGE (or stained tissue under a microscope) with three kinds of padding.

    The filter sees only the middle of the picture. Its rim is held back: run on the whole
    picture, the same filter needs no padding and tells what the border should have been.
    """
    console = Console()
    reach = _diffusion.REACH
    whole = load(image, size)
    crop = np.ascontiguousarray(whole[:, reach:-reach, reach:-reach])
    fill = background(crop)
    with Progress(console=console, transient=True) as progress, TemporaryDirectory() as folder:
        task = progress.add_task("the right answer", total=len(TITLES) + 2)
        truth = _diffusion.valid(whole, fill)
        problem = Path(folder, "problem.npz")
        np.savez(problem, image=crop, fill=fill)
        outcomes = {}
        for way, title in TITLES.items():
            progress.update(task, advance=1, description=title)
            outcomes[way] = run(way, problem, truth)
        progress.update(task, advance=1, description="the figure")
        pictures = {way: (o.result, o.error) for way, o in outcomes.items()}
        _figure.save(output, whole, truth, fill, pictures)

    zeros, explicit, implicit = outcomes.values()
    apart = float(np.abs(implicit.result - explicit.result).max())
    if not apart <= ROUNDING:
        raise click.ClickException(f"Implicit and explicit padding differ by {apart:.2g}.")
    console.print(table(outcomes))
    console.print(
        f"Implicit padding gave the result of explicit padding "
        f"{f'to within {apart:.0e}' if apart else 'bit for bit'}, and a border "
        f"{zeros.border_error / implicit.border_error:.1f} times closer to the truth than zeros."
    )
    console.print(shrinking())
    console.print(f"Figure: {output.resolve()}", soft_wrap=True)
