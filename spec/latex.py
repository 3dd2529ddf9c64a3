"""Statements as LaTeX, in the same order of terms as `notation` writes them."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Expr, Ge, Gt, Le, Lt, Ne
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

from .ordering import chains, terms

SIGN: dict[Any, str] = {Le: r"\le", Lt: "<", Ge: r"\ge", Gt: ">", Eq: "=", Ne: r"\ne"}


class Latex(LatexPrinter):
    def _print_Add(self, e: Expr, order: Any = None) -> str:
        out = ""
        for a in terms(e):
            minus = a.could_extract_minus_sign()
            joint = (" - " if minus else " + ") if out else ("-" if minus else "")
            out += joint + self.parenthesize(-a if minus else a, PRECEDENCE["Add"] + minus)
        return out

    def _print_Relational(self, e: Any) -> str:
        return f"{self._print(e.lhs)} {SIGN[type(e)]} {self._print(e.rhs)}"

    def _print_And(self, e: Any) -> str:
        return r",\ ".join(
            " ".join(SIGN[a] if a in SIGN else self._print(a) for a in chain) for chain in chains(e)
        )

    def _print_Or(self, e: Any) -> str:
        return r"\text{ or }".join(map(self._print, e.args))

    def _print_Not(self, e: Any) -> str:
        return rf"\text{{not }}\left({self._print(e.args[0])}\right)"

    def _print_Implies(self, e: Any) -> str:
        return rf"{self._print(e.args[0])} \implies {self._print(e.args[1])}"

    def _print_bracket(self, e: Any, exp: Any = None) -> str:
        return rf"[0 \le {self._print(e.args[0])}]"

    def _print_inside(self, e: Any, exp: Any = None) -> str:
        return rf"[0 \le {self._print(e.args[0])} < {self._print(e.args[1])}]"

    def _print_KroneckerDelta(self, e: Any, exp: Any = None) -> str:
        return rf"[{self._print(e.args[0])} = {self._print(e.args[1])}]"

    def _print_partial(self, e: Any, exp: Any = None) -> str:
        of, by = map(self._print, e.args)
        return rf"\frac{{\partial {of}}}{{\partial {by}}}"

    def _print_Indexed(self, e: Any) -> str:
        return f"{self._print(e.base.label)}_{{{', '.join(map(self._print, e.indices))}}}"

    def _print_AppliedUndef(self, e: Any) -> str:
        name, _, index = e.func.__name__.partition("_")
        arguments = ", ".join(map(self._print, e.args))
        return f"{name}{f'^{{({index})}}' if index else ''}({arguments})"

    def _print_Function(self, e: Any, exp: Any = None) -> str:
        if type(type(e)).__name__ == "UndefinedFunction":
            return self._print_AppliedUndef(e)
        return str(super()._print_Function(e, exp))

    def _print_Forall(self, e: Any) -> str:
        k, low, high = map(self._print, (e.k, e.low, e.high))
        span = rf"{k} \ge {low}" if e.high.is_finite is False else rf"{k} = {low}, \dots, {high}"
        return rf"{self._print(e.body)} \quad ({span})"


def latex(e: Any) -> str:
    """`e` as LaTeX for math mode; a string becomes text."""
    if isinstance(e, str):
        return rf"\text{{{e}}}"
    return str(Latex({"order": "none"}).doprint(e))
