"""Every script in examples/ runs offline as it stands, on what ships or on stand-ins, and writes what it says."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs(script, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script.name])
    runpy.run_path(str(script), run_name="__main__")
    said = capfd.readouterr().out.splitlines()
    written = sorted(path.name for path in tmp_path.iterdir())
    assert sorted(said[-1].split()) == written
    for name in written:
        with Image.open(tmp_path / name) as image:
            low, high = image.convert("L").getextrema()
            assert high > low, f"{name} is one flat colour"
    if "on_the_spot" in script.read_text(encoding="utf-8"):
        assert any("stand-in" in line for line in said[:-1])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_its_help_teaches(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 0
    assert f"python examples/{script.name}" in capsys.readouterr().out
