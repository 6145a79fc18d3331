"""``mindone-tcd compare``: its arguments become sides and calls; bad ones are one line."""

from pathlib import Path

import pytest

from mindone_tcd.cli import main
from mindone_tcd.compare import FILES, metrics, run
from mindone_tcd.compare.sides import Side
from mindone_tcd.generate.plan import Extras


@pytest.fixture
def called(monkeypatch):
    """The arguments of the comparison that the command runs."""
    found = {}

    def compare(sides, **given):
        found.update(sides=sides, **given)
        return Path("out"), "the report"

    monkeypatch.setattr(run, "compare", compare)
    return found


def test_arguments_become_sides_and_calls(called, capsys, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a red star on white\n")
    options = ["--against", "int8", "--against", "lora=none", "--compile", "--fuse", "--prompts", "3", "--judged", "5"]
    options += ["--starts", "2", "--seed", "4", "--steps", "8", "--eta", "0.5", "--guidance", "2", "--size", "128x96"]
    options += ["--control", "canny:star.png:0.8", "--prompts-file", str(prompts), "--negative", "a circle"]
    assert main(["compare", *options, "--out", "out"]) == 0
    base, narrow, plain = called["sides"]
    assert base == Side("controlnet", "shapes", form="step", fused=True, extras=Extras(control=[("canny", None)]))
    assert (narrow.quantize, narrow.form, plain.lora) == ("int8", "step", "none")
    assert called["call"] == {
        "negative_prompt": "a circle",
        "steps": 8,
        "guidance_scale": 2.0,
        "eta": 0.5,
        "size": (128, 96),
    }
    assert called["inputs"] == {"control": ["star.png"], "control_scale": [0.8]}
    assert (called["timed"], called["judged"], called["starts"], called["seed"]) == (3, 5, 2, 4)
    assert called["prompts"] == ["a red star on white"]
    assert called["out"] == Path("out")
    assert called["command"].startswith("mindone-tcd compare --against int8 --against lora=none")
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["the report", *(str(Path("out") / name) for name in FILES)]
    called["say"]("a line")
    assert capsys.readouterr().err == "a line\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --against"),
        (["--against", "nonsense"], "no model 'nonsense'"),
        (["--against", "eager"], "the same as another side"),
        (["--against", "float16", "--prompts", "x"], "'x' is not an integer"),
        (["--against", "float16", "--prompts", "0"], "prompts is 0"),
        (["--against", "float16", "--frames", "16"], "unrecognized arguments: --frames 16"),
        (["--against", "float16", "--save-control"], "unrecognized arguments: --save-control"),
        (["--against", "float16", "--quantize", "int8", "--fuse"], "--fuse and --quantize do not combine"),
        (["--against", "float16", "--prompts-file", "none.txt"], "cannot read prompts from none.txt"),
        (["--against", "float16", "--out", "/nowhere/a"], "there is no folder /nowhere"),
    ],
)
def test_bad_arguments_are_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(metrics, "require_scikit_image", lambda: None)
    try:
        code = main(["compare", *arguments])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
