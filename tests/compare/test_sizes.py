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
    graphs = []
    for folder, part, size, number in (
        ("unet", "unet", (128, 128), 30),
        ("unet", "unet", (192, 128), 40),
        ("unet", "unet_controlled", (128, 128), 50),
        ("controlnet_0", "controlnet_0", (128, 128), 60),
        ("vae", "vae_decoder", None, 7),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        file, weights = f"{folder}/{number}.mindir", f"{folder}/weights.safetensors"
        (tmp_path / file).write_bytes(bytes(number))
        (tmp_path / weights).write_bytes(bytes(100))
        graphs.append(GraphFile(part, size, file, weights, (), ()))
    exported = SimpleNamespace(graphs=tuple(graphs))
    for setup, expected in (
        (plan("text-to-image", "shapes", "tcd", None), {"unet": 170, "vae": 107}),
        (
            plan("controlnet", "shapes", "tcd", None, Extras(control="canny")),
            {"unet": 220, "vae": 107, "controlnet_0": 160},
        ),
    ):
        found = replace(setup, model=replace(setup.model, location=str(tmp_path)), exported=exported)
        assert sizes_on_disk(found) == expected
