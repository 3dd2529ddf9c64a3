"""Break one rule of the provers at a time: something that must not be proved is then proved.

So each rule is needed, and the planted errors are able to notice when it is missing.
"""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

import implicitpad.spec

SPEC = Path(implicitpad.spec.__file__).parent
PLANTED = Path(__file__).with_name("test_planted.py")

# file, a rule as it stands, the same rule broken, and the planted error that slips through
MUTANTS = [
    (
        "integers",
        "if not (s.is_Integer and s > 0):",
        "if False:",
        "dividing by s without s ≥ 1",
    ),
    (
        "integers",
        "else [a <= s * q, s * q <= a + s - 1]",
        "else [a <= s * q, s * q <= a]",
        "output size with a ceiling for the floor",
    ),
    (
        "integers",
        "self.facts += [beyond(q, a) for a in among]",
        "self.facts += [Eq(q, a) for a in among]",
        "replicate clamps to n",
    ),
    (
        "integers",
        "return [[high - low - int(strict)]] if holds else [[low - high - int(not strict)]]",
        "return [[high - low - int(strict)]] if holds else [[low - high - 1 - int(not strict)]]",
        "counting an interval that is empty once",
    ),
    (
        "integers",
        "for yes in (True, False)",
        "for yes in (True,)",
        "output size without the + 1",
    ),
    (
        "certificate",
        "if strange := [a for a in letters if not a.is_integer]:",
        "if strange := []:",
        "a letter that need not be an integer",
    ),
    (
        "sums",
        "return total(without(limits, k), bracket(e) * bracket(high - e) * rest), []",
        "return total(without(limits, k), rest), []",
        "a delta sifted outside its range",
    ),
    (
        "sums",
        "if (certificates := implied(Ge(high + 1, 0), known)) is not None:",
        "if (certificates := []) is not None:",
        "an empty sum by Karr's convention, negative",
    ),
    (
        "sums",
        "if (certificates := implied(Ge(this.args[0], 0), facts)) is not None:",
        "if (certificates := []) is not None:",
        "batch norm before, the fill left alone",
    ),
    (
        "sums",
        "certificates = implied(Ge(e, 0) if slope == 1 else Ge(high, e), known)",
        "certificates = []",
        "a sum narrowed beyond its range",
    ),
    (
        "context",
        "if any(letter in a.free_symbols for a in (*self.assumed, *others)):",
        "if False:",
        "counting a letter about which something is known",
    ),
    (
        "quantifiers",
        "if bound & x.free_symbols:",
        "if False:",
        "differentiating by w[k], with k summed over",
    ),
    (
        "proof",
        'evidence += self._prove(Implies(condition, Lt(size(at), size(i))), "the size shrinks")',
        "pass",
        "a recursion that does not end",
    ),
]


# A search that answers anything at all: certificates must still be multiplied out.
LYING_SEARCH = ("found = nonnegative_solution(matrix, wanted)", "found = np.ones(len(attempt))")


def copy_of_the_spec(folder: Path, name: str) -> None:
    shutil.copytree(SPEC, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = PLANTED.read_text().replace("implicitpad.spec", name)
    (folder / name / "planted.py").write_text(source)


def slips_through(package: str, error: str) -> bool:
    planted = import_module(f"{package}.planted")
    _, plant = planted.PLANTED[error]
    try:
        plant(planted.Proof(error))
    except (planted.Refuted, planted.Unproved):
        return False
    return True


def break_rule(folder: Path, file: str, rule: str, broken: str) -> None:
    path = folder / f"{file}.py"
    source = path.read_text()
    assert source.count(rule) == 1
    path.write_text(source.replace(rule, broken))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the spec that can be broken: (folder, name)."""
    name = f"spec_{tmp_path.name}"
    monkeypatch.syspath_prepend(tmp_path)
    copy_of_the_spec(tmp_path, name)
    yield tmp_path / name, name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=lambda at: f"{at}-{MUTANTS[at][0]}")
def test_a_broken_rule_is_noticed(number, package):
    file, rule, broken, error = MUTANTS[number]
    folder, name = package
    break_rule(folder, file, rule, broken)
    assert slips_through(name, error)


def test_a_search_that_lies_proves_nothing(package):
    folder, name = package
    break_rule(folder, "search", *LYING_SEARCH)
    assert not slips_through(name, "two facts that do not exclude each other")
    assert not slips_through(name, "same gives floor(n/s)")


def test_unless_nobody_multiplies_out(package):
    folder, name = package
    break_rule(folder, "search", *LYING_SEARCH)
    break_rule(folder, "certificate", "return value is not None and value < 0", "return True")
    assert slips_through(name, "two facts that do not exclude each other")


@pytest.mark.parametrize("error", sorted({mutant[3] for mutant in MUTANTS}))
def test_the_rules_as_they_stand_let_nothing_through(error):
    from test_planted import PLANTED as planted
    from test_planted import Proof, Refuted, Unproved

    with pytest.raises((Refuted, Unproved)):
        planted[error][1](Proof(error))
