"""Statements as plain text, written as one does by hand: 0 ≤ i ≤ ⌊(T − F)/s⌋."""

from __future__ import annotations

import re
from typing import Any

from sympy import Eq, Expr, Ge, Gt, Le, Lt, Ne, fraction
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from .ordering import chains, factors, terms

SIGN: dict[Any, str] = {Le: "≤", Lt: "<", Ge: "≥", Gt: ">", Eq: "=", Ne: "≠"}
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
GREEK = {"alpha": "α", "beta": "β", "mu": "μ", "sigma": "σ"}


class Text(StrPrinter):
    def _print_Symbol(self, e: Any) -> str:
        name = GREEK.get(e.name, e.name)
        return re.sub(r"\d+$", lambda digits: digits.group().translate(SUBSCRIPT), name)

    _print_Dummy = _print_Symbol

    def _list(self, items: Any) -> str:
        return ", ".join(map(self._print, items))

    def _print_Add(self, e: Expr, order: Any = None) -> str:
        out = ""
        for a in terms(e):
            minus = a.could_extract_minus_sign()
            joint = (" - " if minus else " + ") if out else ("-" if minus else "")
            out += joint + self.parenthesize(-a if minus else a, PRECEDENCE["Add"] + minus)
        return out

    def _print_Mul(self, e: Expr) -> str:
        numerator, divisor = fraction(e)
        if divisor != 1:
            above = self.parenthesize(numerator, PRECEDENCE["Mul"])
            return f"{above}/{self.parenthesize(divisor, PRECEDENCE['Pow'])}"
        if e.could_extract_minus_sign():
            return "-" + self.parenthesize(-e, PRECEDENCE["Mul"])
        return "*".join(self.parenthesize(a, PRECEDENCE["Mul"]) for a in factors(e))

    def _print_floor(self, e: Expr) -> str:
        return f"⌊{self._print(e.args[0])}⌋"

    def _print_ceiling(self, e: Expr) -> str:
        return f"⌈{self._print(e.args[0])}⌉"

    def _print_Mod(self, e: Expr) -> str:
        of, by = e.args
        return f"({self._print(of)} mod {self.parenthesize(by, PRECEDENCE['Mul'])})"

    def _print_Max(self, e: Expr) -> str:
        inner = sorted(e.args, key=lambda a: (not a.is_number, str(a)))
        return f"{e.func.__name__.lower()}({self._list(inner)})"

    _print_Min = _print_Max

    def _print_Abs(self, e: Expr) -> str:
        return f"|{self._print(e.args[0])}|"

    def _print_bracket(self, e: Expr) -> str:
        return f"[0 ≤ {self._print(e.args[0])}]"

    def _print_inside(self, e: Expr) -> str:
        return f"[0 ≤ {self._print(e.args[0])} < {self._print(e.args[1])}]"

    def _print_partial(self, e: Expr) -> str:
        return f"∂{self._print(e.args[0])}/∂{self._print(e.args[1])}"

    def _print_KroneckerDelta(self, e: Expr) -> str:
        return f"[{self._print(e.args[0])} = {self._print(e.args[1])}]"

    def _print_Indexed(self, e: Any) -> str:
        return f"{e.base}[{self._list(e.indices)}]"

    def _print_Sum(self, e: Any) -> str:
        over = ", ".join(
            f"{self._print(k)}<{self._print(high + 1)}"
            if low == 0
            else f"{self._print(k)}={self._print(low)}…{self._print(high)}"
            for k, low, high in reversed(e.limits)
        )
        body = self.parenthesize(e.function, PRECEDENCE["Add"] + 1)
        return f"Σ_({over}) {body}"

    def _print_Relational(self, e: Any) -> str:
        return f"{self._print(e.lhs)} {SIGN[type(e)]} {self._print(e.rhs)}"

    def _print_And(self, e: Any) -> str:
        return ",  ".join(
            " ".join(SIGN[a] if a in SIGN else self._print(a) for a in chain) for chain in chains(e)
        )

    def _print_Or(self, e: Any) -> str:
        return " or ".join(map(self._print, e.args))

    def _print_Not(self, e: Any) -> str:
        return f"not ({self._print(e.args[0])})"

    def _print_Implies(self, e: Any) -> str:
        return f"{self._print(e.args[0])}  ⟹  {self._print(e.args[1])}"

    def _print_Equivalent(self, e: Any) -> str:
        return "  ⟺  ".join(map(self._print, e.args))

    def _print_Forall(self, e: Any) -> str:
        k, low, high = map(self._print, (e.k, e.low, e.high))
        span = f"{k} ≥ {low}" if e.high.is_finite is False else f"{k} = {low} … {high}"
        return f"{self._print(e.body)}   for {span}"


def text(e: Any) -> str:
    """`e` as plain text; a string stays as it is."""
    if isinstance(e, str):
        return e
    plain = Text({"order": "none"}).doprint(e)
    return plain.replace("*", "·").replace("-", "−")
