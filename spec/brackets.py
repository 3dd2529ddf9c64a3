"""Iverson's brackets: a condition written as a number, so that it can stand in a sum."""

from __future__ import annotations

from typing import Any

from sympy import Expr, Function, Integer, S, expand


class bracket(Function):
    """1 if h >= 0, else 0."""

    nargs = 1

    @classmethod
    def eval(cls, h: Any) -> Any:
        if h.is_Integer:
            return Integer(h >= 0)
        if h != expand(h):
            return cls(expand(h))
        return None

    def _eval_derivative(self, symbol: Expr) -> Expr:
        return S.Zero  # indices are not differentiated


class inside(Function):
    """1 if 0 <= j <= n - 1, else 0: short for bracket(j)·bracket(n − 1 − j)."""

    nargs = 2
    _eval_derivative = bracket._eval_derivative


def in_brackets(e: Expr) -> Expr:
    """`e` with every `inside` written as two brackets."""
    return e.replace(inside, lambda j, n: bracket(j) * bracket(n - 1 - j))
