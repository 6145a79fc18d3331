import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.cli import main, pipeline
from mindone_tcd.files import model_folder as folder
from mindone_tcd.generate.generated_image import GeneratedImage, grid
from mindone_tcd.generate.loaded import LoadedPipeline
from mindone_tcd.generate.png_record import read_record
from mindone_tcd.shapes.folder import SHAPES_FOLDER

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
        (["--seed", "x"], "'x' is not an integer"),
        (["--seed", "-1"], "seed is -1"),
        (["--seed", "1" * 101], "a number of 101 characters; at most 100"),
        (["--grid", "--count", "10000", "--size", "176"], "a grid of 10000 images of 176x176 has"),
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
        (["--out", "a.gif"], "images are PNG files"),
        (["--out", f"{'a' * 300}.png"], "File name too long"),
        (["--dtype", "int8"], "invalid choice: 'int8'"),
        (["--quantize", "int4"], "invalid choice: 'int4'"),
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
    assert "mindone-tcd info image.png --again" in done.stdout


def test_info_prints_the_record(capsys, tmp_path):
    record = {"prompt": PROMPT, "seed": 3}
    path = GeneratedImage(Image.new("RGB", (8, 8)), record).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "info", path)
    assert code == 0
    assert json.loads(out) == record


def test_info_escapes_terminal_control_characters(capsys, tmp_path):
    record = {"prompt": "\x1b]0;title\x07\x9b31m \u202e \ud800 红", "\x1b[2J": "\n"}
    path = GeneratedImage(Image.new("RGB", (8, 8)), record).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "info", path)
    assert code == 0
    assert json.loads(out) == record
    assert not set(out) & set("\x1b\x07\x9b\u202e\ud800"), ascii(out)
    assert "红" in out
    record = {"prompt": PROMPT, "seed": "\x1b[2J\n\u202e"}
    path = GeneratedImage(Image.new("RGB", (8, 8)), record).save(tmp_path / "\x1b[2J\nb.png")
    code, out, err = run(capsys, "info", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not set(err) & set("\x1b\u202e"), ascii(err)


def test_info_on_a_terminal_that_is_ascii_only(tmp_path):
    path = GeneratedImage(Image.new("RGB", (8, 8)), {"prompt": "红"}).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "mindone_tcd.cli", "info", str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"prompt": "红"}


def test_info_refuses_files_without_a_usable_record(capsys, tmp_path):
    image = GeneratedImage(Image.new("RGB", (8, 8)), {"prompt": PROMPT})
    path = image.save(tmp_path / "a.png")
    sheet = grid([image]).save(tmp_path / "sheet.png")
    damaged = GeneratedImage(image.image, {"lora": None, "batch_seeds": ["x"]}).save(tmp_path / "damaged.png")
    for arguments, message in (
        (["info", path, "--again"], "the record in"),
        (["info", path, "--out", tmp_path / "b.png"], "--out needs --again"),
        (["info", tmp_path / "none.png"], "no file"),
        (["info", tmp_path], "is a folder"),
        (["info", sheet, "--again"], "is a grid of images; repeat each image from its own file"),
        (["info", damaged, "--again"], "a seed is 'x'"),
        (["info", path, "--again", "--out", path], "is the image itself; choose another name"),
        (["info", path, "--again", "--overwrite", "--out", path], "is the image itself; choose another name"),
        (["info", path, "--trust-record"], "--trust-record needs --again"),
        (["info", path, "--overwrite"], "--overwrite needs --again"),
        (["info", path, "--model", "shapes"], "--model needs --again"),
        (["info", path, "--lora", "none"], "--lora needs --again"),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert message in err


class FakePipeline(LoadedPipeline):
    """Images of one color instead of those of a pipeline, with valid records."""

    def make_batch(self, request, seeds, on_step=None):
        common = {"task": self.setup.task, **request.as_record(self.record_paths), **self.sources()}
        common |= {"batch_seeds": list(seeds), "dtype": self.dtype}
        common |= {} if self.quantize is None else {"quantize": self.quantize}
        common |= {"compile": False, "device": "CPU", "kernels": "none", "versions": {}}
        size = request.width, request.height
        return [GeneratedImage(Image.new("RGB", size, (seed % 256, 0, 0)), {**common, "seed": seed}) for seed in seeds]


@pytest.fixture
def generated(monkeypatch, tmp_path):
    """Run the command in an empty folder without MindSpore. The list of the models and LoRAs that it loads."""
    loaded = []

    def load(setup, dtype, form, record_paths=False, quantize=None):
        loaded.append((setup.model.location, setup.recipe.lora))
        return FakePipeline(None, setup, dtype or "float32", record_paths=record_paths, quantize=quantize)

    monkeypatch.setattr(pipeline, "load", load)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    return loaded


@pytest.fixture
def shapes(tmp_path):
    """A copy of the shipped model, without its LoRAs. A test may damage it."""
    made = tmp_path / "model"
    shutil.copytree(SHAPES_FOLDER, made, ignore=shutil.ignore_patterns("*_lora"))
    return made


def test_nothing_is_overwritten_by_default(capsys, generated):
    name = "a-red-circle-on-a-blue-background-seed0"
    printed = []
    for options in ((), ("--method", "lcm"), ("--count", 2, "--grid"), ("--count", 2)):
        code, out, err = run(capsys, "generate", PROMPT, *options)
        assert code == 0, err
        printed.append(out.splitlines())
    assert printed == [
        [f"{name}.png"],
        [f"{name}-2.png"],
        [f"{name}-2-1.png", f"{name}-2-2.png", f"{name}-2-grid.png"],
        [f"{name}-3-1.png", f"{name}-3-2.png"],
    ]
    assert [read_record(f"{name}{end}.png")["method"] for end in ("", "-2")] == ["tcd", "lcm"]


@pytest.mark.filterwarnings("ignore:the model 'shapes' does not know")
def test_chinese_prompts_have_distinct_file_names(capsys, generated):
    for prompt, name in (("红色的圆", "红色的圆-seed0.png"), ("蓝色的星", "蓝色的星-seed0.png")):
        code, out, err = run(capsys, "generate", prompt)
        assert (code, out) == (0, f"{name}\n"), err


def test_a_named_file_is_replaced_only_with_overwrite(capsys, generated, tmp_path):
    out = tmp_path / "c.png"
    for taken, options in (("c.png", ()), ("c-2.png", ("--count", 2)), ("c-grid.png", ("--grid",))):
        (tmp_path / taken).write_bytes(b"before")
        code, printed, err = run(capsys, "generate", PROMPT, "--out", out, *options)
        assert (code, printed) == (2, "")
        assert f"{taken} already exists; choose another name with --out, or add --overwrite" in err
        assert err.count("\n") == 1
        assert generated == [], "the model was loaded first"
        assert (tmp_path / taken).read_bytes() == b"before"
        code, printed, err = run(capsys, "generate", PROMPT, "--out", out, "--overwrite", *options)
        assert code == 0, err
        assert read_record(tmp_path / taken)
        generated.clear()
        for file in tmp_path.glob("*.png"):
            file.unlink()


def test_info_again_replaces_no_file(capsys, generated):
    run(capsys, "generate", PROMPT, "--out", "c.png")
    for name in ("c-again.png", "c-again-2.png"):
        code, out, err = run(capsys, "info", "c.png", "--again")
        assert (code, out, err) == (0, f"{name}\n", "the same pixels\n")
    code, out, err = run(capsys, "info", "c.png", "--again", "--out", "c-again.png")
    assert (code, out) == (2, "")
    assert "c-again.png already exists" in err
    code, out, err = run(capsys, "info", "c.png", "--again", "--out", "c-again.png", "--overwrite")
    assert (code, out) == (0, "c-again.png\n"), err


def test_a_png_alone_loads_no_model_that_it_names(capsys, generated, shapes, monkeypatch):
    def fetch(*_arguments, **_options):
        raise AssertionError("the hub was asked")

    code, _, err = run(capsys, "generate", PROMPT, "--model", shapes, "--lora", "none", "--out", "c.png")
    assert code == 0, err
    assert str(shapes).encode() not in Path("c.png").read_bytes()
    assert str(shapes.parent).encode() not in Path("c.png").read_bytes()
    generated.clear()
    monkeypatch.setattr(folder, "fetch_file", fetch)
    record = read_record("c.png")
    old = {key: value for key, value in record.items() if not key.startswith(("model_", "lora_"))}
    image = Image.open("c.png")
    for name, changed in (
        ("c.png", record),
        ("path.png", {**record, "model_path": str(shapes)}),
        ("hub.png", {**record, "model": "nobody/nothing", "model_from": "hub"}),
        ("old.png", {**old, "model": str(shapes)}),
        ("lora.png", {**old, "model": "shapes", "lora": str(shapes)}),
        ("hub-lora.png", {**old, "model": "shapes", "lora": "nobody/nothing"}),
    ):
        GeneratedImage(image, changed).save(name)
        code, out, err = run(capsys, "info", name, "--again")
        assert (code, out, generated, err.count("\n")) == (2, "", [], 1), f"{name}: {err}"
        assert "a record alone does not decide" in err

    for name, options in (
        ("c.png", ("--model", shapes)),
        ("path.png", ("--trust-record",)),
        ("old.png", ("--trust-record",)),
        ("old.png", ("--model", shapes)),
    ):
        code, _, err = run(capsys, "info", name, "--again", *options)
        assert code == 0, err
        assert err.endswith("the same pixels\n")
        assert ("warning: the digest of the model's weights is missing in the record" in err) == (name == "old.png")
        assert generated.pop() == (str(shapes), None)

    file = shapes / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    code, out, err = run(capsys, "info", "c.png", "--again", "--model", shapes)
    assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
    assert "the model 'model' has other weights" in err


def test_paths_are_recorded_only_with_record_paths(capsys, generated, shapes):
    run(capsys, "generate", PROMPT, "--model", shapes, "--lora", "none", "--out", "c.png", "--record-paths")
    assert read_record("c.png")["model_path"] == str(shapes)


def test_an_image_that_does_not_match_its_record_is_refused_before_loading(capsys, generated):
    run(capsys, "generate", PROMPT, "--out", "c.png")
    generated.clear()
    record = read_record("c.png")
    GeneratedImage(Image.new("RGB", (8, 8)), record).save("c.png")
    code, out, err = run(capsys, "info", "c.png", "--again")
    assert (code, out, generated) == (2, "", [])
    assert "c.png has 8x8 pixels, but its record states 128x128" in err

    GeneratedImage(Image.new("RGB", (128, 128)), record).save("c.png")
    whole = Path("c.png").read_bytes()
    place = whole.index(b"IDAT")
    Path("c.png").write_bytes(whole[: place + 4] + b"none" + whole[place + 8 :])
    code, out, err = run(capsys, "info", "c.png", "--again")
    assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
    assert "c.png cannot be read as an image" in err


def test_generated_images_can_be_reproduced(capsys, tmp_path):
    out = tmp_path / "c.png"
    code, printed, err = run(
        capsys, "generate", PROMPT, "--out", out, "--seed", 3, "--steps", 2, "--count", 2, "--grid"
    )
    assert code == 0, err
    paths = [tmp_path / name for name in ("c-1.png", "c-2.png", "c-grid.png")]
    assert printed.splitlines() == [str(p) for p in paths]
    assert Image.open(paths[2]).size == (256, 128)
    record = read_record(paths[1])
    assert (record["prompt"], record["seed"], record["batch_seeds"], record["steps"]) == (PROMPT, 4, [3, 4], 2)
    assert record["versions"]["mindspore"]

    code, printed, err = run(capsys, "info", paths[1], "--again")
    assert code == 0, err
    assert printed.splitlines() == [str(tmp_path / "c-2-again.png")]
    assert err.splitlines()[-1] == "the same pixels"
    again = np.asarray(Image.open(tmp_path / "c-2-again.png"))
    assert (again == np.asarray(Image.open(paths[1]))).all()
    assert read_record(paths[2]) == {"grid": [read_record(path) for path in paths[:2]]}

    GeneratedImage(Image.new("RGB", (128, 128)), record).save(paths[1])
    code, _, err = run(capsys, "info", paths[1], "--again")
    assert code == 1
    assert "not the same pixels" in err
    assert "the file was changed since" in err


def test_unknown_words_cause_a_warning_but_no_error(capsys, tmp_path):
    code, _, err = run(capsys, "generate", "a red dragon", "--steps", 1, "--out", tmp_path / "d.png")
    assert code == 0, err
    assert "warning: the model 'shapes' does not know 'dragon'; it knows: circle" in err
    assert (tmp_path / "d.png").is_file()


def test_a_quantized_image_is_generated_again_quantized(capsys, generated, monkeypatch):
    kinds, load = [], pipeline.load

    def noted(*args, **options):
        pipe = load(*args, **options)
        kinds.append(pipe.quantize)
        return pipe

    monkeypatch.setattr(pipeline, "load", noted)
    for name, options in (("float.png", ()), ("int8.png", ("--quantize", "int8"))):
        code, _, err = run(capsys, "generate", PROMPT, "--out", name, *options)
        assert code == 0, err
        assert read_record(name).get("quantize") == kinds[-1]
        code, _, err = run(capsys, "info", name, "--again")
        assert code == 0, err
    assert kinds == [None, None, "int8", "int8"]


def test_the_form_of_the_graphs_is_passed_on(capsys, generated, monkeypatch):
    forms, load = [], pipeline.load

    def noted(setup, dtype, form, *others, **options):
        forms.append(form)
        return load(setup, dtype, form, *others, **options)

    monkeypatch.setattr(pipeline, "load", noted)
    for name, options in (("eager.png", ()), ("compiled.png", ("--compile",))):
        code, _, err = run(capsys, "generate", PROMPT, "--out", name, *options)
        assert code == 0, err
    GeneratedImage(Image.open("compiled.png"), {**read_record("compiled.png"), "compile": "trajectory"}).save(
        "compiled.png"
    )
    for name in ("eager.png", "compiled.png"):
        code, _, err = run(capsys, "info", name, "--again")
        assert code == 0, err
    assert forms == [None, "step", None, "trajectory"]


@pytest.mark.slow
def test_a_compiled_image_is_reproduced_with_a_compiled_pipeline(capsys, tmp_path, monkeypatch):
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
    path = GeneratedImage(Image.new("RGB", (8, 8)), record).save(tmp_path / "a.png")
    code, _, err = run(capsys, "info", path, "--again")
    assert code == 2
    assert "compile is 'all'; expected" in err


def test_the_exit_status_of_selftest_is_the_verdict(capsys, monkeypatch):
    from mindone_tcd.selftest import run as home

    for good in (True, False):
        monkeypatch.setattr(home, "selftest", lambda dtype, say, good=good: say(f"report {dtype}") or good)
        code, out, _ = run(capsys, "selftest", "--dtype", "float16")
        assert (code, out) == (0 if good else 1, "report float16\n")
