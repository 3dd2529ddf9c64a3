"""A proved formula as a Python function of integers, exact at any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sympy import fraction, together
from sympy.printing.str import StrPrinter


class Python(StrPrinter):
    """Floors and ceilings as integer division; no floats."""

    def _print_floor(self, e: Any) -> str:
        a, s = map(self._print, fraction(together(e.args[0])))
        return f"(({a})//({s}))"

    def _print_ceiling(self, e: Any) -> str:
        a, s = map(self._print, fraction(together(e.args[0])))
        return f"(-(-({a})//({s})))"

    def _print_Mod(self, e: Any) -> str:
        a, s = map(self._print, e.args)
        return f"(({a}) % ({s}))"

    def _print_Max(self, e: Any) -> str:
        return f"{type(e).__name__.lower()}({', '.join(map(self._print, e.args))})"

    _print_Min = _print_Max


def compiled(formula: Any, letters: Sequence[Any]) -> Callable[..., int]:
    """`formula` as a function of integers for `letters`, in that order."""
    names = ", ".join(letter.name for letter in letters)
    code = f"lambda {names}: {Python({'order': 'none'}).doprint(formula)}"
    function: Callable[..., int] = eval(code, {"__builtins__": {"max": max, "min": min}})
    return function
