"""The digest of the weights of a model and a LoRA covers the loaded weights, and nothing else."""

import hashlib
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from mindone_tcd.files.model_folder import Model, find_model
from mindone_tcd.generate import weights
from mindone_tcd.generate.parts import Part
from mindone_tcd.generate.weights import weights_of_lora, weights_of_model, weights_of_part
from mindone_tcd.shapes.folder import SHAPES_FOLDER

UNET = "unet/diffusion_pytorch_model.safetensors"


def digest(folder) -> str:
    return weights_of_model(find_model(str(folder))).sha256()


def test_the_digest_depends_only_on_the_weights(shapes, tmp_path):
    shipped = digest("shapes")
    assert len(shipped) == 64
    assert digest(shapes) == shipped
    assert digest(shutil.copytree(shapes, tmp_path / "elsewhere")) == shipped


def test_the_digest_covers_every_component_and_no_configuration(shapes):
    before = digest(shapes)
    (shapes / "scheduler" / "scheduler_config.json").write_text('{"beta_start": 0.001}')
    (shapes / "unet" / "notes.txt").write_text("x")
    save_file({"x": np.zeros(1, np.float32)}, shapes / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    save_file({"x": np.zeros(1, np.float32)}, shapes / "not_a_part.safetensors")
    assert digest(shapes) == before, "it covers files that are not loaded"
    seen = {before}
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        (file,) = (path for path in (shapes / part).glob("*.safetensors") if "fp16" not in path.name)
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        seen.add(digest(shapes))
    assert len(seen) == 5, "a component can change without a change of the digest"


def test_a_component_with_only_a_variant_is_covered(shapes):
    before = digest(shapes)
    (shapes / UNET).rename(shapes / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert digest(shapes) not in (before, None)


def test_the_digest_of_a_lora_is_that_of_its_file():
    file = SHAPES_FOLDER / "tcd_lora" / "pytorch_lora_weights.safetensors"
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert weights_of_lora(file).sha256() == expected
    assert weights_of_lora(str(file.parent)).sha256() == expected
    assert weights_of_lora("h1t/TCD-SDXL-LoRA") is None


def test_files_are_read_once_unless_they_change(shapes):
    weights._sha256.cache_clear()
    for _ in range(3):
        digest(shapes)
    assert weights._sha256.cache_info().misses == 4
    os.utime(shapes / UNET, ns=(1, 1))
    digest(shapes)
    assert weights._sha256.cache_info().misses == 5


@pytest.mark.parametrize("change", ["write", "remove"])
def test_weights_that_change_after_loading_have_no_digest(shapes, change):
    loaded = weights_of_model(find_model(str(shapes)))
    if change == "write":
        (shapes / UNET).write_bytes(b"other")
    else:
        (shapes / UNET).unlink()
    assert loaded.sha256() is None


def test_a_hub_model_that_is_not_cached_has_no_digest():
    assert weights_of_model(Model("nobody/nothing", "nobody/nothing", False, "StableDiffusionPipeline")) is None


def part_digest(location, source="folder"):
    found = weights_of_part(Part("ip-adapter", "", str(location), source))
    return found and found.sha256()


def test_the_digest_of_a_part_covers_all_its_safetensors(folders, tmp_path):
    folder = shutil.copytree(folders("ip-adapter"), tmp_path / "adapter")
    before = part_digest(folder)
    assert len(before) == 64
    assert part_digest(folders("ip-adapter")) == before, "it depends on the folder's name"
    (folder / "notes.txt").write_text("x")
    assert part_digest(folder) == before
    seen = {before}
    for file in sorted(folder.rglob("*.safetensors")):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        seen.add(part_digest(folder))
    assert len(seen) == 1 + len(list(folder.rglob("*.safetensors")))


def test_the_digest_of_a_part_that_is_a_file():
    file = SHAPES_FOLDER / "tcd_lora" / "pytorch_lora_weights.safetensors"
    assert part_digest(file) == weights_of_lora(file).sha256()


def test_parts_without_known_weights(tmp_path):
    assert part_digest("owner/name", "hub") is None
    assert part_digest(tmp_path) is None
