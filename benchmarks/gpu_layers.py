"""What `gpu.py` measures, and how its figures are shown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
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
LAYOUTS = ("first", "last")  # where channels lie
# Half precision is fastest channels last; in single precision the opponents get the better of both.
OPPONENTS = {"fp32": LAYOUTS, "tf32": LAYOUTS, "fp16": ("last",), "bf16": ("last",)}
# Largest difference from cuDNN's result that rounding explains, over the largest value: sums of up
# to 4608 products of standard normal numbers, scaled to standard deviation 1, then stored.
LIMITS = {"fp32": 1e-3, "fp16": 4e-3, "bf16": 3e-2}


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


def best(row: dict[str, Any], contender: str) -> float | None:
    """Seconds of a contender in its faster layout; None if it was not measured."""
    names = [f"{contender} {layout}" for layout in LAYOUTS]
    return min((row[name] for name in names if name in row), default=None)


def table(results: list[dict[str, Any]]) -> str:
    """One line per comparison: microseconds, and ours against the opponents."""
    head = f"{'layer':18}{'N':>4} {'type':5}{'zero':>9}{'pad':>9}{'ours':>9}{'/zero':>7}{'/pad':>7}"
    lines = [f"{head}  Top/s"]
    for row in results:
        zero, pad, ours = (best(row, contender) for contender in ("zero", "pad", "ours"))
        line = f"{row['name']:18}{row['n']:>4} {row['precision']:5}"
        line += "".join(_cell(1e6, seconds, 9, 1) for seconds in (zero, pad, ours))
        line += _cell(zero, 1 / ours if ours else None, 7, 2)
        line += _cell(pad, 1 / ours if ours else None, 7, 2)
        line += _cell(2e-12 * row["n"] * row["multiply_adds"], 1 / ours if ours else None, 7, 2)
        lines += [line.rstrip(), *(f"    {what}: {why}" for what, why in problems(row).items())]
    return "\n".join(lines)


def problems(row: dict[str, Any]) -> dict[str, str]:
    """What failed, and what is wrong."""
    limit = LIMITS.get(row["precision"])
    wrong = {
        key: f"WRONG, {value:.2g} of the largest value apart from cuDNN"
        for key, value in row.items()
        if key.startswith("difference") and not value <= limit
    }
    return {**row.get("errors", {}), **wrong}


def summary(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each kind of layer in single precision: how often faster our time goes into theirs."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in results:
        if row["precision"] == "fp32" and best(row, "ours") is not None:
            depthwise = row["groups"] == row["c"] > 1
            kind = f"{len(row['size'])}-D {'depthwise' if depthwise else 'dense'}"
            kinds.setdefault(kind, []).append(row)
    found: dict[str, dict[str, Any]] = {}
    for kind, rows in sorted(kinds.items()):
        found[kind] = {"comparisons": len(rows)}
        for opponent in ("zero", "pad"):
            ratios = [best(r, opponent) / best(r, "ours") for r in rows if best(r, opponent)]
            if ratios:
                found[kind][f"median of {opponent}/ours"] = round(statistics.median(ratios), 3)
                found[kind][f"least {opponent}/ours"] = round(min(ratios), 3)
    return found


def _cell(factor: float | None, value: float | None, width: int, digits: int) -> str:
    if factor is None or value is None:
        return " " * (width - 1) + "-"
    return f"{factor * value:>{width}.{digits}f}"
