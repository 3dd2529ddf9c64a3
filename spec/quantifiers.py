"""Statements about every index, and derivatives that wait until a sum is written out."""

from __future__ import annotations

from typing import Any

from sympy import And, Basic, Expr, Function, Implies, Le, Sum, oo, sympify

from .certificate import Unproved


class Forall(Basic):
    """Forall(k, low, high, body): body holds for every integer k from low to high."""

    k = property(lambda self: self.args[0])
    low = property(lambda self: self.args[1])
    high = property(lambda self: self.args[2])
    body = property(lambda self: self.args[3])

    def __new__(cls, *args: Any) -> Forall:
        return super().__new__(cls, *map(sympify, args))

    @property
    def free_symbols(self) -> set[Any]:
        inner = self.body.free_symbols - {self.k}
        return inner | self.low.free_symbols | self.high.free_symbols

    def at(self, k: Any) -> Any:
        """What this says of `k`, which is >= low."""
        here = self.body.xreplace({self.k: k})
        return here if self.high == oo else Implies(Le(k, self.high), here)


class partial(Function):
    """partial(y, x): the derivative of y by x, taken once y has been written out."""

    nargs = 2


def derivative(y: Expr, x: Expr) -> Expr:
    """dy/dx; refused where SymPy is wrong, at an index that is summed over."""
    bound = {limit[0] for a in y.atoms(Sum) for limit in a.limits}
    if bound & x.free_symbols:
        raise Unproved(f"{x} has an index that is summed over in {y}: SymPy differentiates wrongly")
    return y.diff(x)


def within(low: Any, k: Any, high: Any) -> Any:
    """low <= k <= high, which SymPy is not asked to decide."""
    return And(Le(low, k, evaluate=False), Le(k, high, evaluate=False), evaluate=False)
