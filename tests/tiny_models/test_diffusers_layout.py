"""The layouts of the tiny random models equal those that diffusers and transformers write, byte for byte."""

import gzip
import json

import pytest
import scripts

from mindone_tcd.tiny_models import LAYOUTS, NAMES, make

pytestmark = pytest.mark.parity
CLASSES = {
    "sdxl": "DiffusionPipeline",
    "lcm-sdxl": "UNet2DConditionModel",
    "sdxl-inpainting": "DiffusionPipeline",
    "sd15": "DiffusionPipeline",
    "sd15-inpainting": "DiffusionPipeline",
    "sd15-safety-checker": "DiffusionPipeline",
    "sd21": "DiffusionPipeline",
    "lcm-sd15": "DiffusionPipeline",
    "controlnet-sd15": "ControlNetModel",
    "controlnet-sdxl": "ControlNetModel",
    "t2i-adapter-sdxl": "T2IAdapter",
    "motion-adapter": "MotionAdapter",
}
"""The class with which diffusers loads each folder. LoRAs and IP-Adapters are not folders of one model."""


@pytest.fixture(scope="module")
def script():
    return scripts.script("tools/reference/tiny_models.py", "reference_tiny_models")


@pytest.mark.parametrize("name", NAMES)
def test_diffusers_writes_this_layout(tmp_path, script, name):
    script.BUILDERS[name](tmp_path)
    recorded = json.loads(gzip.decompress((LAYOUTS / f"{name}.json.gz").read_bytes()))
    assert script.describe(tmp_path) == recorded


@pytest.mark.parametrize("name", CLASSES)
def test_diffusers_loads_it_and_saves_the_same_files(tmp_path, name):
    import diffusers

    ours, theirs = make(name, tmp_path / "ours"), tmp_path / "theirs"
    getattr(diffusers, CLASSES[name]).from_pretrained(ours).save_pretrained(theirs)
    files = {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()}
    assert {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()} == files
    for file in files:
        if file.parent.name == "tokenizer_2" and file.suffix == ".json":
            continue  # its pad token "!" is plain text at first, and an object after saving
        if file.suffix == ".json":
            written, loaded = json.loads((ours / file).read_text()), json.loads((theirs / file).read_text())
            loaded.pop("_name_or_path", None)  # the folder from which it was loaded
            assert loaded == written, file
        else:
            assert (theirs / file).read_bytes() == (ours / file).read_bytes(), file
