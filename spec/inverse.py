"""Inverse questions: which settings of a layer give m outputs?

The bounds are those proved in `output_size`, evaluated; nothing is searched.  Every question is one
inequality, (m − 1)s ≤ n + P − F < ms, and each letter has an interval of solutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from .compiled import compiled
from .intervals import ends
from .output_size import band, band_of_layer
from .symbols import F, P, d, f, m, n, s

LETTERS = {"n": n, "P": P, "f": f, "d": d, "s": s}
LEAST = {"n": 1, "P": 0, "f": 1, "d": 1, "s": 1}


@dataclass(frozen=True)
class Solutions:
    """The values of `unknown` that give `out` outputs: low to high (None: without end)."""

    unknown: str
    low: int
    high: int | None
    settings: Mapping[str, int]
    out: int

    def __bool__(self) -> bool:
        return self.high is None or self.low <= self.high

    def __contains__(self, number: int) -> bool:
        return self.low <= number and (self.high is None or number <= self.high)

    def __iter__(self) -> Iterator[int]:
        if self.high is None:
            raise ValueError(
                f"{self.unknown} has no largest solution; take some from {self.low} on"
            )
        return iter(range(self.low, self.high + 1))

    @property
    def extent(self) -> int:
        return self.settings["d"] * (self.settings["f"] - 1) + 1

    def unread(self, padding: int, after: int) -> int:
        """How many elements at the end of the data no window reads."""
        over = (self.settings["n"] + padding - self.extent) % self.settings["s"]
        return max(0, over - after)

    def placements(self) -> Iterator[tuple[int, int, int]]:
        """For unknown padding: (before, after, data never read), evenly placed ones first."""
        for padding in self:
            for before in sorted(range(padding + 1), key=lambda a: (abs(2 * a - padding), a)):
                after = padding - before
                yield before, after, self.unread(padding, after)


@cache
def _bounds(name: str) -> tuple[Callable[..., int], ...]:
    """The proved ends of the interval, as functions of n, P, f, d, s, F and m."""
    letter = LETTERS[name]
    interval = (band if name in "nP" else band_of_layer).result[letter]
    return tuple(compiled(end, (*LETTERS.values(), F, m)) for end in ends(interval, letter))


def solve(out: int, **settings: int) -> Solutions:
    """All values of the one setting of n, P, f, d, s that is left out (d alone may default to 1).

    Parameters
    ----------
    out : int
        Number of outputs, at least 1.
    **settings : int
        Input size n, total padding P, kernel size f, dilation d, stride s: all but one of them.

    Raises
    ------
    ValueError
        Not exactly one setting is unknown.

    Examples
    --------
    >>> solve(14, n=28, f=3, s=2)
    Solutions(unknown='P', low=1, high=2, settings={'d': 1, 'n': 28, 'f': 3, 's': 2}, out=14)
    """
    if len(settings) == 3 and "d" not in settings:
        settings = {"d": 1, **settings}
    unknown = [name for name in LETTERS if name not in settings]
    if len(unknown) != 1 or len(settings) != 4 or out < 1:
        needed = ", ".join(LETTERS)
        raise ValueError(f"solve: all but one of {needed} must be given; {unknown} are missing")
    name = unknown[0]
    if name == "s" and out == 1:  # a single output fits any stride that passes the end
        reach = settings["n"] + settings["P"] - settings["d"] * (settings["f"] - 1)
        return Solutions(name, max(1, reach), None if reach >= 1 else 0, settings, out)
    if name == "d" and settings["f"] == 1:  # a single tap is never dilated
        reach = settings["n"] + settings["P"]
        fits = (out - 1) * settings["s"] < reach <= out * settings["s"]
        return Solutions(name, 1, None if fits else 0, settings, out)
    extent = settings["d"] * (settings["f"] - 1) + 1 if name in "nP" else 0
    numbers = [settings.get(key, 0) for key in LETTERS]
    low, high = (bound(*numbers, extent, out) for bound in _bounds(name))
    return Solutions(name, max(LEAST[name], low), high, settings, out)
