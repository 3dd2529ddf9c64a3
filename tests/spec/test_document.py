"""The derivations in docs/ are those of the spec, and the command prints them."""

from __future__ import annotations

import pytest

from implicitpad.spec.__main__ import DOCUMENT, main
from implicitpad.spec.document import document


def test_the_document_is_not_stale():
    if not DOCUMENT.parent.exists():
        pytest.skip("docs/ is not installed")
    hint = "python -m implicitpad.spec --document writes it anew"
    assert DOCUMENT.read_text(encoding="utf-8") == document(), hint


def test_a_theorem_is_printed_in_text_and_latex(capsys):
    main(["band"])
    assert "(m − 1)·s ≤ n + P − F < m·s" in capsys.readouterr().out
    main(["band", "--latex"])
    assert r"\left(m - 1\right) s \le n + P - F < m s" in capsys.readouterr().out.replace(
        r"s \left(m - 1\right)", r"\left(m - 1\right) s"
    )


def test_certificates_are_printed_as_sums(capsys):
    main(["output_size", "--certificates"])
    assert "h1 + h2 = -1 < 0" in capsys.readouterr().out


def test_an_unknown_theorem_is_an_error(capsys):
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "no theorem is called nonsense" in capsys.readouterr().err
