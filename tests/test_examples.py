"""Every script in examples/ runs offline, on shipped or tiny random models, and writes the file that it names."""

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from mindone_tcd import shapes

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


ON_TRAINED_MODELS = ("controlnet_depth", "controlnet_normal")
"""Examples that create a tiny random model only if an option asks for it."""

QUICK = ("image_to_image",)
"""Examples that plain pytest runs. The others are marked slow."""


@pytest.mark.parametrize(
    "script",
    [pytest.param(s, id=s.stem, marks=() if s.stem in QUICK else pytest.mark.slow) for s in SCRIPTS],
)
def test_it_runs(script, tmp_path, monkeypatch, capfd):
    check(script, [], tmp_path, monkeypatch, capfd)


@pytest.mark.slow
def test_several_controlnets(tmp_path, monkeypatch, capfd):
    script = next(path for path in SCRIPTS if path.stem == "controlnet_canny")
    options = ["--controlnet", str(shapes.model("controlnet-canny"))] * 2
    check(script, options, tmp_path, monkeypatch, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TRAINED_MODELS)
def test_a_tiny_depth_estimator(name, tmp_path, monkeypatch, capfd):
    script = next(path for path in SCRIPTS if path.stem == name)
    check(script, ["--dpt", "tiny"], tmp_path, monkeypatch, capfd)


def check(script, options, folder, monkeypatch, capfd):
    """Run the script in this empty folder. Its last line of output must name the images that it writes there."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [script.name, *options])
    runpy.run_path(str(script), run_name="__main__")
    said = capfd.readouterr().out.splitlines()
    written = sorted(path.name for path in folder.iterdir())
    assert sorted(said[-1].split()) == written
    for name in written:
        with Image.open(folder / name) as image:
            low, high = image.convert("L").getextrema()
            assert high > low, f"{name} is one flat color"
    tiny = "make_temporary" in script.read_text(encoding="utf-8")
    if tiny and (script.stem not in ON_TRAINED_MODELS or options):
        assert any("tiny random model" in line for line in said[:-1])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_its_help_shows_examples(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 0
    assert f"python examples/{script.name}" in capsys.readouterr().out
