import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.cli import main
from mindone_tcd.pipelines.picture import Picture, grid
from mindone_tcd.pipelines.png_record import read_record

PROMPT = "a red circle on a blue background"


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "x"], "'x' is not a whole number"),
        (["--seed", "-1"], "seed is -1"),
        (["--steps", "0"], "steps is 0"),
        (["--steps", "51"], "from 1 to 50"),
        (["--eta", "2"], "eta is 2.0"),
        (["--size", "100"], "not divisible by 8"),
        (["--size", "big"], "'big' is not a size"),
        (["--count", "0"], "count is 0"),
        (["--method", "ddim"], "invalid choice: 'ddim'"),
        (["--method", "lcm", "--eta", "0.3"], "lcm has no eta"),
        (["--model", "nonsense"], "no model 'nonsense'"),
        (["--lora", "nonsense"], "no LoRA 'nonsense'"),
        (["--out", "/nowhere/a.png"], "there is no folder /nowhere"),
        (["--model", "./nonsense"], "no model './nonsense'"),
        (["--lora", "../nonsense"], "no LoRA '../nonsense'"),
        (["--out", "a.gif"], "pictures are PNG files"),
        (["--out", f"{'a' * 300}.png"], "File name too long"),
        (["--dtype", "int8"], "invalid choice: 'int8'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "generate", PROMPT, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1, err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(capsys):
    code, _, err = run(capsys, "generate", PROMPT, "--steps", "0", "--debug")
    assert code == 2
    assert "Traceback" in err


def test_help_and_refusals_never_import_mindspore():
    script = (
        "import sys\nfrom mindone_tcd.cli import main\n"
        "bad = ['generate', 'x', '--steps', '0'], ['info', 'none.png']\n"
        "for arguments in (['--help'], ['generate', '--help'], *bad):\n"
        "    try:\n        main(arguments)\n    except SystemExit:\n        pass\n"
        "heavy = {'mindspore', 'mindone', 'transformers', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mindone-tcd info picture.png --again" in done.stdout


def test_info_prints_the_record(capsys, tmp_path):
    record = {"prompt": PROMPT, "seed": 3}
    path = Picture(Image.new("RGB", (8, 8)), record).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "info", path)
    assert code == 0
    assert json.loads(out) == record


def test_info_refuses_what_it_cannot_use(capsys, tmp_path):
    picture = Picture(Image.new("RGB", (8, 8)), {"prompt": PROMPT})
    path = picture.save(tmp_path / "a.png")
    sheet = grid([picture]).save(tmp_path / "sheet.png")
    damaged = Picture(picture.image, {"lora": None, "batch_seeds": ["x"]}).save(tmp_path / "damaged.png")
    for arguments, message in (
        (["info", path, "--again"], "the record in"),
        (["info", path, "--out", tmp_path / "b.png"], "--out goes with --again"),
        (["info", tmp_path / "none.png"], "no file"),
        (["info", tmp_path], "is a folder"),
        (["info", sheet, "--again"], "is a grid of pictures; make each again from its own file"),
        (["info", damaged, "--again"], "a seed is 'x'"),
        (["info", path, "--again", "--out", path], "is the picture itself; give another name"),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert message in err


def test_a_prompt_becomes_pictures_that_can_be_made_again(capsys, tmp_path):
    out = tmp_path / "c.png"
    code, printed, err = run(capsys, "generate", PROMPT, "--out", out, "--seed", 3, "--count", 2, "--grid")
    assert code == 0, err
    paths = [tmp_path / name for name in ("c-1.png", "c-2.png", "c-grid.png")]
    assert printed.splitlines() == [str(p) for p in paths]
    assert Image.open(paths[2]).size == (256, 128)
    record = read_record(paths[1])
    assert (record["prompt"], record["seed"], record["batch_seeds"], record["steps"]) == (PROMPT, 4, [3, 4], 4)
    assert record["versions"]["mindspore"]

    code, printed, err = run(capsys, "info", paths[1], "--again")
    assert code == 0, err
    assert printed.splitlines() == [str(tmp_path / "c-2-again.png")]
    assert err.splitlines()[-1] == "the same pixels"
    again = np.asarray(Image.open(tmp_path / "c-2-again.png"))
    assert (again == np.asarray(Image.open(paths[1]))).all()
    assert read_record(paths[2]) == {"grid": [read_record(path) for path in paths[:2]]}

    Picture(Image.new("RGB", (128, 128)), record).save(paths[1])
    code, _, err = run(capsys, "info", paths[1], "--again")
    assert code == 1
    assert "not the same pixels" in err
    assert "the file was changed since" in err


def test_unknown_words_are_warned_of_and_the_picture_is_made(capsys, tmp_path):
    code, _, err = run(capsys, "generate", "a red dragon", "--steps", 1, "--out", tmp_path / "d.png")
    assert code == 0, err
    assert "warning: the model 'shapes' never saw 'dragon'; it knows: circle" in err
    assert (tmp_path / "d.png").is_file()


def test_a_compiled_picture_is_made_again_compiled(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MINDONE_TCD_CACHE", str(tmp_path / "graphs"))
    out = tmp_path / "c.png"
    code, _, err = run(capsys, "generate", PROMPT, "--steps", 1, "--compile", "--lora", "none", "--out", out)
    assert code == 0, err
    assert read_record(out)["compile"] == "step"
    graphs = {file: file.stat().st_ino for file in (tmp_path / "graphs").iterdir()}
    assert len(graphs) == 4
    code, _, err = run(capsys, "info", out, "--again")
    assert code == 0, err
    assert {file: file.stat().st_ino for file in (tmp_path / "graphs").iterdir()} == graphs
    assert read_record(tmp_path / "c-again.png")["compile"] == "step"


def test_a_record_of_an_unknown_form_is_refused(capsys, tmp_path):
    record = {
        **{"prompt": PROMPT, "negative_prompt": None, "seed": 3, "batch_seeds": [3], "steps": 4, "eta": 0.3},
        **{"guidance_scale": 0.0, "width": 128, "height": 128, "model": "shapes", "method": "tcd", "lora": "shipped"},
        **{"dtype": "float32", "compile": "all"},
    }
    path = Picture(Image.new("RGB", (8, 8)), record).save(tmp_path / "a.png")
    code, _, err = run(capsys, "info", path, "--again")
    assert code == 2
    assert "compile is 'all'; expected" in err


def test_selftest_hands_on_the_verdict(capsys, monkeypatch):
    from mindone_tcd.selftest import run as home

    for good in (True, False):
        monkeypatch.setattr(home, "selftest", lambda dtype, say, good=good: say(f"report {dtype}") or good)
        code, out, _ = run(capsys, "selftest", "--dtype", "float16")
        assert (code, out) == (0 if good else 1, "report float16\n")
