"""Print a proof: as a derivation in text, as LaTeX, down to its certificates."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap
from typing import Any

from .certificate import Certificate
from .latex import latex
from .notation import text
from .proof import Proof
from .steps import Cases, Step

WIDTH = 100
WORD = {"given": "given", "where": "where", "iff": "⟺", "count": "number", "so": "so"}
LATEX_WORD = {"given": r"\text{given}", "where": r"\text{where}", "iff": r"\iff"} | {
    "count": r"\text{number}",
    "so": r"\Rightarrow",
}


def is_by_certificates(step: Step) -> bool:
    evidence = step.evidence
    return isinstance(evidence, tuple) and all(isinstance(e, Certificate) for e in evidence)


def mark(step: Step) -> str:
    """How a step was shown: by how many certificates, by normal form, by trying cases."""
    if step.evidence is None:
        return ""
    if isinstance(step.evidence, Cases):
        return "tried"
    number = len(step.certificates) if is_by_certificates(step) else 0
    return f"{number} ✓" if number else "✓"


def derivation(proof: Proof) -> Iterator[str]:
    """The lines of a derivation, at most about `WIDTH` characters each."""
    yield f"{proof.title}{proof.status:>{WIDTH - len(proof.title)}}"
    for line in wrap(proof.about, WIDTH - 4):
        yield f"    {line}"
    if proof.source:
        yield f"    Source: {proof.source}"
    yield from body(proof)


def body(proof: Proof) -> Iterator[str]:
    """The steps alone."""
    for kind, steps in groupby(proof.steps, key=lambda step: step.kind == "given"):
        if kind:
            facts = [text(step.statement) for step in steps]
            for at, line in enumerate(joined(facts, WIDTH - 10)):
                yield f"  {'' if at else 'given':8}{line}"
            continue
        for step in steps:
            yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    line = f"  {WORD.get(step.kind, ''):8}{text(step.statement)}"
    because = f"{step.because}   {mark(step)}".strip()
    if len(line) + len(because) + 3 <= WIDTH:
        yield f"{line}{because:>{WIDTH - len(line)}}".rstrip()
        return
    for at, piece in enumerate(folded(text(step.statement), WIDTH - 10)):
        yield f"  {WORD.get(step.kind, '') if at == 0 else '':8}{piece}"
    if because:
        yield f"{because:>{WIDTH}}"


def joined(facts: list[str], width: int) -> list[str]:
    """The facts side by side, as many to a line as fit."""
    out = [""]
    for at, fact in enumerate(facts):
        piece = fact + (",  " if at < len(facts) - 1 else "")
        if out[-1] and len(out[-1]) + len(piece.rstrip()) > width:
            out.append("")
        out[-1] += piece
    return [line.rstrip() for line in out]


def folded(formula: str, width: int) -> list[str]:
    """`formula` broken before a sign or after a comma, but not inside brackets."""
    pieces, depth = [""], 0
    for character, following in zip(formula, formula[1:] + " ", strict=True):
        depth += (character in "([⌊⌈") - (character in ")]⌋⌉")
        pieces[-1] += character
        if character == " " and depth <= 0 and (following in "+−=≤≥<⟹" or pieces[-1][-3:] == ",  "):
            pieces.append("")
    out = [""]
    for piece in pieces:
        if out[-1] and len(out[-1]) + len(piece.rstrip()) > width:
            out.append("")
        out[-1] += piece
    return [line.rstrip() for line in out]


def certificates(step: Step) -> Iterator[str]:
    """The certificates of a step, each with its facts: what a sceptic multiplies out by hand."""
    found: Any = step.evidence if is_by_certificates(step) else ()
    for number, certificate in enumerate(found, 1):
        names = dict(certificate.names)
        facts = [fact.xreplace(names) for fact in certificate.facts]
        used = sorted({j for _, js in certificate.terms for j in js})
        label = {j: f"h{at}" for at, j in enumerate(used, 1)}
        yield f"case {number}:  " + ";  ".join(f"{label[j]}: {text(facts[j])} ≥ 0" for j in used)
        total = " + ".join(
            (f"{c}·" if c > 1 else "") + "·".join(label[j] for j in js)
            for c, js in certificate.terms
        )
        yield f"         {total} = {certificate.value()} < 0"


def latex_of(proof: Proof) -> Iterator[str]:
    """The derivation as an align* environment."""
    yield r"\begin{align*}"
    for step in proof.steps:
        because = step.because.replace("_", r"\_").replace("%", r"\%")
        because = rf" && \text{{{because}}}" if because else ""
        yield rf"{LATEX_WORD.get(step.kind, '')} &\ {latex(step.statement)}{because} \\"
    yield r"\end{align*}"
