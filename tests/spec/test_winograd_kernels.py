"""The constants in the kernels are the spec's exact rationals."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from sympy import Rational

from implicitpad.spec.winograd import transforms

SOURCE = Path(__file__).parents[2] / "pyx" / "winograd.h"


def transform(source, name, inputs, outputs):
    """The matrix of one of the kernel's linear maps, by running its lines on unit vectors."""
    body = re.search(rf"NAME\({name}\)\((.*?)\) \{{(.*?)\n\}}", source, re.DOTALL)
    assert body, f"{name} is not in the kernels"
    arguments = [part.split("*")[-1].strip() for part in body.group(1).split(",")[:-1]]
    code = body.group(2).replace("const vector ", "").replace("broadcast((ELEMENT)0.5)", "half_")
    code = re.sub(r", (\w+ = )", r"; \1", code)
    statements = [line.strip() for line in code.split(";") if line.strip()]
    columns = []
    for unit in range(inputs):
        given = [Rational(int(at == unit)) for at in range(inputs)]
        taken = given if len(arguments) == 1 else [Rational(0)] * outputs
        scope = {arguments[0]: given, arguments[-1]: taken, "s": 1, "half_": Rational(1, 2)}
        for statement in statements:
            exec(statement, scope)
        columns.append(scope[arguments[-1]][:outputs])
    return [[column[row] for column in columns] for row in range(outputs)]


def test_f23_is_the_spec():
    if not SOURCE.exists():
        pytest.skip("the sources of the kernels are not installed")
    source = SOURCE.read_text()
    A, G, B = transforms(2, 3)
    by_input = transform(source, "transform_input", 4, 4)  # Bᵀ
    by_weights = transform(source, "transform_weights", 3, 4)  # G
    by_output = transform(source, "transform_output", 4, 2)  # Aᵀ
    for t, i, k, j in product(range(4), range(2), range(3), range(4)):
        # Position t may be scaled in one matrix and unscaled in another: the product counts.
        kernel = by_output[i][t] * by_weights[t][k] * by_input[t][j]
        assert kernel == A[t, i] * G[t, k] * B[j, t]
