"""The command with images to start from, maps, references and styles: its errors, files and records."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.cli import main, pipeline
from mindone_tcd.files import images
from mindone_tcd.generate.generated_image import GeneratedImage
from mindone_tcd.generate.loaded import LoadedPipeline
from mindone_tcd.generate.png_record import read_record

PROMPT = "a red circle on a blue background"
TINY = "a cat"


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def picture(path: Path, k: int = 0, side: int = 128) -> Path:
    pixels = np.random.default_rng(k).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST).save(path)
    return path


BAD = [
    ("--mask m.png", "--mask needs --image"),
    ("--strength 0.5", "--strength needs --image"),
    ("--image p.png --strength 2", "strength is 2.0; expected a number from 0 to 1"),
    ("--image p.png --strength x", "'x' is not a number"),
    ("--image p.png --strength nan", "strength is nan; expected"),
    ("--image p.png --strength 0.2", "strength 0.2 of 4 steps leaves no step; choose a strength of at least 0.25"),
    ("--image p.png --strength 0", "strength 0 of 4 steps leaves no step"),
    ("--image no.png", "image 'no.png' does not exist"),
    ("--image .", "image '.' is a folder"),
    ("--image notes.txt", "image 'notes.txt' is not a PNG, JPEG, WebP, BMP or GIF image"),
    ("--image ftp://h/p.png", "is not a URL of http:// or https://"),
    ("--image p.png --size 100", "size 100 is not divisible by 8"),
    (
        "--image p.png --mask black.png --model M --lora none",
        "mask 'black.png' is black, so there is nothing to change",
    ),
    ("--image p.png --model INPAINTING --lora none", "is an inpainting model; choose the task inpainting"),
    ("--control canny", "--control is 'canny'; expected KIND:IMAGE[:SCALE]"),
    ("--control pose:p.png", "no ControlNet 'pose' is known for shapes; choose one of: canny, depth"),
    ("--control canny:p.png:-1 --model M --lora none --controlnet canny=C", "control_scale is -1.0; expected a number"),
    ("--control canny:no.png --model M --lora none --controlnet canny=C", "control 'no.png' does not exist"),
    ("--control pose:p.png --model M --lora none --controlnet pose=C", "no 'pose' map can be computed from an image"),
    ("--control canny:p.png --model M --lora none --controlnet canny=T", "is a 'T2IAdapter'; expected a ControlNet"),
    (
        "--control canny:p.png --model M --lora none --controlnet canny=/no/c",
        "no ControlNet '/no/c': expected a folder",
    ),
    ("--control canny:p.png --model M --lora none", "no ControlNet 'canny' is known for"),
    ("--control depth:p.png --model M --lora none --controlnet depth=C --depth-model x", "no depth model 'x'"),
    ("--control canny:p.png --t2i canny:p.png", "--control and --t2i do not combine"),
    (
        "--control canny:p.png --image p.png --mask m.png --model M --lora none --controlnet canny=C",
        "no pipeline for inp",
    ),
    ("--t2i canny:p.png --model M --lora none --t2i-adapter canny=T --size 40", "size 40 is not divisible by 32"),
    ("--t2i canny:p.png --image p.png --model M --lora none --t2i-adapter canny=T", "no pipeline for image to image w"),
    ("--reference no.png --model M --lora none --ip-adapter I", "reference 'no.png' does not exist"),
    ("--reference p.png:-1 --model M --lora none --ip-adapter I", "reference_scale is -1.0; expected a number from 0"),
    ("--reference p.png --model M --lora none --ip-adapter /no/i", "no IP-Adapter '/no/i': expected a folder"),
    ("--style oil", "no style LoRA 'oil' is known for shapes; choose one of: badge"),
    ("--style /no/style", "no style LoRA '/no/style': expected a folder"),
    ("--style badge:1000", "the weight of a LoRA in style is 1000.0; expected a number from -100 to 100"),
    ("--frames 3 --image p.png", "--image and --frames do not combine"),
    ("--frames 3 --model M --lora none", "AnimateDiff needs a model in the layout of SD 1.5, but"),
    ("--frames 0 --model SD --lora none --motion-adapter A", "frames is 0; expected an integer from 1 to 256"),
    ("--frames x", "'x' is not an integer"),
    (
        "--frames 33 --model SD --lora none --motion-adapter A",
        "frames is 33, but the motion adapter supports at most 32",
    ),
    ("--motion spin --model SD --lora none --motion-adapter A", "no motion LoRA 'spin' is known"),
    ("--frames 3 --grid --model SD --lora none --motion-adapter A", "--grid needs images, but --frames makes clips"),
]


def test_wrong_arguments_are_one_line_before_mindspore_is_imported(folders, tmp_path):
    models = {
        **{"M": "sdxl", "INPAINTING": "sdxl-inpainting", "SD": "sd15", "C": "controlnet-sdxl", "T": "t2i-adapter-sdxl"},
        **{"I": "ip-adapter", "A": "motion-adapter"},
    }
    for letter, name in models.items():
        (tmp_path / letter).symlink_to(folders(name))
    picture(tmp_path / "p.png")
    Image.new("L", (128, 128), 255).save(tmp_path / "m.png")
    Image.new("L", (128, 128)).save(tmp_path / "black.png")
    (tmp_path / "notes.txt").write_text("no image")
    before = sorted(tmp_path.iterdir())
    script = f"""
import contextlib, io, json, sys
from mindone_tcd.cli import main
answers = []
for text in {[text for text, _ in BAD]!r}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(["generate", {PROMPT!r}, *text.split()])
        except SystemExit as stop:
            code = stop.code
    heavy = sorted({{"mindspore", "mindone", "torch"}} & set(sys.modules))
    answers.append([code, out.getvalue(), err.getvalue(), heavy])
print(json.dumps(answers))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    for (text, message), (code, out, err, heavy) in zip(BAD, json.loads(ran.stdout), strict=True):
        assert (code, out, heavy) == (2, "", []), f"{text}: {err}"
        lines = [line for line in err.splitlines() if not line.startswith("warning:")]
        assert len(lines) == 1, f"{text}: {err}"
        assert message in lines[0], f"{text}: {err}"
    assert sorted(tmp_path.iterdir()) == before, "a refused command has written a file"


class FakePipeline(LoadedPipeline):
    """Images of one color instead of those of a pipeline, with valid records. It counts steps."""

    def make_batch(self, request, seeds, on_step=None):
        record = {"task": self.setup.task, **request.as_record(self.record_paths), **self.sources()}
        record |= {"batch_seeds": list(seeds), "dtype": self.dtype, "compile": False}
        record |= {"device": "CPU", "kernels": "none", "versions": {}}
        size = request.width, request.height
        return [GeneratedImage(Image.new("RGB", size, (seed % 256, 0, 0)), {**record, "seed": seed}) for seed in seeds]


@pytest.fixture
def generated(monkeypatch, tmp_path):
    """Run the command in an empty folder without MindSpore. The list of the setups that it loads."""
    loaded = []

    def load(setup, dtype, form, record_paths=False, quantize=None):
        loaded.append(setup)
        return FakePipeline(None, setup, dtype or "float32", record_paths=record_paths)

    monkeypatch.setattr(pipeline, "load", load)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    return loaded


def test_the_size_of_a_result(capsys, generated, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (300, 200), "red").save(photo)
    for options, size in (((), (160, 104)), (("--size", "128"), (128, 128)), (("--size", "96x192"), (96, 192))):
        code, _, err = run(capsys, "generate", PROMPT, "--image", photo, "--out", "c.png", "--overwrite", *options)
        assert code == 0, err
        assert Image.open("c.png").size == size


def test_an_image_from_an_image_can_be_made_again(capsys, generated, tmp_path):
    photo = picture(tmp_path / "photo.png")
    code, _, err = run(capsys, "generate", PROMPT, "--image", photo, "--out", "c.png")
    assert code == 0, err
    record = read_record("c.png")
    assert (record["task"], record["strength"], record["inputs"][0]["name"]) == ("image-to-image", 0.6, "photo.png")
    assert str(tmp_path).encode() not in Path("c.png").read_bytes()

    generated.clear()
    code, out, err = run(capsys, "info", "c.png", "--again")
    assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
    assert "is the file 'photo.png', which is not in" in err
    assert "pass its folder as --inputs" in err
    code, out, err = run(capsys, "info", "c.png", "--again", "--inputs", tmp_path)
    assert (code, out, err) == (0, "c-again.png\n", "the same pixels\n")
    assert generated.pop().task == "image-to-image"

    shutil.move("c.png", tmp_path / "c.png")
    code, out, err = run(capsys, "info", tmp_path / "c.png", "--again")
    assert (code, out) == (0, f"{tmp_path / 'c-again.png'}\n"), "the image is beside its input"
    shutil.copy(photo, "photo.png")
    shutil.move(tmp_path / "c.png", "c.png")
    assert run(capsys, "info", "c.png", "--again")[0] == 0

    generated.clear()
    picture(Path("photo.png"), 1)
    code, out, err = run(capsys, "info", "c.png", "--again")
    assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
    assert "photo.png' has changed since (SHA-256 " in err
    assert "pass the folder of the original as --inputs" in err
    code, _, err = run(capsys, "info", "c.png", "--again", "--inputs", tmp_path)
    assert code == 0, err


def test_paths_of_inputs_are_recorded_only_with_record_paths(capsys, generated, tmp_path):
    photo = picture(tmp_path / "photo.png")
    code, _, err = run(capsys, "generate", PROMPT, "--image", photo, "--out", "c.png", "--record-paths")
    assert code == 0, err
    assert read_record("c.png")["inputs"][0]["name"] == str(photo)
    assert run(capsys, "info", "c.png", "--again")[0] == 2
    code, _, err = run(capsys, "info", "c.png", "--again", "--trust-record")
    assert code == 0, err


def test_an_image_from_a_url(capsys, generated, tmp_path, monkeypatch):
    content, asked = picture(tmp_path / "photo.png").read_bytes(), []
    monkeypatch.setattr(images, "fetch", lambda url, *_: asked.append(url) or content)
    url = "http://host:8080/photo.png"
    code, _, err = run(capsys, "generate", PROMPT, "--image", url, "--out", "c.png")
    assert code == 0, err
    assert read_record("c.png")["inputs"][0]["name"] == url
    asked.clear()
    generated.clear()
    code, _, err = run(capsys, "info", "c.png", "--again", "--inputs", tmp_path)
    assert (code, asked, generated) == (2, [], [])
    assert f"is the URL '{url}'; add --trust-record to download it again" in err
    code, _, err = run(capsys, "info", "c.png", "--again", "--trust-record")
    assert (code, asked, err) == (0, [url], "the same pixels\n")


def test_inputs_that_were_no_files(capsys, generated, tmp_path):
    code, _, err = run(capsys, "generate", PROMPT, "--image", picture(tmp_path / "photo.png"), "--out", "c.png")
    assert code == 0, err
    generated.clear()
    image, record = Image.open("c.png"), read_record("c.png")
    (entry,) = record["inputs"]
    for name, message in (
        (None, "the image of other.png was passed as pixels, so there is no file to read again"),
        (
            "http://127.0.0.1:9/photo.png",
            "is the URL 'http://127.0.0.1:9/photo.png'; add --trust-record to download it",
        ),
        ("../../../../etc/hosts", "is the file 'hosts', which is not in"),
        ("/etc/hosts", "is the file 'hosts', which is not in"),
    ):
        GeneratedImage(image, {**record, "inputs": [{**entry, "name": name}]}).save("other.png")
        code, out, err = run(capsys, "info", "other.png", "--again")
        assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
        assert message in err


CANNY = {"role": "controlnet", "kind": "canny", "name": "x", "from": "package", "sha256": None, "weight": 1.0}
HOSTILE = [
    ({"inputs": [{}]}, "an entry of inputs is {}; expected an object with slot, kind, name, sha256, scale"),
    ({"inputs": "x"}, "inputs is 'x'; expected a list of at most 16 objects"),
    ({"inputs": [1] * 17}, "expected a list of at most 16 objects"),
    (
        {"inputs": [{"slot": "x", "kind": "", "name": "", "sha256": "0" * 64, "scale": None}]},
        "slot of an entry of inputs",
    ),
    ({"inputs": [{"slot": ["image"], "kind": "", "name": "", "sha256": "0" * 64, "scale": None}]}, "slot of an entry"),
    ({"inputs": [{"slot": "image", "kind": "", "name": 3, "sha256": "0" * 64, "scale": None}]}, "name of an entry"),
    ({"inputs": [{"slot": "image", "kind": "", "name": "", "sha256": "0", "scale": None}]}, "sha256 of an entry"),
    ({"inputs": [{"slot": "image", "kind": "", "name": "", "sha256": "0" * 64, "scale": 1e9}]}, "scale of an entry"),
    ({"parts": [{"role": "x"}]}, "an entry of parts is"),
    ({"parts": {}}, "parts is {}; expected a list of at most 16 objects"),
    ({"parts": [[]] * 17}, "expected a list of at most 16 objects"),
    ({"task": "x"}, "task is 'x'; expected one of: text-to-image"),
    ({"task": ["x"]}, "task is ['x']; expected one of"),
    ({"strength": 2}, "strength is 2; expected a number from 0 to 1"),
    ({"frames": 10**6}, "frames is 1000000; expected an integer from 1 to 256"),
    ({"task": "text-to-image"}, "does not take"),
    ({"task": "ip-adapter"}, "the parts in the record of c.png are not those of its task (IP-Adapter); it cannot be"),
    ({"task": "controlnet", "parts": [CANNY]}, "does not take strength; it takes: control, control_scale"),
    ({"inputs": []}, "image-to-image needs image"),
]


@pytest.mark.parametrize(("changes", "message"), HOSTILE)
def test_records_with_wrong_inputs_and_parts_open_nothing(capsys, generated, tmp_path, monkeypatch, changes, message):
    photo = picture(tmp_path / "out" / "photo.png")
    code, _, err = run(capsys, "generate", PROMPT, "--image", photo, "--out", "c.png")
    assert code == 0, err
    generated.clear()
    GeneratedImage(Image.open("c.png"), {**read_record("c.png"), **changes}).save("c.png")
    code, out, err = run(capsys, "info", "c.png", "--again")
    assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
    assert message in err
    assert len(err) < 1000


@pytest.fixture
def with_control(capsys, generated, folders, tmp_path):
    """The options of a model with a ControlNet and a style, and an image with them."""
    photo = picture(tmp_path / "out" / "photo.png")
    model = ("--model", folders("sdxl"))
    code, out, err = run(
        capsys,
        *("generate", TINY, *model, "--lora", "none", "--control", f"canny:{photo}:0.7", "--out", "c.png"),
        *("--controlnet", f"canny={folders('controlnet-sdxl')}", "--style", f"{folders('lora-sdxl')}:0.5"),
        *("--save-control", "--grid", "--count", 2),
    )
    assert code == 0, err
    assert out.splitlines() == ["c-canny.png", "c-1.png", "c-2.png", "c-grid.png"]
    generated.clear()
    return model


def test_a_saved_map_has_no_record(capsys, with_control):
    pixels = np.asarray(Image.open("c-canny.png"))
    assert pixels.shape == (64, 64, 3)
    assert set(np.unique(pixels)) == {0, 255}
    code, _, err = run(capsys, "info", "c-canny.png")
    assert code == 2
    assert "c-canny.png has no record" in err


def test_parts_of_a_record_must_be_named(capsys, generated, with_control, folders):
    parts = read_record("c-1.png")["parts"]
    assert [(part["role"], part["from"], part["weight"]) for part in parts] == [
        ("controlnet", "folder", 1.0),
        ("style", "folder", 0.5),
    ]
    assert str(folders("sdxl").parent).encode() not in Path("c-1.png").read_bytes()
    control, style = (f"controlnet={folders('controlnet-sdxl')}", f"style={folders('lora-sdxl')}")
    other = folders("controlnet-sdxl", 1)
    for options, message in (
        ((), "names the model 'sdxl-0'; a record alone does not decide"),
        (with_control, "names the ControlNet 'controlnet-sdxl-0'; a record alone does not decide"),
        ((*with_control, "--part", control), "names the style LoRA 'lora-sdxl-0'; a record alone does not decide"),
        (
            (*with_control, "--part", control, "--part", "x=y"),
            "has no part 'x'; it has: controlnet, controlnet:canny, s",
        ),
        ((*with_control, "--part", "controlnet"), "--part is 'controlnet'; expected ROLE=MODEL"),
        (
            (*with_control, "--part", control, "--trust-record"),
            "name of the style LoRA, 'lora-sdxl-0', but not its path",
        ),
        ((*with_control, "--part", "controlnet=/no/c", "--part", style), "no ControlNet '/no/c': expected a folder"),
        (
            (*with_control, "--part", f"controlnet={other}", "--part", style),
            "the ControlNet 'controlnet-sdxl-1' has other",
        ),
    ):
        code, out, err = run(capsys, "info", "c-1.png", "--again", *options)
        assert (code, out, generated, err.count("\n")) == (2, "", [], 1), err
        assert message in err
    code, _, err = run(capsys, "info", "c-1.png", "--again", *with_control, "--part", control, "--part", style)
    assert (code, err) == (0, "the same pixels\n")
    (setup,) = generated
    assert [(part.role, part.kind, part.weight) for part in setup.parts] == [
        ("controlnet", "canny", 1.0),
        ("style", "", 0.5),
    ]


def test_paths_of_parts_are_trusted_on_request(capsys, generated, folders, tmp_path):
    photo = picture(tmp_path / "out" / "photo.png")
    code, _, err = run(
        capsys,
        *("generate", TINY, "--model", folders("sdxl"), "--lora", "none", "--out", "c.png", "--record-paths"),
        *("--reference", f"{photo}:0.2", "--ip-adapter", folders("ip-adapter")),
    )
    assert code == 0, err
    (part,) = read_record("c.png")["parts"]
    assert (part["path"], part["name"]) == (str(folders("ip-adapter")), "ip-adapter-0")
    code, _, err = run(capsys, "info", "c.png", "--again", "--trust-record")
    assert (code, err) == (0, "the same pixels\n")


def test_a_hostile_part_of_the_package_opens_nothing(capsys, generated, folders, monkeypatch):
    code, _, err = run(capsys, "generate", PROMPT, "--out", "c.png")
    assert code == 0, err
    generated.clear()
    record = read_record("c.png")
    entry = {"role": "style", "name": "x", "from": "package", "sha256": None, "weight": 1.0}
    for kind in (str(folders("lora-sdxl")), "owner/name", "../x"):
        GeneratedImage(Image.open("c.png"), {**record, "parts": [{**entry, "kind": kind}]}).save("c.png")
        code, out, err = run(capsys, "info", "c.png", "--again")
        assert (code, out, generated, err.count("\n")) == (2, "", [], 1)
        assert "is in the package, but it is not" in err


def test_existing_maps_and_previews_are_kept(capsys, generated, folders, tmp_path):
    photo = picture(tmp_path / "photo.png")
    options = (
        *("--model", folders("sdxl"), "--lora", "none", "--control", f"canny:{photo}", "--save-control"),
        *("--controlnet", f"canny={folders('controlnet-sdxl')}", "--out", "c.png"),
    )
    for taken, more in (("c-canny.png", ()), ("c-preview.png", ("--preview",))):
        Path(taken).write_bytes(b"before")
        code, out, err = run(capsys, "generate", TINY, *options, *more)
        assert (code, out, generated) == (2, "", [])
        assert f"{taken} already exists; choose another name with --out, or add --overwrite" in err
        assert Path(taken).read_bytes() == b"before"
        Path(taken).unlink()


def test_a_map_a_reference_a_style_and_a_preview(capsys, folders, tmp_path):
    photo, out = picture(tmp_path / "photo.png"), tmp_path / "c.png"
    model = ("--model", folders("sdxl"), "--lora", folders("lora-sdxl", 1, "tcd"))
    networks = {"controlnet": folders("controlnet-sdxl"), "ip-adapter": folders("ip-adapter")}
    style = folders("lora-sdxl")
    code, printed, err = run(
        capsys,
        *("generate", TINY, *model, "--control", f"canny:{photo}", "--controlnet", f"canny={networks['controlnet']}"),
        *("--reference", f"{photo}:0.6", "--ip-adapter", networks["ip-adapter"], "--style", f"{style}:0.8"),
        *("--steps", 2, "--save-control", "--preview", "--out", out),
    )
    assert code == 0, err
    assert printed.splitlines() == [str(tmp_path / "c-canny.png"), str(out)]
    preview = tmp_path / "c-preview.png"
    assert [line for line in err.splitlines() if line.startswith("step ")] == [f"step {k}: {preview}" for k in (1, 2)]
    assert (np.asarray(Image.open(preview)) == np.asarray(Image.open(out))).all(), "the last step is the image"
    parts = [word for role, folder in {**networks, "style": style}.items() for word in ("--part", f"{role}={folder}")]
    code, _, err = run(capsys, "info", out, "--again", *model, *parts)
    assert code == 0, err
    assert err.splitlines()[-1] == "the same pixels"


@pytest.mark.filterwarnings("ignore:the prompt names no")
def test_image_to_image_with_the_shipped_model_gives_the_same_pixels_again(capsys, tmp_path):
    photo = picture(tmp_path / "photo.png")
    out = tmp_path / "c.png"
    code, printed, err = run(
        capsys, "generate", PROMPT, "--image", photo, "--steps", 2, "--seed", 5, "--count", 2, "--out", out
    )
    assert code == 0, err
    assert printed.splitlines() == [str(tmp_path / f"c-{k}.png") for k in (1, 2)]
    for name in ("c-1", "c-2"):
        code, printed, err = run(capsys, "info", tmp_path / f"{name}.png", "--again")
        assert code == 0, err
        assert err.splitlines()[-1] == "the same pixels"
        again, first = (np.asarray(Image.open(tmp_path / f"{name}{end}.png")) for end in ("-again", ""))
        assert (again == first).all()
    record = read_record(tmp_path / "c-2.png")
    assert (record["task"], record["batch_seeds"], record["inputs"][0]["name"]) == (
        "image-to-image",
        [5, 6],
        "photo.png",
    )
