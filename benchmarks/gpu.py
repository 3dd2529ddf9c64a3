"""One run on an NVIDIA GPU: tests, ceilings, cuDNN, this library: ``python benchmarks/gpu.py``.

Needs CuPy, and PyTorch with CUDA for the opponents. Every contender is captured in a CUDA graph
and replayed, so that the host's launch cost does not count. PyTorch chooses among cuDNN's and its
own kernels after trying them, in both layouts for single precision, of which the faster counts.
``zero`` is convolution with padding of zeros, a different problem that needs no copy; ``pad``
solves ours by an explicitly padded copy. Every result of ours is compared with theirs. Ratios
above 1: implicitpad is faster.

The run keeps to its time budget: what does not fit is left out and counted. A contender that fails
is reported and the rest goes on. The exit status is 0 if all tests passed, nothing failed and no
result was wrong.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from gpu_layers import (
    BATCHES,
    FILL,
    FILTERS,
    LAYERS,
    LAYOUTS,
    OPPONENTS,
    OURS,
    PRECISIONS,
    Layer,
    problems,
    summary,
    table,
)

FILTER_LIMIT = 1e-4  # difference from cupyx's result, whose values are means of numbers below 1


class DeviceLost(RuntimeError):
    """An error after which nothing runs on the device any more."""


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
    torch.cuda.synchronize()
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

    def __init__(
        self, torch: Any, layer: Layer, n: int, precision: str, device: str = "cuda"
    ) -> None:
        from torch.nn import functional

        self.torch, self.layer, self.precision = torch, layer, precision
        kind, tf32 = PRECISIONS[precision]
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = tf32
        self.conv = getattr(functional, f"conv{layer.rank}d")
        self.functional = functional
        options = {"device": device, "generator": torch.Generator(device).manual_seed(0)}
        scale = (layer.c // layer.groups * layer.f**layer.rank) ** -0.5
        w_shape = (layer.k, layer.c // layer.groups, *(layer.f,) * layer.rank)
        self.x = torch.randn((n, layer.c, *layer.size), **options).to(getattr(torch, kind))
        self.w = (scale * torch.randn(w_shape, **options)).to(getattr(torch, kind))
        self.steps = {"stride": layer.stride, "groups": layer.groups, "dilation": layer.dilation}

    def laid_out(self, array: Any, layout: str) -> Any:
        """With adjacent channels, for layout "last"; PyTorch has no name for that in 1-D."""
        formats = {4: self.torch.channels_last, 5: self.torch.channels_last_3d}
        if layout == "first":
            return array
        if array.ndim in formats:
            return array.to(memory_format=formats[array.ndim])
        return array.transpose(1, -1).contiguous().transpose(1, -1)

    def zero(self, layout: str) -> Callable[[], Any]:
        x, w = self.laid_out(self.x, layout), self.laid_out(self.w, layout)
        return lambda: self.conv(x, w, padding=self.layer.padding, **self.steps)

    def pad(self, layout: str) -> Callable[[], Any]:
        x, w = self.laid_out(self.x, layout), self.laid_out(self.w, layout)
        widths = (self.layer.padding,) * (2 * self.layer.rank)
        padded = self.functional.pad
        return lambda: self.conv(padded(x, widths, value=FILL), w, **self.steps)

    def ours(self, layout: str) -> Callable[[], Any]:
        """Planned and with its output in place; on the stream that PyTorch captures."""
        import implicitpad

        x, w = to_cupy(self.laid_out(self.x, layout)), to_cupy(self.w)
        layers = (implicitpad.Conv1d, implicitpad.Conv2d, implicitpad.Conv3d)
        layer = layers[self.layer.rank - 1](
            w, padding=self.layer.padding, fill_value=FILL, **self.steps
        )
        out = layer(x)

        def call() -> Any:
            with torch_stream(self.torch):
                return layer(x, out)

        return call

    def difference(self, got: Any) -> float:
        """Largest difference from the opponent's result on the padded copy, over its largest."""
        want, got = self.pad("last")().float(), to_torch(got).float()
        return float((got - want).abs().max() / want.abs().max())

    def run(self, seconds: Callable[[Any, Callable[[], Any]], float] = replayed) -> dict[str, Any]:
        """Seconds of each contender; what failed is under "errors"."""
        found: dict[str, Any] = {}
        opponents = product(("zero", "pad"), OPPONENTS[self.precision])
        ours = product(("ours",), LAYOUTS if self.precision in OURS else ())
        for contender, layout in (*opponents, *ours):
            name = f"{contender} {layout}"
            try:
                call = getattr(self, contender)(layout)
                if contender == "ours":
                    found[f"difference {layout}"] = self.difference(call())
                found[name] = seconds(self.torch, call)
            except Exception as error:  # reported; the others go on
                found.setdefault("errors", {})[name] = sentence(error)
                check_device(self.torch)
        return found


def to_cupy(tensor: Any) -> Any:
    """The same memory as a CuPy array; bfloat16 crosses as 16-bit words."""
    import cupy
    import ml_dtypes
    import torch

    if tensor.dtype == torch.bfloat16:
        return cupy.from_dlpack(tensor.view(torch.int16)).view(ml_dtypes.bfloat16)
    return cupy.from_dlpack(tensor)


def to_torch(array: Any) -> Any:
    """The reverse of `to_cupy`."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_dlpack(array.view("int16")).view(torch.bfloat16)
    return torch.from_dlpack(array)


def torch_stream(torch: Any) -> Any:
    """PyTorch's current stream as CuPy's."""
    import cupy

    return cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream)


def sentence(error: BaseException) -> str:
    """The first line of an error."""
    return f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0]}"


def check_device(torch: Any) -> None:
    try:
        torch.cuda.synchronize()
    except Exception as error:
        raise DeviceLost(sentence(error)) from error


def filters() -> list[dict[str, Any]]:
    """One filter over one image: cupyx.scipy.ndimage.correlate beside ours."""
    import cupy
    from cupyx.scipy import ndimage

    import implicitpad

    rows = []
    for side, f in FILTERS:
        image = cupy.random.default_rng(0).random((side, side), dtype=cupy.float32)
        weights = cupy.random.default_rng(1).random((f, f), dtype=cupy.float32) / f**2
        layer = implicitpad.Conv2d(weights[None, None], padding="same", padding_mode="mirror")
        out = layer(image[None])
        want = ndimage.correlate(image, weights, mode="mirror")
        difference = float(abs(out[0] - want).max())
        row = {"side": side, "filter": f, "difference": difference}
        row["wrong"] = not difference <= FILTER_LIMIT
        for name, call in {
            "cupyx": lambda i=image, w=weights: ndimage.correlate(i, w, mode="mirror"),
            "ours": lambda i=image, layer=layer, out=out: layer(i[None], out),
        }.items():
            row[name] = _events(cupy, call)
        row["cupyx/ours"] = row["cupyx"] / row["ours"]
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


def correctness(seconds: float) -> dict[str, Any]:
    """The tests that run on a device: whether all passed, pytest's last line, and what failed."""
    folder = Path(__file__).parent.parent / "tests" / "gpu"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-rfE", "--tb=line",
               "-W", "default", str(folder)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"passed": False, "summary": f"not finished after {seconds:.0f} s", "failed": []}
    lines = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"passed": done.returncode == 0, "summary": lines[-1], "failed": failed}


def environment(torch: Any) -> dict[str, Any]:
    """Where and with what the figures were made."""
    import cupy

    import implicitpad

    properties = torch.cuda.get_device_properties(0)
    return {
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name(),
        "compute capability": f"{properties.major}.{properties.minor}",
        "processors": properties.multi_processor_count,
        "memory bytes": properties.total_memory,
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "implicitpad": implicitpad.__version__,
        "cupy": cupy.__version__,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }


def free_memory(torch: Any) -> None:
    """What both allocators keep: they do not know of each other."""
    import cupy

    torch.cuda.empty_cache()
    cupy.get_default_memory_pool().free_all_blocks()


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


def measure(torch: Any, budget: Budget, report: dict[str, Any]) -> None:
    """Fill `report`; a part that fails leaves its error there."""
    for name, part in (("ceilings", lambda: ceilings(torch)), ("filters", filters)):
        try:
            report[name] = part()
        except Exception as error:
            report["errors"].append(f"{name}: {sentence(error)}")
            check_device(torch)
    for layer, n, precision in cases(budget):
        row = asdict(layer) | {"n": n, "precision": precision}
        row["multiply_adds"] = layer.multiply_adds
        report["layers"].append(row)
        try:
            row.update(Comparison(torch, layer, n, precision).run())
        except DeviceLost:
            raise
        except Exception as error:
            row["errors"] = {"data": sentence(error)}
            check_device(torch)
        free_memory(torch)


def succeeded(report: dict[str, Any]) -> bool:
    rows = report["layers"]
    wrong = any(row.get("wrong") for row in report.get("filters", ()))
    tested = report.get("tests", {"passed": True})["passed"]
    return tested and not report["errors"] and not wrong and not any(map(problems, rows))


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
    report: dict[str, Any] = environment(torch) | {"errors": [], "layers": []}
    if not chosen.no_tests:
        report["tests"] = correctness(20 * chosen.minutes)
        print("Correctness on the device:", report["tests"]["summary"], flush=True)
        print("\n".join(report["tests"]["failed"]), flush=True)
    try:  # what was measured is shown whatever ends the run
        measure(torch, budget, report)
    except DeviceLost as error:
        report["errors"].append(f"the device was lost: {error}")
    finally:
        report["left out"] = budget.left_out
        report["summary"] = summary(report["layers"])
        print("\n".join(f"{name}: {report[name]}" for name in report if name != "layers"))
        print(table(report["layers"]))
        if chosen.json:
            chosen.json.write_text(json.dumps(report, indent=1))
    return 0 if succeeded(report) else 1


if __name__ == "__main__":
    sys.exit(main())
