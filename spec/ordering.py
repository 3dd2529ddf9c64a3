"""In which order terms, factors and relations are written: as one does by hand."""

from __future__ import annotations

import re
from typing import Any

from sympy import And, Eq, Expr, Ge, Gt, Le, Lt, Mul, Ne, Sum

FIRST = "TinPpmt"  # letters that stand first in a sum; the rest follow alphabetically


def _first_letter(e: Expr) -> list[tuple[int, str]]:
    return [(FIRST.find(a) % 99, a) for a in re.findall(r"[A-Za-z]\w*", str(e))][:1]


def terms(e: Expr) -> list[Expr]:
    """The terms of a sum: positive before negative, numbers last (but 1 − a)."""

    def place(a: Expr) -> Any:
        negative = a.could_extract_minus_sign()
        return a.is_number, negative, _first_letter(a), -len(Mul.make_args(a)), str(a)

    out = sorted(e.args, key=place)
    if out[0].could_extract_minus_sign():
        out.sort(key=lambda a: a.could_extract_minus_sign())
    return out


def factors(e: Expr) -> list[Expr]:
    """The factors of a product: numbers, sums, letters (indices first), then Σ."""

    def place(a: Expr) -> Any:
        return not a.is_number, isinstance(a, Sum), not a.is_Add, str(a) not in "ijkl", str(a)

    return sorted(e.args, key=place)


def chains(statement: Any) -> list[list[Any]]:
    """The parts of a conjunction, with a <= b and b <= c joined to [a, Le, b, Le, c]."""
    parts = And.make_args(statement)
    links = []
    for part in parts:
        if isinstance(part, (Ge, Gt)) and len(parts) > 1:
            part = part.reversed
        links.append([part.lhs, type(part), part.rhs] if part.is_Relational else [part])

    def place(link: list[Any]) -> Any:
        return len(link) == 1, not link[0].is_number, link[1:2] in ([Eq], [Ne]), str(link)

    links.sort(key=place)
    out = []
    while links:
        chain = links.pop(0)
        for link in list(links):
            if len(chain) == 1 or len(link) == 1 or not {chain[1], link[1]} <= {Le, Lt}:
                continue
            if link[0] == chain[-1]:
                chain = chain + link[1:]
                links.remove(link)
            elif link[-1] == chain[0]:
                chain = link[:-1] + chain
                links.remove(link)
        out.append(chain)
    return out
