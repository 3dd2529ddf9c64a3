"""Every theorem is derived, with evidence that an independent evaluation agrees with."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from sympy import oo

from implicitpad.spec.certificate import Certificate
from implicitpad.spec.report import certificates, derivation, latex_of
from implicitpad.spec.sampling import evaluate, hypotheses_hold_somewhere, is_plain
from implicitpad.spec.stack import compose
from implicitpad.spec.steps import Cases
from implicitpad.spec.theorem import CHAPTERS, theorems
from implicitpad.spec.winograd import growth, transforms

THEOREMS = theorems()
CHECKED = {"agrees_with_numpy_pad"}
each = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)


def test_the_paper_is_complete():
    assert len(THEOREMS) >= 37
    assert {theorem.chapter for theorem in THEOREMS} == set(CHAPTERS)


@each
def test_is_proved_with_evidence_that_holds(theorem):
    proof = theorem.proof
    assert proof.status == ("checked" if theorem.name in CHECKED else "proved")
    shown = [step for step in proof.steps if step.evidence is not None]
    assert shown
    assert all(isinstance(step.evidence, Cases) == (step.status == "checked") for step in shown)
    found = [one for step in shown for one in step.certificates]
    assert all(
        isinstance(certificate, Certificate) and certificate.holds() for certificate in found
    )


@each
def test_hypotheses_can_be_satisfied(theorem):
    assert hypotheses_hold_somewhere(theorem.proof)


@each
def test_agrees_with_numbers(theorem):
    tried, counterexample = evaluate(theorem.proof, points=300)
    assert counterexample is None
    plain = [
        is_plain(statement) and all(is_plain(fact) for fact in known if fact.free_symbols)
        for known, statement in theorem.proof.obligations
    ]
    assert tried > 0 or not any(plain)


@each
def test_can_be_read(theorem):
    lines = list(derivation(theorem.proof))
    assert theorem.title in lines[0]
    assert lines[0].endswith(theorem.proof.status)
    source = "\n".join(latex_of(theorem.proof))
    assert source.count("{") == source.count("}")
    assert "Dummy" not in source
    for step in theorem.proof.steps:
        assert all(line.endswith("< 0") for line in list(certificates(step))[1::2])


def test_a_certificate_that_was_tampered_with_does_not_hold():
    step = next(step for step in THEOREMS[0].proof.steps if step.certificates)
    good = step.certificates[0]
    assert good.holds()
    (c, js), *rest = good.terms
    assert not replace(good, terms=((-c, js), *rest)).holds()
    assert not replace(good, terms=((Fraction(c), js), *rest)).holds()
    assert not replace(good, terms=()).holds()
    assert not replace(good, terms=((c, (*js, 0)), *rest)).holds()


def test_receptive_field_of_two_layers():
    assert compose((1, 1, 3), (2, 1, 3)) == (2, 2, 5)


def test_error_growth_of_the_points_in_use():
    assert growth(2, 3) == 8
    assert growth(3, 2) == 6
    assert float(growth(4, 3)) == pytest.approx(27.4, abs=0.05)
    assert growth(4, 3, (0, 1, -1, 2, -2, oo)) == 48


def test_winograd_transforms_of_f23():
    A, G, B = transforms(2, 3)
    assert A.T.tolist() == [[1, 1, 1, 0], [0, 1, -1, 1]]
    assert [[float(e) for e in row] for row in G.tolist()] == [
        [-1, 0, 0],
        [0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5],
        [0, 0, 1],
    ]
    assert B.T.tolist() == [[-1, 0, 1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]]


def test_points_must_be_distinct():
    with pytest.raises(ValueError, match="distinct"):
        transforms(2, 3, (0, 1, 1, 2))
