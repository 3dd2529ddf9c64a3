"""All derivations as one document in Markdown: it can say only what was derived."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import groupby

from .report import body
from .steps import Cases
from .theorem import Theorem, theorems

HEAD = """\
# Derivations

Generated from `spec/` by `python -m implicitpad.spec --document`; a test holds it up to date.

Everything follows from one sentence: **tap k of output i reads position i·s − p₀ + k·d of the
input, or the fill value where there is none.**  Letters: n input size, f kernel size, s stride,
d dilation, p₀ and p₁ padding before and after, m output size, F = d·(f − 1) + 1 what a window
spans, T = n + p₀ + p₁, P = p₀ + p₁, v the fill value, w the weights, b the bias.

*Proved* means for all values that satisfy what is given.  `4 ✓` counts certificates: for each case
of the negated statement a sum that is negative and cannot be, multiplied out over the integers
(`python -m implicitpad.spec NAME --certificates` prints them).  A plain `✓` is an equation of
finite sums or of rational functions, brought to 0 = 0 by rules that are identities.  *Checked*
means tried on the range that is stated, and nothing beyond it.  [ ] is 1 where the condition in it
holds, else 0.

"""


def document() -> str:
    """The whole text of docs/derivations.md."""
    lines = [HEAD, *contents()]
    for chapter, group in groupby(theorems(), key=lambda one: one.chapter):
        about = (import_module(f"{__package__}.{chapter}").__doc__ or "").strip()
        heading, _, rest = about.partition("\n")
        lines += [f"## {heading.rstrip('.')}", ""]
        lines += [*code(rest.strip("\n")), ""] if "=" in rest else [*rest.strip().split("\n"), ""]
        for one in group:
            lines += section(one)
    text = "\n".join(line.rstrip() for line in lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip() + "\n"


def contents() -> Iterator[str]:
    yield "| result | status | steps | certificates |"
    yield "|---|---|---|---|"
    for one in theorems():
        proof = one.proof
        steps = sum(step.evidence is not None for step in proof.steps)
        certificates = sum(len(step.certificates) for step in proof.steps)
        anchor = "".join(a for a in one.title.lower() if a.isalnum() or a in " -").replace(" ", "-")
        tried = sum(step.evidence.count for step in proof.steps if isinstance(step.evidence, Cases))
        status = f"{proof.status}, {tried} cases" if tried else proof.status
        yield f"| [{one.title}](#{anchor}) | {status} | {steps} | {certificates} |"
    yield ""


def section(one: Theorem) -> Iterator[str]:
    proof = one.proof
    yield f"### {one.title}"
    yield ""
    yield f"*{proof.status.capitalize()}.* {proof.about}"
    yield ""
    if proof.source:
        yield f"Source: {proof.source}."
        yield ""
    yield from code("\n".join(body(proof)))
    yield ""


def code(text: str) -> list[str]:
    return ["```text", *text.split("\n"), "```"]
