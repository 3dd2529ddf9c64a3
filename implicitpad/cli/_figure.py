"""The figure of `implicitpad demo`."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from implicitpad.cli._diffusion import DILATIONS, REACH

Pictures = dict[str, tuple[np.ndarray, np.ndarray]]
MARGIN = 24  # pixels of padding shown around a picture


def distance_profile(error: np.ndarray) -> np.ndarray:
    """Mean of `error` over the pixels at each distance from the border, up to REACH."""
    height, width = error.shape
    rows, columns = np.arange(height), np.arange(width)
    rows, columns = np.minimum(rows, rows[::-1]), np.minimum(columns, columns[::-1])
    distance = np.minimum(rows[:, None], columns).ravel()
    return (np.bincount(distance, error.ravel()) / np.bincount(distance))[:REACH]


def draw_input(axes: Axes, whole: np.ndarray) -> None:
    """The whole picture, faded where the filter may not look."""
    height, width = whole.shape[1:]
    faded = 0.35 * whole + 0.65
    seen = np.s_[:, REACH:-REACH, REACH:-REACH]
    faded[seen] = whole[seen]
    axes.imshow(faded.transpose(1, 2, 0))
    box = (REACH, REACH), width - 2 * REACH, height - 2 * REACH
    axes.add_patch(Rectangle(*box, fill=False, linewidth=2))
    axes.set_title("The picture: the filter is given\nonly the part inside the box")


def draw_result(axes: Axes, picture: np.ndarray, title: str, padding: np.ndarray | None) -> None:
    """A result, and around it what it took to lie beyond its edge."""
    height, width = picture.shape[1:]
    axes.imshow(np.clip(picture.transpose(1, 2, 0), 0, 1))
    axes.set_title(title)
    if padding is not None:
        axes.set_facecolor(tuple(padding))
        axes.set_xlim(-MARGIN, width + MARGIN)
        axes.set_ylim(height + MARGIN, -MARGIN)
        box = (-0.5, -0.5), width, height
        axes.add_patch(Rectangle(*box, fill=False, color="white", linestyle=":", linewidth=1.5))


def draw_profile(axes: Axes, ways: Pictures) -> None:
    """How the errors fall with the distance from the border."""
    for way, label, colour in (
        ("zeros", "fake zeros in every layer", "tab:red"),
        ("implicit", "implicit padding (= one big explicit padding)", "tab:blue"),
    ):
        axes.plot(distance_profile(ways[way][1]), label=label, color=colour, linewidth=2.5)
    axes.set_title("How far the error reaches into the picture")
    axes.set_xlabel("distance from the border, in pixels")
    axes.set_ylabel("mean error, in grey levels of 255")
    axes.set_xlim(0, REACH - 1)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def save(
    path: Path, whole: np.ndarray, truth: np.ndarray, fill: np.ndarray, ways: Pictures
) -> None:
    """Draw pictures (C, H, W) above, their errors in grey levels (H, W) below; write an image."""
    with mpl.rc_context({"font.size": 12, "axes.titlesize": 14}):
        figure = Figure(figsize=(18, 9.6), layout="constrained")
        grid = figure.add_gridspec(2, 4)
        figure.suptitle(
            f"A smoothing filter of {len(DILATIONS)} layers looks up to {REACH} pixels beyond the "
            "edge of its picture. What should it find there?",
            fontsize=19,
        )
        above = [figure.add_subplot(grid[0, k]) for k in range(4)]
        below = [figure.add_subplot(grid[1, k]) for k in (2, 3)]
        draw_input(above[0], whole)
        title = "The right answer: filtered with\nthe whole picture in sight"
        draw_result(above[1], truth, title, None)
        title = "Fake zeros in every layer:\nthe edges turn dark"
        draw_result(above[2], ways["zeros"][0], title, np.zeros(3))
        title = "Implicit padding with the median colour\nof the border: no dark edges"
        draw_result(above[3], ways["implicit"][0], title, fill)
        top = float(np.quantile(ways["zeros"][1], 0.99)) or 1
        for axes, way in zip(below, ("zeros", "implicit"), strict=True):
            shown = axes.imshow(ways[way][1], vmin=0, vmax=top, cmap="magma_r")
        below[0].set_title("Error of fake zeros")
        below[1].set_title("Error of implicit padding")
        bar = figure.colorbar(shown, ax=below, extend="max")
        bar.set_label("distance from the right answer,\nin grey levels of 255")
        for axes in (*above, *below):
            axes.set(xticks=[], yticks=[])
        draw_profile(figure.add_subplot(grid[1, :2]), ways)
        figure.savefig(path, dpi=100)
