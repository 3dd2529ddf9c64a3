"""The constants in the kernels are the spec's exact rationals."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from sympy import Rational

from implicitpad.spec.winograd import transforms

SOURCE = Path(__file__).parents[2] / "pyx" / "winograd.h"
PHASES = SOURCE.with_name("winograd_phases.h")

# As they follow each other in the sources. F(3, 2) has the input transform of F(2, 3).
TILES = [(2, 3), (4, 3)]
POINTS = {"P": Rational(3, 4), "Q": Rational(3, 2)}
SQUARES = {"PP": POINTS["P"] ** 2, "QQ": POINTS["Q"] ** 2}


def transform(source, name, tile, inputs, outputs):
    """The matrix of one of the kernel's linear maps, by running its lines on unit vectors."""
    found = re.findall(rf"INLINE void TILED\({name}\)\((.*?)\) \{{(.*?)\n\}}", source, re.DOTALL)
    assert len(found) > tile, f"{name} is not in the kernels"
    declared, code = found[tile]
    arguments = [part.split("*")[-1].strip() for part in declared.split(",")[:-1]]
    code = re.sub(r"const (vector|double) ", "", code)
    code = re.sub(r"\bNUMBER\(", "(", re.sub(r", (\w+ = )", r"; \1", code))
    code = re.sub(r"(?<![\w.\[])(\d+(\.\d+)?)(?= \*|\)| /)", r"Rational('\1')", code)
    statements = [" ".join(line.split()) for line in code.split(";") if line.strip()]
    columns = []
    for unit in range(inputs):
        given = [Rational(int(at == unit)) for at in range(inputs)]
        taken = given if len(arguments) == 1 else [Rational(0)] * outputs
        scope = {arguments[0]: given, arguments[-1]: taken, "s": 1, "Rational": Rational}
        scope |= POINTS | SQUARES
        for statement in statements:
            exec(statement, scope)
        columns.append(scope[arguments[-1]][:outputs])
    return [[column[row] for column in columns] for row in range(outputs)]


@pytest.mark.parametrize("tile", range(len(TILES)))
def test_the_constants_are_those_of_the_spec(tile):
    if not SOURCE.exists():
        pytest.skip("the sources of the kernels are not installed")
    source = SOURCE.read_text()
    m, r = TILES[tile]
    n = m + r - 1
    A, G, B = transforms(m, r)
    by_input = transform(source, "transform_input", tile, n, n)  # Bᵀ
    by_weights = transform(source, "transform_weights", tile, r, n)  # G
    by_output = transform(source, "transform_output", tile, n, m)  # Aᵀ
    ours = sorted(product_of(A.T.tolist(), G.tolist(), B.T.tolist(), m, r, n))
    assert ours == sorted(product_of(by_output, by_weights, by_input, m, r, n))


def test_phases_have_the_constants_of_the_spec():
    if not SOURCE.exists():
        pytest.skip("the sources of the kernels are not installed")
    source = PHASES.read_text()
    A, G, B = transforms(3, 2)
    by_input = transform(SOURCE.read_text(), "transform_input", 0, 4, 4)
    by_weights, by_output = (
        transform(source, "transform_weights", 0, 2, 4),
        transform(source, "transform_output", 0, 4, 3),
    )
    ours = sorted(product_of(A.T.tolist(), G.tolist(), B.T.tolist(), 3, 2, 4))
    assert ours == sorted(product_of(by_output, by_weights, by_input, 3, 2, 4))


def product_of(by_output, by_weights, by_input, m, r, n):
    """For each position t all A[t,i]·G[t,k]·B[j,t].

    A position may be scaled in one matrix and unscaled in another, so that the product counts; and
    the order of the points does not matter.
    """
    indices = list(product(range(m), range(r), range(n)))
    return [
        [by_output[i][t] * by_weights[t][k] * by_input[t][j] for i, k, j in indices]
        for t in range(n)
    ]


def test_the_points_are_written_in_the_kernels():
    if not SOURCE.exists():
        pytest.skip("the sources of the kernels are not installed")
    written = dict(re.findall(r"#define ([PQ]) ([\d.]+)", SOURCE.read_text()))
    assert {name: Rational(number) for name, number in written.items()} == POINTS
