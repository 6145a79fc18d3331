"""LoRAs of every layout in mindone's pipelines equal diffusers on torch, and weights that NumPy merges."""

import importlib.util
from pathlib import Path

import cases
import layouts as lay
import numpy as np
import pytest
import tiny
from model_modules import unet_shapes

from mindone_tcd.adapters import loaded_loras

pytestmark = pytest.mark.slow

# Both sides compute in float32 with different kernels. The outputs are between 1 and 6, and without an adapter they
# differ by up to 2e-5. A LoRA moves them by 2 or more.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def references():
    with np.load(cases.REFERENCES) as stored:
        return dict(stored)


@pytest.mark.parametrize("name", cases.CASES)
def test_equal_to_the_stored_outputs_of_diffusers(pipeline, name, references, tmp_path):
    case = cases.CASES[name]
    pipe = pipeline(case.config)
    cases.load(pipe, case.files(), tmp_path)
    case.then(pipe)
    for model, out in tiny.mindone_outputs(pipe, case.config).items():
        np.testing.assert_allclose(out, references[f"{name}: {model}"], rtol=0, atol=TOLERANCE, err_msg=model)


@pytest.mark.parity
@pytest.mark.parametrize("name", cases.CASES)
def test_stored_references_are_diffusers_own(name, references):
    path = Path(__file__).parents[2] / "tools" / "reference" / "adapters.py"
    spec = importlib.util.spec_from_file_location("reference_adapters", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for key, out in script.make([name]).items():
        # Other builds of torch sum in another order.
        np.testing.assert_allclose(references[key], out, rtol=0, atol=TOLERANCE, err_msg=key)


# ----- files that diffusers drops or scales wrongly, compared with merged weights --------------------------------


def merge(pipe, lora):
    """Merge a LoRA into the weights."""
    import mindspore as ms

    for component in {component for component, _ in lora}:
        parameters = dict(getattr(pipe, component).parameters_and_names())
        for (owner, path), matrices in lora.items():
            if owner == component:
                weight = parameters[f"{path}.weight"]
                weight.set_data(ms.Tensor((weight.asnumpy() + matrices.delta()).astype(np.float32)))


def in_bfloat16(lora):
    """The matrices rounded to bfloat16, and the bytes of the file."""
    return {
        key: lay.Matrices(*((m.view(np.uint32) & 0xFFFF0000).view(np.float32) for m in (x.down, x.up)), x.alpha)
        for key, x in lora.items()
    }


def save_as_bfloat16(tensors, path):
    import json

    entries, blob = {}, b""
    for name, value in tensors.items():
        raw = (np.ascontiguousarray(value, np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        entries[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + blob)


def differing_alphas():
    return lay.draw(cases.shapes(tiny.XL), (*lay.STYLE, *lay.TEXT), 4, lambda k: (1.0, 2.0, 6.0)[k % 3], 20)


def top_modules(seed=21):
    return lay.draw(cases.shapes(tiny.XL, text=False), (*lay.TOP, "conv1", "to_q"), 4, 2.0, seed)


def plain(rank=4):
    return lay.draw(cases.shapes(tiny.XL, text=False), lay.DISTILLED, rank, None, 22)


def motion_and_images():
    return lay.draw({"unet": unet_shapes(tiny.MOTION)}, (*lay.ATTENTION, "conv1"), 4, 2.0, 23)


def without_component(tensors):
    return {key.removeprefix("unet."): value for key, value in tensors.items()}


MERGED = {
    "alphas that differ, kohya": (tiny.XL, differing_alphas, lay.kohya),
    "alphas that differ, sgm block names": (tiny.XL, differing_alphas, lambda lora: lay.kohya_sgm(lora, tiny.XL)),
    "conv_in, time_embedding, add_embedding, conv_out": (tiny.XL, top_modules, lay.kohya),
    "input_blocks_0_0, time_embed, label_emb, out_2": (
        tiny.XL,
        top_modules,
        lambda lora: lay.kohya_sgm(lora, tiny.XL),
    ),
    "attentions as lora.down, convolutions as lora_A": (tiny.XL, plain, lay.mixed),
    "no component named": (tiny.XL, plain, lambda lora: without_component(lay.diffusers(lora))),
    "kohya names for motion modules": (tiny.MOTION, motion_and_images, lay.kohya),
}


@pytest.mark.parametrize("name", MERGED)
def test_equal_to_merged_weights(pipeline, name, tmp_path):
    config, draw, layout = MERGED[name]
    lora = draw()
    pipe, merged = pipeline(config), pipeline(config)
    tiny.save(layout(lora), tmp_path / "lora.safetensors")
    pipe.load_lora_weights(str(tmp_path))
    before = tiny.mindone_outputs(merged, config)
    merge(merged, lora)
    wanted = tiny.mindone_outputs(merged, config)
    for model, out in tiny.mindone_outputs(pipe, config).items():
        np.testing.assert_allclose(out, wanted[model], rtol=0, atol=TOLERANCE, err_msg=model)
    assert np.abs(wanted["unet"] - before["unet"]).max() > 0.1


def test_bfloat16_files(pipeline, tmp_path):
    lora = in_bfloat16(lay.draw(cases.shapes(tiny.SD, text=False), lay.ATTENTION, 4, 2.0))
    save_as_bfloat16(lay.kohya(lora), tmp_path / "lora.safetensors")
    pipe, merged = pipeline(tiny.SD), pipeline(tiny.SD)
    pipe.load_lora_weights(tmp_path)
    merge(merged, lora)
    wanted = tiny.mindone_outputs(merged, tiny.SD)["unet"]
    np.testing.assert_allclose(tiny.mindone_outputs(pipe, tiny.SD)["unet"], wanted, rtol=0, atol=TOLERANCE)


def test_rank_64_alpha_8_scales_by_an_eighth(pipeline, tmp_path):
    from mindone.peft.tuners.lora import LoraLayer

    pipe = pipeline(tiny.SD)
    lora = lay.draw(cases.shapes(tiny.SD), (*lay.DISTILLED, *lay.TEXT), 64, 8.0)
    tiny.save(lay.kohya(lora), tmp_path / "lora.safetensors")
    pipe.load_lora_weights(tmp_path, adapter_name="lcm")
    scales = [
        cell.scaling["lcm"]
        for model in (pipe.unet, pipe.text_encoder)
        for _, cell in model.cells_and_names()
        if isinstance(cell, LoraLayer)
    ]
    assert len(scales) == len(lora)
    assert set(scales) == {0.125}


# ----- inputs: folders, dicts, names ----------------------------------------------------------------------------------


@pytest.fixture
def lora():
    return lay.draw(cases.shapes(tiny.SD), ("to_q", "q_proj"), 2, 1.0)


def test_a_dict_of_tensors_loads_and_does_not_change(pipeline, lora):
    import mindspore as ms

    file = {key: ms.Tensor(value) for key, value in lay.kohya(lora).items()}
    keys = list(file)
    pipe, merged = pipeline(tiny.SD), pipeline(tiny.SD)
    pipe.load_lora_weights(file)
    merge(merged, lora)
    assert list(file) == keys
    wanted = tiny.mindone_outputs(merged, tiny.SD)["unet"]
    np.testing.assert_allclose(tiny.mindone_outputs(pipe, tiny.SD)["unet"], wanted, rtol=0, atol=TOLERANCE)


def test_names_and_records(pipeline, lora, tmp_path):
    folder = tmp_path / "TCD-SD15-LoRA"
    folder.mkdir()
    tiny.save(lay.kohya(lora, one_text_encoder=True), folder / "pytorch_lora_weights.safetensors")
    tiny.save(lay.peft(lora), tmp_path / "style.safetensors")
    pipe = pipeline(tiny.SD)
    assert loaded_loras(pipe) == {}
    pipe.load_lora_weights(str(folder))
    pipe.load_lora_weights(str(tmp_path / "style.safetensors"))
    pipe.load_lora_weights(str(folder), adapter_name="named")
    found = loaded_loras(pipe)
    assert list(found) == ["default_0", "default_1", "named"]
    first = found["default_0"]
    assert (first.distillation, first.layouts, first.source) == ("tcd", ("kohya",), str(folder))
    assert first.modules == {"unet": len([1 for c, _ in lora if c == "unet"]), "text_encoder": 3}
    assert found["default_1"].distillation is None
    assert found["default_1"].layouts == ("PEFT",)
    assert pipe.get_list_adapters() == {"unet": list(found), "text_encoder": list(found)}
    pipe.delete_adapters("default_1")
    assert list(loaded_loras(pipe)) == ["default_0", "named"]
    pipe.load_lora_weights(str(tmp_path / "style.safetensors"))
    assert "default_2" in loaded_loras(pipe)


def test_another_pipeline_with_the_same_unet_has_the_same_records(pipeline, lora):
    from mindone_tcd.exports import get

    pipe = pipeline(tiny.SD)
    pipe.load_lora_weights(lay.kohya(lora), adapter_name="lcm")
    other = get("StableDiffusionImg2ImgPipeline")(**pipe.components, requires_safety_checker=False)
    assert loaded_loras(other)["lcm"].distillation == "lcm"


PIPELINES = [
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionControlNetImg2ImgPipeline",
    "StableDiffusionControlNetInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLControlNetImg2ImgPipeline",
    "StableDiffusionXLAdapterPipeline",
    "LatentConsistencyModelPipeline",
    "LatentConsistencyModelImg2ImgPipeline",
    "AnimateDiffPipeline",
]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_of_the_guides_has_the_loaders_of_mindone_tcd(name):
    from mindone import diffusers

    from mindone_tcd import patches

    pipeline_class = getattr(diffusers, name)
    first = pipeline_class.load_lora_weights
    patches.install()  # again: nothing changes
    assert pipeline_class.load_lora_weights is first
    for loader in (first, pipeline_class.load_ip_adapter):
        assert "mindone_tcd" in loader.__code__.co_filename
        assert "strict" in loader.__doc__
