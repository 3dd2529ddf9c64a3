"""An edge-aware smoothing filter as a stack of 3x3 convolutions, and three ways to pad it.

    u'(x) = u(x) + STEP * sum_k weight_k * clip(u(x + d*k) - u(x), -CLIP, CLIP)

Every layer moves a pixel towards its eight neighbours k, d pixels away; a difference beyond CLIP
counts as CLIP, so that edges blur less than noise. This is diffusion with a bounded influence
function (P. Perona and J. Malik, Scale-space and edge detection using anisotropic diffusion, 1990,
doi:10.1109/34.56205; M. J. Black et al., Robust anisotropic diffusion, 1998, doi:10.1109/83.661192)
over growing and shrinking dilations. Written as a network: 9C channels hold the image (C) and its
eight differences (8C); a layer forms the new image and its differences in one convolution.

Run as a module, it does one of the three ways and reports its own time and peak memory.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import implicitpad as ip

DILATIONS = (1, 2, 4, 8, 16, 8, 4, 2, 1, 1)
REACH = sum(DILATIONS)  # how far a result looks beyond its own pixel, in pixels
STEP = 0.9
CLIP = 0.2

NEIGHBOURS = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]


def weights(channels: int) -> list[np.ndarray]:
    """Weights of the layers, each (C_out, C_in, 3, 3): C -> 9C -> ... -> 9C -> C channels."""
    each = np.eye(channels)
    differences = np.zeros((9, 3, 3))  # the image, then its eight differences
    differences[0, 1, 1] = 1
    for k, (i, j) in enumerate(NEIGHBOURS, start=1):
        differences[k, i, j], differences[k, 1, 1] = 1, -1
    nearness = np.array([1 / ((i - 1) ** 2 + (j - 1) ** 2) for i, j in NEIGHBOURS])
    update = np.array([1, *(STEP * nearness / nearness.sum())])
    blur = np.outer([1, 2, 1], [1, 2, 1]) / 16

    first = np.einsum("kij,cd->kcdij", differences, each)
    inner = np.einsum("kij,l,cd->kcldij", differences, update, each)
    last = np.einsum("ij,l,cd->cldij", blur, update, each)
    shapes = [(9 * channels, channels), (9 * channels, 9 * channels), (channels, 9 * channels)]
    first, inner, last = (
        w.reshape(*shape, 3, 3).astype(np.float32)
        for w, shape in zip((first, inner, last), shapes, strict=True)
    )
    return [first, *[inner] * (len(DILATIONS) - 2), last]


def activate(x: np.ndarray, channels: int) -> np.ndarray:
    """Clip the differences, which follow the image's own channels, in place."""
    np.clip(x[channels:], -CLIP, CLIP, out=x[channels:])
    return x


def valid(image: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """No padding: the image loses REACH pixels on each side."""
    for weight, dilation in zip(weights(len(image)), DILATIONS, strict=True):
        image = activate(ip.conv2d(image, weight, dilation=dilation), len(fill))
    return image


def zeros(image: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Fake zeros around the input of every layer."""
    for weight, dilation in zip(weights(len(image)), DILATIONS, strict=True):
        image = ip.conv2d(image, weight, padding=dilation, dilation=dilation)
        activate(image, len(fill))
    return image


def explicit(image: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """One large canvas of the fill, written once, which the layers then use up."""
    channels, height, width = image.shape
    canvas = np.empty((channels, height + 2 * REACH, width + 2 * REACH), image.dtype)
    canvas[:] = fill[:, None, None]
    canvas[:, REACH:-REACH, REACH:-REACH] = image
    return valid(canvas, fill)


def implicit(image: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """The same canvas with its border as a width and a fill, which the layers carry along."""
    canvas = ip.PaddedArray(image, [(REACH, REACH)] * 2, fill)
    for weight, dilation in zip(weights(len(image)), DILATIONS, strict=True):
        canvas = ip.conv2d(canvas, weight, dilation=dilation)
        for part in (canvas.core, canvas.fill):
            activate(part, len(fill))
    return canvas.materialize()


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "zeros": zeros,
    "explicit": explicit,
    "implicit": implicit,
}


def peak_bytes() -> int:
    """Largest memory this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count the parent from before exec
        (line,) = [s for s in status.read_text().splitlines() if s.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(way: str, problem: Path, result: Path) -> dict[str, float]:
    """Run one way: seconds (best of five) and bytes beyond those held before the first run."""
    with np.load(problem) as data:
        image, fill = data["image"], data["fill"]
    run = WAYS[way]
    run(image[:, : 2 * REACH, : 2 * REACH], fill)  # threads and code are loaded before counting
    before = peak_bytes()
    np.save(result, run(image, fill))
    peak = peak_bytes() - before
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        run(image, fill)
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds), "bytes": peak}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
