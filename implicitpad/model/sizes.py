"""For which input sizes a network works, for all of them at once.

With n = period·q + r, where the period is a multiple of every total stride, each size in the
network is a·q + b (spec/stack.py, "Whole strides leave a floor").  So one pass for each residue r
decides every n of it: sizes that must agree do so for all q, or for one q at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from .analysis import trace
from .network import INPUT, ModelError, Network, Size
from .options import windows

LARGEST_PERIOD = 4096


@dataclass(frozen=True)
class ValidSizes:
    """n works if n mod `modulus` is one of `residues` and n >= `least`; or n is in `only`."""

    modulus: int
    residues: tuple[int, ...]
    least: int
    only: tuple[int, ...] | None = None

    def __contains__(self, n: int) -> bool:
        if self.only is not None:
            return n in self.only
        return n >= self.least and n % self.modulus in self.residues

    def nearest(self, n: int) -> tuple[int | None, int | None]:
        """The largest size below n and the smallest above it that work."""
        reach = range(1, 2 * self.modulus + 1 + max(0, self.least - n))
        if self.only is not None:
            reach = range(1, max((abs(a - n) for a in self.only), default=0) + 1)
        below = next((n - step for step in reach if n - step in self), None)
        return below, next((n + step for step in reach if n + step in self), None)

    def __str__(self) -> str:
        if self.only is not None:
            return f"n = {ranges(self.only)}" if self.only else "no n"
        if not self.residues:
            return "no n"
        if self.modulus == 1:
            return f"every n ≥ {self.least}"
        classes = " or ".join(map(str, self.residues))
        return f"n ≡ {classes} mod {self.modulus}, n ≥ {self.least}"


def ranges(numbers: tuple[int, ...]) -> str:
    """Sorted numbers with runs joined: 3 … 5, 9."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} … {run[-1]}" for run in runs)


def period(network: Network) -> int:
    """The least common multiple of the total strides on the way to any layer."""
    strides: list[Fraction] = []
    common = 1
    for layer in network.layers:
        before = [Fraction(1) if at == INPUT else strides[at] for at in layer.inputs]
        stride = max(before)
        if layer.kind == "upsample":
            factor = layer.options.get("factor", 2)
            stride /= factor if isinstance(factor, int) else factor[0]
        elif "kernel" in layer.options:
            step = windows(layer, (Size(0, 1),) * len(network.sizes))[0].stride
            stride = stride / step if layer.kind == "conv_transpose" else stride * step
        strides.append(stride)
        common = lcm(common, stride.numerator)
    return common


def valid_sizes(network: Network) -> ValidSizes:
    """All sizes n × n (× n) that work; a flattened layer must keep the size it was written for."""
    if _is_held(network):
        return _sizes_held(network)
    whole = period(network)
    if whole > LARGEST_PERIOD:
        raise ModelError(f"{network.name}: the total stride {whole} is too large to enumerate.")
    fitting = tuple(r for r in range(whole) if _fits(network, Size(whole, r)))
    modulus, residues = reduced(whole, fitting)
    largest = max(network.sizes) + whole
    candidates = (n for n in range(1, largest + 1) if n % modulus in residues)
    return ValidSizes(modulus, residues, _least(network, list(candidates)))


def _is_held(network: Network) -> bool:
    """Whether something is flattened whose size depends on that of the input."""
    whole = period(network)
    try:
        outcomes = trace(network, [Size(whole, n % whole) for n in network.sizes])
    except ModelError:
        return False
    flat = [outcome.fixed for outcome in outcomes if outcome.fixed is not None]
    return any(a for tensor in flat for a, _ in tensor.sizes)


def _sizes_held(network: Network) -> ValidSizes:
    """Sizes that give what the flattened layer was written for."""
    wanted = [o.fixed for o in trace(network, [Size(0, n) for n in network.sizes])]
    whole, start = period(network), max(network.sizes)
    found = []
    for n in range(max(1, start - 2 * whole), start + 2 * whole):
        try:
            fixed = [o.fixed for o in trace(network, [Size(0, n)] * len(network.sizes))]
        except ModelError:
            continue
        if fixed == wanted:
            found.append(n)
    return ValidSizes(1, (), 1, tuple(found))


def _fits(network: Network, size: Size) -> bool:
    try:
        trace(network, [size] * len(network.sizes))
    except ModelError:
        return False
    return True


def _least(network: Network, candidates: list[int]) -> int:
    """The smallest size from which on all candidates work (all sizes grow with n)."""
    least = candidates[-1] if candidates else 1
    for n in reversed(candidates):
        if not _fits(network, Size(0, n)):
            break
        least = n
    return least


def reduced(modulus: int, residues: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The same set of numbers by its smallest modulus."""
    chosen = set(residues)
    for smaller in range(1, modulus + 1):
        if modulus % smaller == 0:
            folded = {r % smaller for r in chosen}
            if len(folded) * (modulus // smaller) == len(chosen):
                return smaller, tuple(sorted(folded))
    return modulus, residues
