"""The bytes of the files of each network."""

from dataclasses import replace
from types import SimpleNamespace

from mindone_tcd.compare.sizes import sizes_on_disk
from mindone_tcd.deploy.manifest import GraphFile
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.models import model


def test_a_model_with_its_lora_and_a_controlnet():
    found = sizes_on_disk(plan("controlnet", "shapes", "tcd", None, Extras(control="canny")))
    assert found["unet"] == (SHAPES_FOLDER / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    network = model("controlnet-canny") / "diffusion_pytorch_model.safetensors"
    assert found["ControlNet canny"] == network.stat().st_size
    assert found["LoRA"] == (SHAPES_FOLDER / "tcd_lora" / "pytorch_lora_weights.safetensors").stat().st_size
    assert {"vae", "text_encoder", "text_encoder_2"} < set(found)


def test_quantized_files_replace_those_of_the_networks_and_their_loras():
    setup = plan("controlnet", "shapes", "tcd", None, Extras(control="canny"))
    found = sizes_on_disk(setup, {"unet": 1, "controlnet": 2})
    assert (found["unet"], found["controlnet"]) == (1, 2)
    assert not {"LoRA", "ControlNet canny"} & set(found)
    assert found["vae"] == sizes_on_disk(setup)["vae"]


def test_no_lora():
    assert "LoRA" not in sizes_on_disk(plan("text-to-image", "shapes", "tcd", "none"))


def test_an_exported_folder_has_the_sizes_of_its_graphs_and_weights(tmp_path):
    for name, size in (("a.mindir", 30), ("b.mindir", 40), ("unet.safetensors", 100), ("vae.mindir", 7)):
        (tmp_path / name).write_bytes(bytes(size))
    graphs = [
        GraphFile("unet", (128, 128), "a.mindir", "unet.safetensors", (), ()),
        GraphFile("unet", (192, 128), "b.mindir", "unet.safetensors", (), ()),
        GraphFile("vae_decoder", None, "vae.mindir", None, (), ()),
    ]
    setup = plan("text-to-image", "shapes", "tcd", None)
    setup = replace(
        setup, model=replace(setup.model, location=str(tmp_path)), exported=SimpleNamespace(graphs=tuple(graphs))
    )
    assert sizes_on_disk(setup) == {"unet": 170, "vae_decoder": 7}
