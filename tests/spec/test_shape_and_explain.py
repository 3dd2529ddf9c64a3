"""`implicitpad shape` and `implicitpad explain` say what a student asks."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from implicitpad.cli._window_picture import picture, rows_of_text, seen
from implicitpad.cli.explain import explain
from implicitpad.cli.shape import shape
from implicitpad.spec import counting
from implicitpad.spec.inverse import solve
from implicitpad.spec.worked import Layer, named_widths


def run(command, *arguments):
    return CliRunner().invoke(command, list(arguments))


def words(outcome):
    return " ".join(outcome.output.split())


def test_the_derivation_has_the_numbers_in_it():
    outcome = run(shape, "--n", "28", "--f", "3", "--p", "1", "--s", "2")
    assert outcome.exit_code == 0
    for step in ("1·(3 − 1) + 1 = 3", "28 + 1 + 1 = 30", "⌊(30 − 3)/2⌋ = 13", "13 + 1 = 14"):
        assert step in words(outcome)


def test_the_padding_is_solved_for():
    outcome = run(shape, "--n", "28", "--f", "3", "--s", "2", "--out", "14")
    assert outcome.exit_code == 0
    assert "26 ≤ p₀ + p₁ + 25 < 28" in words(outcome)
    assert "p₀ + p₁ = 1 … 2" in words(outcome)
    lines = [line.split() for line in outcome.output.splitlines()]
    assert ["0", "1", "none", "same"] in lines
    assert ["1", "1", "none", "padding=1"] in lines
    assert ["2", "0", "1"] in lines


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--f", "3", "--p", "1", "--s", "2", "--out", "14"], (27, 28)),
        (["--n", "28", "--f", "3", "--p", "1", "--s", "?", "--out", "14"], (2, 2)),
        (["--n", "28", "--f", "?", "--p", "1", "--s", "2", "--out", "14"], (3, 4)),
        (["--n", "28", "--f", "3", "--p", "2", "--d", "?", "--out", "28"], (2, 2)),
    ],
)
def test_any_setting_is_solved_for(arguments, found):
    answer = json.loads(run(shape, *arguments, "--json").output)
    assert (answer["low"], answer["high"]) == found


def test_no_solution_is_exit_status_1():
    outcome = run(shape, "--n", "10", "--f", "3", "--s", "4", "--p", "?", "--out", "1")
    assert outcome.exit_code == 1
    assert "no p₀ + p₁ gives 1 outputs" in words(outcome)
    assert run(shape, "--n", "2", "--f", "5").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--f", "3"],
        ["--n", "28", "--f", "x3"],
        ["--n", "28", "--f", "3", "--s", "0"],
        ["--n", "28", "--f", "3", "--p", "1", "--s", "2", "--out", "14"],
        ["--n", "28x28x28", "--f", "3x3"],
    ],
)
def test_a_question_that_makes_no_sense_is_exit_status_2(arguments):
    assert run(shape, *arguments).exit_code == 2


def test_axes_are_solved_one_by_one():
    outcome = run(shape, "--n", "6x7", "--f", "3", "--s", "2")
    assert "output 2 × 3" in words(outcome)
    assert [
        axis["out"] for axis in json.loads(run(shape, "--n", "6x7", "--f", "3", "--json").output)
    ]


def test_layers_agree_with_counting():
    ranges = (range(1, 9), range(1, 4), range(1, 4), range(1, 3), range(3), range(3))
    for n, f, s, d, p0, p1 in product(*ranges):
        layer = Layer(n, f, s, d, p0, p1)
        if layer.virtual < layer.extent:
            assert layer.out == 0
            continue
        out = counting.output_size(n, f, s, d, p0, p1)
        read = {a for i in range(out) for a in counting.taps(i, f, s, d, p0)}
        unread = n - max(0, max(read) + 1)
        assert (layer.out, layer.unread) == (out, max(0, unread))


def test_placements_say_what_is_lost():
    found = solve(14, n=28, f=3, s=2)
    assert list(found.placements()) == [(0, 1, 0), (1, 0, 0), (1, 1, 0), (0, 2, 0), (2, 0, 1)]


def test_named_widths():
    assert named_widths("same", 224, 7, 2, 1) == (2, 3)
    assert named_widths("same_lower", 224, 7, 2, 1) == (3, 2)
    assert named_widths("full", 5, 3, 1, 2) == (4, 4)
    assert named_widths("causal", 5, 3, 1, 2) == (4, 0)


SEVEN = Layer(7, 3, 2, 1, 1, 1)


def test_outputs_that_see_padding():
    numbers = [[seen(SEVEN, SEVEN, i, j) for j in range(4)] for i in range(4)]
    assert numbers == [[5, 3, 3, 5], [3, 0, 0, 3], [3, 0, 0, 3], [5, 3, 3, 5]]


def test_the_terminal_picture():
    lines = rows_of_text(SEVEN, SEVEN)
    assert lines[0].rstrip() == "[░][░][░] ░  ░  ░  ░  ░  ░"
    assert lines[1].startswith("[░][□][□] □ ")
    assert [line.split("   ")[-1].split() for line in lines[3:5]] == [["3", "·", "·", "3"]] * 2
    outcome = run(explain)
    assert outcome.exit_code == 0
    assert "⌊(7 + 1 + 1 − 3)/2⌋ + 1 = 4" in outcome.output


@pytest.mark.parametrize("arguments", [["--n", "7x7"], ["--n", "9", "--d", "2", "--p", "full"]])
def test_the_svg_is_a_document_with_every_cell(tmp_path, arguments):
    path = tmp_path / "layer.svg"
    assert run(explain, *arguments, "-o", str(path)).exit_code == 0
    root = xml.parse(path).getroot()
    kinds = [child.tag.rpartition("}")[2] for child in root]
    cells = 81 + 16 if arguments == ["--n", "7x7"] else 17 + 7
    assert kinds.count("rect") >= cells
    width, height = (float(root.get(name)) for name in ("width", "height"))
    for rectangle in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rectangle.get(a, 0)) for a in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


def test_the_png_is_one(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "layer.png"
    assert run(explain, "--n", "5x5", "-o", str(path)).exit_code == 0
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_title_says_the_settings():
    assert picture(SEVEN, SEVEN).title == (
        "7 × 7 input, 3 × 3 kernel, stride 2, padding 1 → 4 × 4 output"
    )


@pytest.mark.parametrize(
    "arguments", [["--n", "50x50"], ["--n", "3x3x3"], ["--n", "5", "-o", "layer.pdf"]]
)
def test_what_cannot_be_drawn_is_an_error(arguments):
    assert run(explain, *arguments).exit_code == 2


def test_the_picture_in_the_documentation_is_not_stale(tmp_path):
    kept = Path(__file__).parents[2] / "docs" / "explain.svg"
    path = tmp_path / "explain.svg"
    assert run(explain, "--n", "7x7", "-o", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")
