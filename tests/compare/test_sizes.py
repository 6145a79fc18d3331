"""The bytes of the files of each network."""

from mindone_tcd.compare.sides import Side
from mindone_tcd.compare.sizes import sizes_on_disk
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.models import model


def test_a_model_with_its_lora_and_a_controlnet():
    side = Side("controlnet", "shapes", "tcd", extras=Extras(control="canny"))
    found = sizes_on_disk(side, plan(side.task, side.model, side.method, side.lora, side.extras))
    assert found["unet"] == (SHAPES_FOLDER / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    network = model("controlnet-canny") / "diffusion_pytorch_model.safetensors"
    assert found["ControlNet canny"] == network.stat().st_size
    assert found["LoRA"] == (SHAPES_FOLDER / "tcd_lora" / "pytorch_lora_weights.safetensors").stat().st_size
    assert {"vae", "text_encoder", "text_encoder_2"} < set(found)


def test_no_lora():
    side = Side("text-to-image", "shapes", "tcd", "none")
    assert "LoRA" not in sizes_on_disk(side, plan(side.task, side.model, side.method, side.lora))


def test_an_exported_folder_has_the_sizes_of_its_graphs_and_weights(tmp_path):
    (tmp_path / "unet").mkdir()
    for name, size in (("manifest.json", 9), ("unet/128.mindir", 30), ("unet/128.safetensors", 100), ("vae.mindir", 7)):
        (tmp_path / name).write_bytes(bytes(size))
    setup = plan("text-to-image", "shapes", "tcd", None)
    found = sizes_on_disk(Side("text-to-image", str(tmp_path), "tcd"), setup)
    assert found == {"unet/128": 130, "vae": 7}
