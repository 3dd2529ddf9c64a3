"""`implicitpad verify` agrees with what is right and fails on what is wrong, with an instance."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from sympy import Eq, Ge

from implicitpad.cli.verify import verify
from implicitpad.spec import counting, formulas, verification
from implicitpad.spec.implementations import Implementation, implementations
from implicitpad.spec.inverse import solve
from implicitpad.spec.output_size import size
from implicitpad.spec.questions import QUESTIONS
from implicitpad.spec.symbols import WINDOW, F, P, m, n, s
from implicitpad.spec.theorem import Theorem
from implicitpad.spec.verification import compare, prove

BY_NAME = {question.name: question for question in QUESTIONS}
COUNTING = [one for one in implementations() if one.name == "counting"]


def off_by_one_in_the_floor(n, f, s, d, p0, p1):
    return (n + p0 + p1 - (d * (f - 1) + 1) + 1) // s + 1


def dilation_missing(n, f, s, d, p0, p1):
    return (n + p0 + p1 - f) // s + 1


def padding_once(n, f, s, d, p0, p1):
    return (n + p0 - (d * (f - 1) + 1)) // s + 1


def stride_missing(n, f, s, d, p0, p1):
    return n + p0 + p1 - d * (f - 1)


def core_from_a_floor(n, f, s, d, p0, p1):
    _, last = formulas.core_of(n, f, s, d, p0, p1)
    return max(0, (p0 - d * (f - 1)) // s), last


def fill_without_bias(problem):
    z = formulas.fills(problem) - problem.bias
    return np.repeat(z[:, None], formulas.shell(problem).sum(), axis=1)


def fill_of_one_tap(problem):
    return np.repeat((problem.bias + 1)[:, None], formulas.shell(problem).sum(), axis=1)


def border_without_correction(problem):
    return problem.outputs(fill=np.zeros_like(problem.fill))


def border_counted_twice(problem):
    return formulas.by_border_identity(problem) + formulas.outside(problem)


def shift_forgets_to_add_back(problem):
    v = problem.fill.reshape(-1, *(1,) * problem.rank)
    return problem.outputs(x=problem.x - v, fill=np.zeros_like(problem.fill))


def matrix_without_fill(problem):
    return formulas.by_matrix(replace(problem, fill=np.zeros_like(problem.fill)))


def receptive_field_without_minus_one(layers):
    stride, offset, field = formulas.stacked(layers)
    return stride, offset, field + len(layers)


def multiply_adds_of_all_channels(N, C_out, H, W, r, h, w):
    return N * C_out * H * W * r * h * w * (2 if r > 1 else 1)


def reflect_repeats_the_edge(i, n, mode):
    return counting.source_index(i, n, "symmetric" if mode == "reflect" else mode)


def ceil_mode_without_begin_rule(n, f, s, d, p0, p1):
    return -(-(n + p0 + p1 - (d * (f - 1) + 1)) // s) + 1


PLANTED = [
    ("output_size", off_by_one_in_the_floor),
    ("output_size", dilation_missing),
    ("output_size", padding_once),
    ("output_size", stride_missing),
    ("ceil_mode", ceil_mode_without_begin_rule),
    ("core_and_pad", core_from_a_floor),
    ("fill_identity", fill_without_bias),
    ("fill_identity", fill_of_one_tap),
    ("border_identity", border_without_correction),
    ("border_identity", border_counted_twice),
    ("shift_identity", shift_forgets_to_add_back),
    ("matrix", matrix_without_fill),
    ("receptive_field", receptive_field_without_minus_one),
    ("multiply_adds", multiply_adds_of_all_channels),
    ("source_index", reflect_repeats_the_edge),
]


@pytest.mark.parametrize(("name", "wrong"), PLANTED, ids=lambda a: getattr(a, "__name__", a))
def test_a_planted_formula_is_refuted_by_counting(name, wrong):
    (result,) = compare(replace(BY_NAME[name], answer=wrong), COUNTING)
    assert result.status == "refuted"
    assert "formula" in result.counterexample


def test_the_smallest_counterexample_is_named():
    expected = "n = 1, f = 2, s = 1, d = 2, p0 = 0, p1 = 2: formula 2, counting 1"
    (result,) = compare(replace(BY_NAME["output_size"], answer=dilation_missing), COUNTING)
    assert result.counterexample == expected


@pytest.mark.parametrize("name", [q.name for q in QUESTIONS])
def test_formulas_agree_with_counting(name):
    question = BY_NAME[name]
    few = list(question.settings())[::9]
    results = list(compare(replace(question, settings=lambda: few), implementations()))
    assert results
    assert [result.counterexample for result in results] == [None] * len(results)
    assert all(result.status == "checked" for result in results)
    assert all(0 < result.instances <= len(few) for result in results)
    assert results[0].instances == len(few)


def test_a_kernel_that_ignores_the_fill_is_refuted():
    def conv(problem):
        return problem.outputs(fill=np.zeros_like(problem.fill))

    broken = Implementation("broken", {"conv": conv})
    assert [r.status for r in compare(BY_NAME["border_identity"], [broken])] == ["refuted"]


def wrong_theorem(derive):
    return Theorem("wrong", "A wrong theorem", "nowhere", "", derive)


def test_a_false_theorem_is_refuted():
    def derive(p):
        p.given(*WINDOW, Ge(n, 1))
        p.holds(Eq(size(n, F, F, s), n))

    (result,) = prove(wrong_theorem(derive))
    assert result.status == "refuted"
    assert "is false at F = 1, n = 1, s = 1" in result.counterexample


def test_contradictory_hypotheses_are_noticed():
    def derive(p):
        p.given(Ge(n, 1), Ge(0, n))
        p.holds(Eq(m, n + P))

    (result,) = prove(wrong_theorem(derive))
    assert result.status == "unproved"
    assert "contradict" in result.statement


def test_the_command_succeeds_and_prints_json():
    outcome = CliRunner().invoke(verify, ["--only", "halving", "--only", "winograd", "--json"])
    assert outcome.exit_code == 0
    results = json.loads(outcome.stdout)
    assert {result["name"] for result in results} >= {"halving", "winograd_2_3", "winograd"}
    keys = {"name", "status", "statement", "instances", "seconds", "counterexample"}
    assert all(keys <= set(result) for result in results)
    assert {result["status"] for result in results} == {"proved", "checked"}


def test_the_command_fails_with_the_counterexample(monkeypatch):
    planted = [replace(BY_NAME["output_size"], name="planted", answer=off_by_one_in_the_floor)]
    monkeypatch.setattr(verification, "QUESTIONS", planted)
    outcome = CliRunner().invoke(verify, ["--only", "planted"])
    assert outcome.exit_code == 1
    assert "n = 1, f = 1, s = 1, d = 1, p0 = 0, p1 = 0: formula 2, counting 1" in " ".join(
        outcome.stdout.split()
    )


def test_an_unknown_name_is_an_error():
    outcome = CliRunner().invoke(verify, ["--only", "nonsense"])
    assert outcome.exit_code == 2


def test_missing_implementations_are_reported_in_a_sentence():
    absent = [one for one in implementations() if one.absent]
    assert all(one.absent.endswith(".") and not one.answers for one in absent)


def test_inverse_questions_need_exactly_one_unknown():
    with pytest.raises(ValueError, match="all but one"):
        solve(14, n=28, s=2)
    assert list(solve(15, n=28, f=3, s=2)) == [3, 4]
    assert solve(1, n=4, P=0, f=3).high is None
