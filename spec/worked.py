"""The derivation of a layer's size with the numbers put in, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import formulas
from .inverse import Solutions


@dataclass(frozen=True)
class Line:
    """A formula, the same with numbers, and why it holds."""

    formula: str
    numbers: str
    because: str = ""


@dataclass(frozen=True)
class Layer:
    """One axis of a layer."""

    n: int
    f: int
    s: int = 1
    d: int = 1
    p0: int = 0
    p1: int = 0
    ceil: bool = False

    @property
    def extent(self) -> int:
        return self.d * (self.f - 1) + 1

    @property
    def virtual(self) -> int:
        return self.n + self.p0 + self.p1

    @property
    def setting(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("n", "f", "s", "d", "p0", "p1")}

    @property
    def out(self) -> int:
        if self.ceil:
            return formulas.outputs_ceil(**self.setting)
        return max(0, formulas.outputs(**self.setting))

    @property
    def unread(self) -> int:
        """Elements at the end of the data that no window reads."""
        last = (self.out - 1) * self.s + self.extent - self.p0
        return max(0, self.n - max(0, last)) if self.out else self.n

    def as_dict(self) -> dict[str, Any]:
        numbers: dict[str, Any] = {**self.setting, "F": self.extent, "T": self.virtual}
        return {**numbers, "out": self.out, "never_read": self.unread}


def same_widths(n: int, f: int, s: int, d: int, lower: bool = False) -> tuple[int, int]:
    """The least padding for ⌈n/s⌉ outputs, the odd element after (or before, if `lower`)."""
    total = max(0, (-(-n // s) - 1) * s + d * (f - 1) + 1 - n)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def named_widths(name: str, n: int, f: int, s: int, d: int) -> tuple[int, int]:
    """Widths (before, after) of a named padding."""
    reach = d * (f - 1)
    table = {"valid": (0, 0), "full": (reach, reach), "causal": (reach, 0)}
    if name in ("same", "same_lower"):
        return same_widths(n, f, s, d, name == "same_lower")
    return table[name]


def derivation(layer: Layer) -> Iterator[Line]:
    """How the number of outputs comes about."""
    n, s, d, f, p0, p1 = layer.n, layer.s, layer.d, layer.f, layer.p0, layer.p1
    F, T, m = layer.extent, layer.virtual, layer.out
    yield Line("i·s − p₀ + k·d", f"i·{s} − {p0} + k·{d}", "read by tap k of output i")
    yield Line("F = d·(f − 1) + 1", f"{d}·({f} − 1) + 1 = {F}", "what a window spans")
    yield Line("T = n + p₀ + p₁", f"{n} + {p0} + {p1} = {T}", "input and padding")
    if layer.ceil:
        yield from _ceil(layer)
        return
    if T < F:
        need = f"add {F - T} of padding, or take a smaller kernel"
        yield Line("F ≤ T", f"{F} ≤ {T} is false", f"no window fits: {need}")
        return
    yield Line("0 ≤ i·s,  i·s + F ≤ T", f"i·{s} + {F} ≤ {T}", "first and last tap inside")
    floor = f"⌊({T} − {F})/{s}⌋ = {(T - F) // s}"
    yield Line("0 ≤ i ≤ ⌊(T − F)/s⌋", f"0 ≤ i ≤ {floor}", "divide by s")
    yield Line("m = ⌊(T − F)/s⌋ + 1", f"{(T - F) // s} + 1 = {m}", "count them")
    yield from _remainder(layer)


def _ceil(layer: Layer) -> Iterator[Line]:
    n, s, p0, F, T = layer.n, layer.s, layer.p0, layer.extent, layer.virtual
    reach, begin = -(-(T - F) // s), -(-(n + p0) // s) - 1
    yield Line("(i − 1)·s + F < T", f"i ≤ ⌈({T} − {F})/{s}⌉ = {reach}", "something is left over")
    yield Line("i·s < n + p₀", f"i ≤ ⌈({n} + {p0})/{s}⌉ − 1 = {begin}", "it begins before the end")
    yield Line("m = min(…) + 1", f"min({reach}, {begin}) + 1 = {layer.out}", "count them")


def _remainder(layer: Layer) -> Iterator[Line]:
    s, over = layer.s, (layer.virtual - layer.extent) % layer.s
    if s > 1:
        rest = (layer.extent - layer.p0 - layer.p1) % s
        exact = f"iff n ≡ {rest} mod {s}"
        left = f"{layer.virtual} − {layer.extent} = {s}·{layer.out - 1} + {over}"
        if layer.unread:
            why = f"{layer.unread} at the end never read"
        else:
            why = "all is read" if over else "nothing left over"
        yield Line("T − F = s·(m − 1) + r", left, f"{why}; r = 0 {exact}")


def inverse(found: Solutions) -> Iterator[Line]:
    """How an inverse question is answered."""
    known: Mapping[str, int] = found.settings
    name = {"P": "p₀ + p₁"}.get(found.unknown, found.unknown)
    yield Line("(m − 1)·s ≤ n + p₀ + p₁ − F < m·s", f"m = {found.out}", "what a floor means")
    if {"d", "f"} <= known.keys():
        why = f"{known['d']}·({known['f']} − 1) + 1 = {found.extent}"
        yield Line("F = d·(f − 1) + 1", why, "what a window spans")
    if found.unknown in "nP":
        rest, s = (known["P"] if found.unknown == "n" else known["n"]) - found.extent, known["s"]
        sign = f"+ {rest}" if rest >= 0 else f"− {-rest}"
        low, high = (found.out - 1) * s, found.out * s
        yield Line("", f"{low} ≤ {name} {sign} < {high}", "put the numbers in")
    if not found:
        yield Line("", f"no {name} gives {found.out} outputs", "the interval is empty")
    elif found.high is None:
        yield Line("", f"{name} ≥ {found.low}", "every one of these, without end")
    elif found.low == found.high:
        yield Line("", f"{name} = {found.low}", "and no other")
    else:
        yield Line("", f"{name} = {found.low} … {found.high}", "all of these, and no other")
