"""A U-Net on a microscope image whose background is constant: the border implicit and explicit.

The image of a cell is found to be a core on a grey background, which the border continues: by the
92 positions that a U-Net takes from each side, and then by more, for outputs of the cell's
surroundings. Run ``python examples/unet.py``; it prints a table and writes
a figure. Needs scikit-image, which brings the image, and matplotlib.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage
from skimage.io import imread

import implicitpad as ip
from implicitpad.nn import networks

# Of the output, out of those that a U-Net of depth 4 gives: the image, and a larger field.
SIZES = (660, 564), (1668, 1572)
TITLES = {"implicit": "implicit", "explicit": "explicit", "zeros": "zeros in every layer"}
# Pooling windows of the U-Net that pads every layer lie as those of the other one when its input
# starts so many positions inside the output of the other one; its sides are multiples of 16.
SHIFT = 2
TOLERANCE = 25  # grey levels by which the background varies


def cell(size: tuple[int, int]) -> ip.PaddedArray:
    """The image as core and background, in units of the latter, bordered for `size` outputs."""
    image = imread(Path(skimage.__file__).parent / "data" / "cell.png")[None, None]
    found = ip.PaddedArray.infer(image, tolerance=TOLERANCE)
    border = ip.required_padding(networks.unet(), size, image.shape[2:])
    return found.extend(border).astype(np.float32) / np.float32(found.fill.item())


def run(way: str, size: tuple[int, int], width: int, result: Path) -> dict[str, float]:
    """One forward pass; seconds, and bytes at the peak beyond those before it."""
    rng = np.random.default_rng(0)
    padding = 1 if way == "zeros" else 0
    network = networks.unet(width=width, padding=padding, rng=rng)
    network(
        np.ones((1, 1, 188, 188) if not padding else (1, 1, 16, 16), np.float32)
    )  # draw weights
    x = cell(size)
    before = _peak()
    start = time.perf_counter()
    if way == "implicit":
        y = network(x)
    elif way == "explicit":
        y = network(x.materialize())
    else:
        top, left = ((total - n) // 2 + SHIFT for total, n in zip(x.shape[2:], size, strict=True))
        height, width = (n // 16 * 16 for n in size)
        y = network(x[..., top : top + height, left : left + width].materialize())
    seconds = time.perf_counter() - start
    peak = _peak()
    np.save(result, np.asarray(y))
    core = y.core.shape[2:] if isinstance(y, ip.PaddedArray) else y.shape[2:]
    return {"seconds": seconds, "bytes": peak - before, "core": list(core)}


def _peak() -> int:
    """Largest memory this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count the parent from before exec
        (line,) = [s for s in status.read_text().splitlines() if s.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def figure(path: Path, results: dict[str, np.ndarray]) -> None:
    """The image with its core outlined, the output, and what zeros in every layer change."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    x = cell(SIZES[0])
    fig, axes = plt.subplots(1, 3, figsize=(13, 5), layout="constrained")
    axes[0].imshow(np.asarray(x)[0, 0], cmap="gray")
    rows, columns = x.spans
    outline = {"fill": False, "lw": 1.5}
    corner = (columns.before, rows.before)
    axes[0].add_patch(Rectangle(corner, columns.size, rows.size, ec="tab:red", **outline))
    axes[0].add_patch(Rectangle((92, 92), *reversed(SIZES[0]), ec="tab:blue", ls="--", **outline))
    axes[0].set_title("memory holds what is inside red;\nthe output covers what is inside blue")
    same, zeros = results["implicit"][0, 0], results["zeros"][0, 0]
    axes[1].imshow(same, cmap="magma")
    axes[1].set_title("output, equal for implicit and explicit border")
    difference = np.abs(zeros - same[SHIFT:, SHIFT:][: zeros.shape[0], : zeros.shape[1]])
    shown = axes[2].imshow(difference, cmap="magma", vmax=np.quantile(difference, 0.99))
    axes[2].set_title("what zeros in every layer change")
    fig.colorbar(shown, ax=axes[2], shrink=0.7)
    for axis in axes:
        axis.set_axis_off()
    fig.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=16, help="channels of the first level (64)")
    parser.add_argument("--output", type=Path, default=Path("unet.png"))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        way, number, result = options.one
        print(json.dumps(run(way, SIZES[int(number)], options.width, Path(result))))
        return
    x = cell(SIZES[0])
    print(x)
    print(ip.plan(networks.unet(width=options.width), x))
    print(f"\n{'output':<12}{'border':<22}{'time':>8}{'memory':>10}   core of the output")
    results = {}
    with TemporaryDirectory() as folder:
        for number, size in reversed(list(enumerate(SIZES))):
            for way in ("implicit", "explicit", "zeros"):
                path = Path(folder, f"{way}.npy")
                command = [sys.executable, __file__, "--width", str(options.width)]
                command += ["--one", way, str(number), str(path)]
                found = json.loads(subprocess.check_output(command))
                results[way] = np.load(path)
                sides, core = ("×".join(map(str, n)) for n in (size, found["core"]))
                print(
                    f"{sides:<12}{TITLES[way]:<22}{found['seconds']:6.2f} s"
                    f"{found['bytes'] / 1e6:7.0f} MB   {core}"
                )
            scale = np.abs(results["explicit"]).max()
            error = np.abs(results["implicit"] - results["explicit"]).max() / scale
            print(f"{'':<12}implicit and explicit differ by {error:.1e} of the largest output")
            if error > 1e-5:
                sys.exit("implicit and explicit borders differ")
    figure(options.output, results)
    print(f"figure: {options.output.resolve()}")


if __name__ == "__main__":
    main()
