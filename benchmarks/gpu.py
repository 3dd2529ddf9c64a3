"""One run on an NVIDIA GPU: tests, ceilings, cuDNN, this library: ``python benchmarks/gpu.py``.

Needs CuPy, and PyTorch with CUDA for the opponents. Every contender is captured in a CUDA graph
and replayed, so that the host's launch cost does not count; cuDNN tunes itself first and may have
its favourite layout, channels last. ``zero`` is convolution with padding of zeros, a different
problem that needs no copy; ``pad`` solves ours by an explicitly padded copy. Every result of ours
is compared with cuDNN's before it is timed. Ratios above 1: implicitpad is faster.

The run keeps to its time budget: what does not fit is left out and counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

FILL = 0.5
BATCHES = (1, 32)
# Name -> storage type, and whether cuDNN may round products to TF32.
PRECISIONS = {
    "fp32": ("float32", False),
    "tf32": ("float32", True),
    "fp16": ("float16", False),
    "bf16": ("bfloat16", False),
}
OURS = ("fp32", "fp16", "bf16")
LAYOUTS = ("first", "last")


@dataclass(frozen=True)
class Layer:
    """One layer: C_in, C_out, spatial sizes, cubic kernel, stride, groups, padding, dilation."""

    name: str
    c: int
    k: int
    size: tuple[int, ...]
    f: int
    stride: int = 1
    groups: int = 1
    pad: int | None = None  # f // 2 if not given
    dilation: int = 1

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def padding(self) -> int:
        return self.dilation * (self.f // 2) if self.pad is None else self.pad

    @property
    def out(self) -> tuple[int, ...]:
        extent = self.dilation * (self.f - 1) + 1
        return tuple((n + 2 * self.padding - extent) // self.stride + 1 for n in self.size)

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        total = self.k * (self.c // self.groups) * self.f**self.rank
        for n in self.out:
            total *= n
        return total


LAYERS = (
    Layer("ResNet stem", 3, 64, (224, 224), 7, 2),
    Layer("ResNet 3x3 56", 64, 64, (56, 56), 3),
    Layer("ResNet 3x3 28", 128, 128, (28, 28), 3),
    Layer("ResNet 3x3 14", 256, 256, (14, 14), 3),
    Layer("ResNet 3x3 7", 512, 512, (7, 7), 3),
    Layer("ResNet 3x3 s2", 128, 256, (28, 28), 3, 2),
    Layer("ResNet 1x1 up", 64, 256, (56, 56), 1),
    Layer("ResNet 1x1 down", 1024, 256, (14, 14), 1),
    Layer("VGG 1_2", 64, 64, (224, 224), 3),
    Layer("VGG 3_2", 256, 256, (56, 56), 3),
    Layer("U-Net 128", 64, 64, (128, 128), 3),
    Layer("U-Net first", 1, 64, (256, 256), 3),
    Layer("DeepLab dilated", 256, 256, (33, 33), 3, dilation=6),
    Layer("ResNeXt grouped", 128, 128, (56, 56), 3, groups=32),
    Layer("ViT patches", 3, 768, (224, 224), 16, 16, pad=0),
    Layer("MobileNet dw 112", 32, 32, (112, 112), 3, groups=32),
    Layer("MobileNet dw s2", 96, 96, (112, 112), 3, 2, groups=96),
    Layer("MobileNet dw 14", 576, 576, (14, 14), 3, groups=576),
    Layer("EfficientNet dw5", 240, 240, (28, 28), 5, groups=240),
    Layer("ConvNeXt dw7", 96, 96, (56, 56), 7, groups=96),
    Layer("Large dw 31", 64, 64, (56, 56), 31, groups=64),
    Layer("1-D k3", 256, 256, (4096,), 3),
    Layer("1-D k9", 128, 128, (8192,), 9),
    Layer("1-D dw k3", 1024, 1024, (4096,), 3, groups=1024),
    Layer("1-D dw k31", 512, 512, (4096,), 31, groups=512),
    Layer("3-D 3x3x3", 32, 32, (32, 32, 32), 3),
    Layer("3-D patches", 3, 1024, (16, 64, 64), 4, 4, pad=0),
    Layer("3-D dw", 64, 64, (32, 32, 32), 3, groups=64),
)
FILTERS = ((4096, 3), (4096, 7), (4096, 15), (1024, 31))  # side of an image, size of the filter


class Budget:
    """A time limit, asked before every measurement."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.end = clock, clock() + seconds
        self.left_out = 0

    def allows(self) -> bool:
        if self.clock() < self.end:
            return True
        self.left_out += 1
        return False


def cases(budget: Budget) -> Iterator[tuple[Layer, int, str]]:
    """Layer, batch size and precision of each comparison, the strict ones first."""
    for precision, n, layer in product(PRECISIONS, BATCHES, LAYERS):
        if budget.allows():
            yield layer, n, precision


def replayed(torch: Any, call: Callable[[], Any], seconds: float = 0.02, rounds: int = 5) -> float:
    """Median seconds of one call, as captured in a graph, over some rounds of replays."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            call()
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))

        def once(replays: int) -> float:
            start.record(stream)
            for _ in range(replays):
                graph.replay()
            stop.record(stream)
            stop.synchronize()
            return start.elapsed_time(stop) / 1000 / replays

        replays = max(1, min(1000, int(seconds / rounds / max(once(3), 1e-7))))
        return statistics.median([once(replays) for _ in range(rounds)])


def ceilings(torch: Any) -> dict[str, float]:
    """Bytes per second of a copy, operations per second of matrix products."""
    source = torch.empty(1 << 28, device="cuda")
    target = torch.empty_like(source)
    found = {"copy bytes/s": 2 * source.nbytes / replayed(torch, lambda: target.copy_(source))}
    for name, (kind, tf32) in PRECISIONS.items():
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a = torch.randn(8192, 8192, device="cuda", dtype=getattr(torch, kind))
        out = torch.empty_like(a)
        taken = replayed(torch, lambda a=a, out=out: torch.matmul(a, a, out=out))
        found[f"{name} matmul op/s"] = 2 * 8192**3 / taken
    return found


class Comparison:
    """The data of one layer on the device, and the contenders that work on it."""

    def __init__(self, torch: Any, layer: Layer, n: int, precision: str) -> None:
        from torch.nn import functional

        self.torch, self.layer = torch, layer
        kind, tf32 = PRECISIONS[precision]
        self.ours = precision in OURS
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = tf32
        self.conv = getattr(functional, f"conv{layer.rank}d")
        self.functional = functional
        generator = torch.Generator("cuda").manual_seed(0)
        options = {"device": "cuda", "generator": generator}
        scale = (layer.c // layer.groups * layer.f**layer.rank) ** -0.5
        w_shape = (layer.k, layer.c // layer.groups, *(layer.f,) * layer.rank)
        self.x = torch.randn((n, layer.c, *layer.size), **options).to(getattr(torch, kind))
        self.w = (scale * torch.randn(w_shape, **options)).to(getattr(torch, kind))
        self.steps = {"stride": layer.stride, "groups": layer.groups, "dilation": layer.dilation}

    def last(self, array: Any) -> Any:
        """The array with its channels adjacent; PyTorch has no name for that in one dimension."""
        formats = {4: self.torch.channels_last, 5: self.torch.channels_last_3d}
        if array.ndim in formats:
            return array.to(memory_format=formats[array.ndim])
        return array.transpose(1, -1).contiguous().transpose(1, -1)

    def zero(self) -> Callable[[], Any]:
        x, w = self.last(self.x), self.last(self.w)
        return lambda: self.conv(x, w, padding=self.layer.padding, **self.steps)

    def pad(self) -> Callable[[], Any]:
        x, w = self.last(self.x), self.last(self.w)
        widths = (self.layer.padding,) * (2 * self.layer.rank)
        padded = self.functional.pad
        return lambda: self.conv(padded(x, widths, value=FILL), w, **self.steps)

    def library(self, layout: str) -> Callable[[], Any]:
        """Ours, planned and with its output in place; on the stream that PyTorch captures."""
        import cupy

        import implicitpad

        x = to_cupy(self.last(self.x) if layout == "last" else self.x)
        w = to_cupy(self.w)
        layers = (implicitpad.Conv1d, implicitpad.Conv2d, implicitpad.Conv3d)
        layer = layers[self.layer.rank - 1](
            w, padding=self.layer.padding, fill_value=FILL, **self.steps
        )
        out = layer(x)

        def call() -> Any:
            with cupy.cuda.ExternalStream(self.torch.cuda.current_stream().cuda_stream):
                return layer(x, out)

        return call

    def difference(self, layout: str) -> float:
        """Largest difference from cuDNN's result on the padded copy, over its largest value."""
        torch = self.torch
        want = self.pad()().float()
        got = self.library(layout)()
        half = got.dtype.name == "bfloat16"
        got = torch.from_dlpack(got.view("int16") if half else got)
        got = (got.view(torch.bfloat16) if half else got).float()
        return float((got - want).abs().max() / want.abs().max())

    def run(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "zero": replayed(self.torch, self.zero()),
            "pad": replayed(self.torch, self.pad()),
        }
        for layout in LAYOUTS if self.ours else ():
            found[f"difference {layout}"] = self.difference(layout)
            found[f"ours {layout}"] = replayed(self.torch, self.library(layout))
        return found


def to_cupy(tensor: Any) -> Any:
    """The same memory as a CuPy array; bfloat16 crosses as 16-bit words."""
    import cupy
    import ml_dtypes
    import torch

    if tensor.dtype == torch.bfloat16:
        return cupy.from_dlpack(tensor.view(torch.int16)).view(ml_dtypes.bfloat16)
    return cupy.from_dlpack(tensor)


def filters() -> list[dict[str, Any]]:
    """One filter over one image: cupyx.scipy.ndimage.correlate beside ours."""
    import cupy
    from cupyx.scipy import ndimage

    import implicitpad

    rows = []
    for side, f in FILTERS:
        image = cupy.random.default_rng(0).random((side, side), dtype=cupy.float32)
        weights = cupy.full((f, f), 1 / f**2, cupy.float32)
        layer = implicitpad.Conv2d(weights[None, None], padding="same", padding_mode="mirror")
        out = layer(image[None])
        want = ndimage.correlate(image, weights, mode="mirror")
        row = {"side": side, "filter": f, "difference": float(abs(out[0] - want).max())}
        for name, call in {
            "cupyx": lambda i=image, w=weights: ndimage.correlate(i, w, mode="mirror"),
            "ours": lambda i=image, layer=layer, out=out: layer(i[None], out),
        }.items():
            row[name] = _events(cupy, call)
        rows.append(row)
    return rows


def _events(cupy: Any, call: Callable[[], Any], repeats: int = 10) -> float:
    """Median seconds of one call between events, launch cost included."""
    call()
    times = []
    for _ in range(repeats):
        start, stop = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        call()
        stop.record()
        stop.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, stop) / 1000)
    return statistics.median(times)


def table(results: list[dict[str, Any]]) -> str:
    """One line per comparison: microseconds, and ours against the opponents."""
    head = f"{'layer':18}{'N':>4} {'type':5}{'zero':>9}{'pad':>9}{'ours':>9}{'/zero':>7}{'/pad':>7}"
    lines = [f"{head}  Top/s"]
    for row in results:
        ours = min((row[key] for key in row if key.startswith("ours")), default=None)
        line = f"{row['name']:18}{row['n']:>4} {row['precision']:5}"
        line += "".join(f"{1e6 * row[key]:>9.1f}" for key in ("zero", "pad"))
        if ours is not None:
            speed = 2e-12 * row["n"] * row["multiply_adds"] / ours
            line += f"{1e6 * ours:>9.1f}{row['zero'] / ours:>7.2f}{row['pad'] / ours:>7.2f}"
            line += f"{speed:>7.2f}"
        lines.append(line)
    return "\n".join(lines)


def correctness(seconds: float) -> str:
    """The last line of the device tests."""
    folder = Path(__file__).parent.parent / "tests" / "gpu"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not finished after {seconds:.0f} s"
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def missing() -> str | None:
    """What keeps this from running, in one sentence."""
    try:
        import cupy
        import torch
    except ImportError as error:
        return f"benchmarks/gpu.py needs CuPy and PyTorch with CUDA: {error}."
    if not (cupy.cuda.is_available() and torch.cuda.is_available()):
        return "benchmarks/gpu.py needs an NVIDIA GPU that CuPy and PyTorch can both use."
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=7.5, help="time budget (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--no-tests", action="store_true", help="skip the correctness suite")
    chosen = parser.parse_args(arguments)
    if (reason := missing()) is not None:
        print(reason, file=sys.stderr)
        return 1
    import torch

    budget = Budget(60 * chosen.minutes)
    report: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    report["cudnn"] = torch.backends.cudnn.version()
    if not chosen.no_tests:
        report["tests"] = correctness(20 * chosen.minutes)
        print("Correctness on the device:", report["tests"], flush=True)
    report["ceilings"] = ceilings(torch)
    report["filters"] = filters()
    report["layers"] = []
    try:  # what was measured is shown even if a later layer fails
        for layer, n, precision in cases(budget):
            figures = Comparison(torch, layer, n, precision).run()
            facts = asdict(layer) | {"n": n, "precision": precision}
            report["layers"].append(facts | {"multiply_adds": layer.multiply_adds} | figures)
            torch.cuda.empty_cache()
    finally:
        report["left out"] = budget.left_out
        for name in ("device", "torch", "cudnn", "ceilings", "filters", "left out"):
            print(f"{name}: {report[name]}")
        print(table(report["layers"]))
        if chosen.json:
            chosen.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
