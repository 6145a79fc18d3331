"""benchmarks/family.py, from its command line to its files, with drawings instead of generated images."""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse
from mindone_tcd.shapes.styles import draw_badge

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


class Drawings:
    """A backend that draws what the prompt and the inputs ask for; without a UNet for inpainting, holes stay."""

    def __init__(self, family):
        self.family = family

    def network(self, name, folder):
        return name

    def pipeline(self, name, scheduler, lora=True, **parts):
        return Pipeline(name, self.family.SCHEDULERS[scheduler], parts)

    def call(self, pipe, generators, prompt, image=None, mask_image=None, ip_adapter_image=None, **options):
        assert len(generators) == len(prompt)
        out = []
        for k, text in enumerate(prompt):
            scene = parse(text)
            if ip_adapter_image is not None and pipe.weight:
                out.append(np.asarray(ip_adapter_image, np.float32) / 255)
            elif scene is None:
                out.append(np.full((128, 128, 3), 0.5, np.float32))
            elif "style" in pipe.adapters:
                out.append(draw_badge(scene))
            elif mask_image is not None and "unet" not in pipe.parts:
                out.append(np.asarray(image[k], np.float32) / 255)
            elif mask_image is not None:
                mask = np.asarray(mask_image[k]) > 127
                rows, columns = (np.nonzero(mask.any(axis))[0] for axis in (1, 0))
                x, y = ((places[0] + places[-1] + 1) / 128 - 1 for places in (columns, rows))
                thing = replace(scene.things[0], x=x, y=y, radius=len(rows) / 128 * 0.7)
                patch = draw(replace(scene, things=(thing,)))
                out.append(np.where(mask[..., None], patch, np.asarray(image[k], np.float32) / 255))
            else:
                out.append(draw(scene))
        return np.stack(out)

    def activate(self, pipe, loras):
        pipe.adapters = loras

    def follow(self, pipe, scale):
        pipe.weight = scale

    def encode(self, vae, pixels):
        return pixels

    def decode(self, vae, latents):
        return latents


class Pipeline:
    def __init__(self, name, scheduler, parts):
        self.name, self.parts, self.adapters, self.weight = name, parts, (), 0.0
        self.scheduler = type(scheduler, (), {})()

    def load_lora_weights(self, folder, weight_name, adapter_name):
        assert (Path(folder) / weight_name).is_file()

    def load_ip_adapter(self, folder, subfolder, weight_name):
        assert (Path(folder) / subfolder / weight_name).is_file()


@pytest.fixture
def family(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("family")
    monkeypatch.setattr(module, "MindSporeBackend", lambda: Drawings(module))
    monkeypatch.setattr(module, "TorchBackend", lambda threads: pytest.fail("the script created the torch backend"))
    monkeypatch.setattr(module, "changed_unet", lambda bench, folder: "changed")
    return module


def rows_of(printed):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize(
    ("part", "without", "with_part", "column", "inputs"),
    [
        ("controlnet_canny", "TCD-LoRA, without", "LCM-LoRA, without", "colors", 1),
        ("inpainting", "TCD-LoRA, without", "TCD-LoRA, with", "right at 0.8", 1),
        ("style_badge", "LCM-LoRA, without", "LCM-LoRA, with", "style", 0),
        ("ip_adapter", "TCD-LoRA, without", "TCD-LoRA, scale 1", "shape and color", 1),
    ],
)
def test_the_measures_tell_images_with_a_part_from_others(
    family, tmp_path, capsys, part, without, with_part, column, inputs
):
    grid, numbers = tmp_path / "grid", tmp_path / "numbers.json"
    family.main(["--cases", "6", "--part", part, "--grid", str(grid), "--json", str(numbers)])
    rows = rows_of(capsys.readouterr().out)
    columns = rows[part]
    assert float(rows[with_part][columns.index(column)]) >= 80
    if part != "controlnet_canny":
        assert float(rows[without][columns.index(column)]) <= 20
    kept = json.loads(numbers.read_text(encoding="utf-8"))
    assert (kept["cases"], kept["backend"], list(kept["parts"])) == (6, "mindspore", [part])
    assert [row["row"] for row in kept["parts"][part]] == list(rows)[2:]
    with Image.open(grid / f"{part}.png") as sheet:
        assert sheet.size == (6 * 128, (len(kept["parts"][part]) + inputs) * 128)


def test_the_scale_0_equals_no_adapter(family, capsys):
    family.main(["--cases", "2", "--part", "ip_adapter"])
    rows = rows_of(capsys.readouterr().out)
    assert rows["TCD-LoRA, scale 0"][-1] == "0.0"
    assert float(rows["TCD-LoRA, scale 1"][-1]) > 0


def test_drawings_through_an_exact_autoencoder(family, capsys):
    family.main(["--cases", "3", "--part", "tiny_vae"])
    rows = rows_of(capsys.readouterr().out)
    assert rows["reconstructions, with"][0] == rows["reconstructions, without"][0] == "100.0"
    assert rows["TCD-LoRA, with"][0] == "–"


def test_each_part_of_the_package_is_measured(family):
    assert set(family.PARTS) == {path.name for path in family.FAMILY_FOLDER.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "1"], r"--cases is 1; choose a number from 2 to 4096"),
        (["--batch", "0"], r"--batch is 0; choose 1 or more"),
        (["--seed", "-1"], r"--seed is -1; choose 0 or more"),
        (["--threads", "2"], r"--threads is 2; choose 1 or more, with --backend torch"),
        (["--folder", "no_such_folder"], r"no_such_folder has no folder \w+; give the folder of the parts"),
        (["--json", "no_such_folder/x.json"], r"cannot write no_such_folder/x.json"),
    ],
)
def test_wrong_arguments(family, capsys, arguments, said):
    with pytest.raises(SystemExit):
        family.main(arguments)
    assert re.search(said, capsys.readouterr().err)
