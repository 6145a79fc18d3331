"""Planning and loading of exported folders."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mindone_tcd import export, load
from mindone_tcd.deploy.manifest import read_manifest
from mindone_tcd.errors import UsageError
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.generate.request import request_for
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, Thing

PROMPT = "a red circle on a blue background"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped model with a ControlNet, exported. The graphs of this folder are never compiled by plain tests."""
    folder = tmp_path_factory.mktemp("exported") / "circles"
    return export(load("controlnet", control="canny"), folder)


@pytest.fixture
def manifest_only(tmp_path):
    """A function that writes a folder with only a manifest, after changes of it."""

    def write(**changes):
        content = json.loads(json.dumps(MANIFEST))
        for path, value in changes.items():
            place = content
            *keys, last = path.split("__")
            for key in keys:
                place = place[key]
            place[last] = value
        (tmp_path / "manifest.json").write_text(json.dumps(content))
        return tmp_path

    return write


PART = {"role": "controlnet", "kind": "canny", "name": "canny", "from": "package", "sha256": None, "weight": 1.0}
RECORD = {
    "model": "shapes",
    "model_from": "package",
    "model_sha256": "ab" * 32,
    "method": "lcm",
    "lora": "shipped",
    "lora_from": "package",
    "lora_sha256": "cd" * 32,
    "parts": [PART],
}
_NETWORKS = ("text_encoder", "text_encoder_2", "unet", "unet_controlled", "controlnet_0", "vae_decoder", "vae_encoder")
MANIFEST = {
    "format": "mindone-tcd export 1",
    "family": "SDXL",
    "model": {
        "sample_size": 128,
        "vae_scale": 8,
        "cross_attention_dim": 128,
        "prediction_type": "v_prediction",
        "guidance_embedded": False,
    },
    "recipe": {"method": "lcm", "steps": 4, "guidance_scale": 0.0, "eta": None},
    "record": RECORD,
    "settings": {
        "scaling_factor": 0.13,
        "latent_channels": 4,
        "latents_mean": None,
        "latents_std": None,
        "zero_negative": True,
        "guidance_width": None,
    },
    "scheduler": {},
    "dtype": "float32",
    "vae_dtype": "float32",
    "batch": 1,
    "sizes": [[128, 128], [64, 96]],
    "graphs": [
        {
            "part": part,
            "size": None if part.startswith("text") else size,
            "file": f"{part}.mindir",
            "weights": None,
            "inputs": [],
            "outputs": [],
        }
        for size in ([128, 128], [64, 96])
        for part in _NETWORKS
    ],
    "files": {f"{part}.mindir": "ab" * 32 for part in _NETWORKS},
    "versions": {},
}


def test_the_setup_comes_from_the_manifest(manifest_only):
    setup = plan("text-to-image", manifest_only())
    assert setup.recipe.method == "lcm"
    assert setup.model.name == "shapes"
    assert setup.model.shipped
    assert setup.sizes == ((128, 128), (64, 96))
    assert setup.parts == ()
    assert plan("controlnet", manifest_only()).parts[0].kind == "canny"
    assert plan("image-to-image", manifest_only(), extras=Extras(control="canny-map")).given_maps == (True,)


def test_a_request_has_one_of_the_exported_sizes(manifest_only):
    setup = plan("text-to-image", manifest_only())
    assert request_for(setup, PROMPT).width == 128
    assert request_for(setup, PROMPT, size=(64, 96)).height == 96
    with pytest.raises(UsageError, match="size 96x96 is not exported; choose one of: 128x128, 64x96"):
        request_for(setup, PROMPT, size=96)


def test_a_model_of_the_user_with_a_shipped_name_is_not_shipped(manifest_only):
    assert not plan("text-to-image", manifest_only(record__model_from="folder")).model.shipped


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("inpainting", {}, "exported pipelines have no task inpainting"),
        ("text-to-image", {"method": "tcd"}, "was exported for the method lcm, not tcd"),
        ("text-to-image", {"lora": "none"}, "lora is 'none', but"),
        ("text-to-image", {"extras": Extras(style="badge")}, "style is 'badge', but"),
        ("controlnet", {"extras": Extras(control="depth")}, "are: canny; the call needs: depth"),
        ("controlnet", {"extras": Extras(control={"canny": "x"})}, "name only kinds"),
    ],
)
def test_what_the_folder_does_not_have(manifest_only, task, options, said):
    with pytest.raises(UsageError) as refusal:
        plan(task, manifest_only(), **options)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"record__method": "ddim"}, "the record in"),
        ({"record": {"model": "shapes"}}, "lacks model_from"),
        ({"recipe__steps": 0}, "the recipe in"),
        ({"recipe": {"method": "lcm"}}, "lacks 'steps'"),
    ],
)
def test_a_damaged_record_or_recipe(manifest_only, changes, said):
    with pytest.raises(UsageError, match=said):
        plan("text-to-image", manifest_only(**changes))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"compile": True}, "always runs as graphs; leave compile out"),
        ({"dtype": "float16"}, "was exported with dtype float32, not float16"),
        ({"quantize": "int8"}, "was exported with quantize none, not int8"),
        ({}, "lacks text_encoder.mindir"),
    ],
)
def test_loading_is_refused_before_mindspore_is_needed(manifest_only, options, said):
    with pytest.raises(UsageError, match=said):
        load("text-to-image", manifest_only(), **options)


@pytest.mark.slow
def test_a_changed_file_is_refused(folder, tmp_path):
    copied = tmp_path / "copy"
    os.system(f"cp -r {folder} {copied}")
    with (copied / "unet" / "weights.safetensors").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x01")
    with pytest.raises(UsageError, match=r"unet/weights\.safetensors is not the file that was exported"):
        load("text-to-image", copied)


@pytest.mark.slow
def test_a_size_that_is_not_exported(folder):
    with pytest.raises(UsageError, match="size 96x96 is not exported; choose one of: 128x128"):
        load(model=folder)(PROMPT, size=96)


WITHOUT_MINDONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mindone":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from mindone_tcd.cli import main

code = main(sys.argv[1:])
assert not [name for name in sys.modules if name.partition(".")[0] == "mindone"]
sys.exit(code)
"""


def without_mindone(*arguments):
    """Run the command in a process in which mindone cannot be imported."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_MINDONE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run


@pytest.mark.slow
class TestWithoutMindone:
    def test_generate_info_and_again(self, folder, tmp_path):
        out = tmp_path / "out.png"
        without_mindone("generate", PROMPT, "--model", folder, "--seed", 3, "--count", 2, "--preview", "--out", out)
        record = json.loads(without_mindone("info", tmp_path / "out-1.png").stdout)
        assert record["exported"] == read_manifest(folder).sha256
        eager = load()(PROMPT, seed=3, count=2)
        for name, value in eager[0].record.items():
            if name not in ("kernels", "batch_seeds", "versions"):
                assert record[name] == value, name
        for k, image in enumerate(eager):
            made = np.asarray(Image.open(tmp_path / f"out-{k + 1}.png"), int)
            # Floats differ by 1e-6, which moves a pixel value at the border between two numbers.
            assert abs(made - np.asarray(image.image, int)).max() <= 1
        again = without_mindone("info", tmp_path / "out-1.png", "--again", "--model", folder)
        assert "the same pixels" in again.stderr

    def test_a_control_image(self, folder, tmp_path):
        scene = Scene("white", (Thing("heart", "black", 0.25, -0.2, 0.55),))
        drawing = tmp_path / "heart.png"
        Image.fromarray((draw(scene, 128) * 255).round().astype(np.uint8)).save(drawing)
        out = tmp_path / "out.png"
        without_mindone("generate", PROMPT, "--model", folder, "--control", f"canny:{drawing}", "--out", out)
        eager = load("controlnet", control="canny")(PROMPT, control=drawing)[0]
        assert abs(np.asarray(Image.open(out), int) - np.asarray(eager.image, int)).max() <= 1
        again = without_mindone("info", out, "--again", "--model", folder)
        assert "the same pixels" in again.stderr


@pytest.mark.slow
def test_an_image_of_the_original_model_is_repeated_by_the_exported_one(folder):
    from mindone_tcd.generate.again import check_same_weights, plan_again, sources_of

    record = load()(PROMPT, seed=5)[0].record
    planned = plan_again(record, folder / "image.png", model=str(folder))
    assert planned.setup.exported is not None
    assert check_same_weights(record, sources_of(planned)) == []
