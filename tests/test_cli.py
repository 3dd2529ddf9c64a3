"""The command line: the group, `info` and `demo`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from click.testing import CliRunner

from implicitpad import _conv_cpu
from implicitpad.cli import COMMANDS, main


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from implicitpad.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([m for m in sys.modules if m.startswith('implicitpad.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    assert f"Usage: main {name}" in run(name, "--help")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("implicitpad.cli.demo", "implicitpad.cli._figure"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delattr("implicitpad.cli._figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "implicitpad demo needs matplotlib: pip install 'implicitpad[demo]'." in result.output


def test_python_m_is_the_command() -> None:
    command = [sys.executable, "-m", "implicitpad", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("implicitpad, version ")


def test_info_names_the_instruction_set_in_use() -> None:
    output = run("info")
    assert f"{_conv_cpu.get_instruction_set()} is in use" in output
    assert "CuPy" in output


@pytest.fixture
def picture() -> np.ndarray:
    """Noise on a gradient: (3, 160, 150) float32."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0.2, 0.9, 150)
    return (slope + 0.1 * rng.standard_normal((3, 160, 150))).clip(0, 1).astype(np.float32)


def test_the_three_ways_differ_only_near_the_border(picture: np.ndarray) -> None:
    from implicitpad.cli import _diffusion

    fill = np.array([0.9, 0.8, 0.7], np.float32)
    reach = _diffusion.REACH
    truth = _diffusion.valid(picture, fill)
    results = {way: function(picture, fill) for way, function in _diffusion.WAYS.items()}
    for result in results.values():
        assert result.shape == picture.shape
        assert np.allclose(result[:, reach:-reach, reach:-reach], truth, rtol=0, atol=1e-5)
    assert np.allclose(results["implicit"], results["explicit"], rtol=0, atol=1e-5)
    assert not np.allclose(results["implicit"][:, 0], results["zeros"][:, 0], atol=0.1)


def test_the_filter_keeps_a_constant_picture() -> None:
    from implicitpad.cli import _diffusion

    fill = np.array([0.9, 0.5, 0.1], np.float32)
    flat = np.broadcast_to(fill[:, None, None], (3, 20, 30)).copy()
    assert np.allclose(_diffusion.implicit(flat, fill), flat, atol=1e-6)


def test_profile_averages_rings() -> None:
    from implicitpad.cli._figure import distance_profile

    error = np.zeros((4, 6))
    error[1:3, 1:5] = 2
    error[1, 1] = 10
    assert np.array_equal(distance_profile(error), [0, 3])


def test_demo_prints_a_table_and_saves_a_figure(tmp_path: Path, picture: np.ndarray) -> None:
    from skimage.io import imread, imsave

    source, target = tmp_path / "picture.png", tmp_path / "figure.png"
    imsave(source, (255 * picture.transpose(1, 2, 0)).astype(np.uint8), check_contrast=False)
    output = run("demo", str(source), "--output", str(target))
    assert "implicit padding" in output
    assert "gave the result of explicit padding" in output
    assert target.name in output
    assert imread(target).shape[2] in (3, 4)


@pytest.mark.parametrize("shape", [(20, 20), (150, 150, 2)])
def test_demo_refuses_what_is_no_picture(tmp_path: Path, shape: tuple[int, ...]) -> None:
    from skimage.io import imsave

    source = tmp_path / "stack.tif"
    imsave(source, np.zeros(shape, np.uint8), check_contrast=False)
    result = CliRunner().invoke(main, ["demo", str(source)])
    assert result.exit_code == 1
    assert f"has shape {shape}; needed is a grey or colour picture" in result.output
