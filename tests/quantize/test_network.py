"""Quantized networks and pipelines compute what float ones compute with the weights that the integers stand for."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint
from tiny_sdxl import UNET

from mindone_tcd import ControlNetModel, UNet2DConditionModel, compile_pipeline, load, shapes
from mindone_tcd.errors import UsageError
from mindone_tcd.quantize.kinds import is_quantized
from mindone_tcd.quantize.network import (
    is_kept,
    layers_to_quantize,
    networks_of,
    quantize_network,
    quantize_pipeline,
    replace_layers,
)
from mindone_tcd.quantize.weights import dequantized, quantized

PROMPT = "a red circle on a blue background"


def widen(network):
    """Replace each weight that would be quantized by the float weight that its integers stand for."""
    for _, cell in layers_to_quantize(network):
        cell.weight.set_data(Tensor(dequantized(*quantized(cell.weight.asnumpy()))))


def pixels(pipe, **call):
    pipe.pipeline.set_progress_bar_config(disable=True)
    made = pipe.pipeline(PROMPT, num_inference_steps=2, guidance_scale=0, output_type="np", **call)
    return np.asarray(made[0])


def start():
    return {"latents": Tensor(np.random.default_rng(0).standard_normal((1, 4, 16, 16)).astype(np.float32)), "eta": 0.0}


@pytest.fixture(scope="module")
def expected():
    """The image of the float pipeline whose weights were quantized and widened again, without this package's layers."""
    pipe = load()
    pipe.pipeline.fuse_lora()
    pipe.pipeline.unload_lora_weights()
    widen(pipe.pipeline.unet)
    return pixels(pipe, **start())


def test_a_pipeline_gives_the_image_of_the_widened_weights(expected):
    pipe = load(quantize="int8")
    assert abs(pixels(pipe, **start()) - expected).max() < 1e-5
    assert pipe.pipeline.unet.dtype == ms.float32
    assert pipe.pipeline.get_active_adapters() == []


@pytest.mark.slow
def test_a_compiled_pipeline_gives_the_image_of_the_widened_weights(expected):
    pipe = load(quantize="int8", compile=True)
    assert abs(pixels(pipe, **start()) - expected).max() < 1e-5
    assert abs(pixels(pipe, **start()) - expected).max() < 1e-5


@pytest.mark.slow
def test_float16_files_are_quantized_as_in_float32():
    """`load` reads float16 files in float16; the LoRA is added in float32 all the same."""
    wide = load().pipeline
    quantize_pipeline(wide)
    ours = dict(load(quantize="int8").pipeline.unet.parameters_and_names())
    theirs = dict(wide.unet.parameters_and_names())
    assert ours.keys() == theirs.keys()
    for name, parameter in ours.items():
        assert parameter.dtype == theirs[name].dtype, name
        assert (parameter.asnumpy() == theirs[name].asnumpy()).all(), name


def test_the_parameters_of_a_network():
    unet = UNet2DConditionModel(**UNET)
    floats = {name: tuple(value.shape) for name, value in unet.parameters_and_names()}
    layers = dict(layers_to_quantize(unet))
    assert len(layers) > 30
    assert all(type(cell) in (mint.nn.Linear, mint.nn.Conv2d) for cell in layers.values())
    quantize_network(unet)
    found = dict(unet.parameters_and_names())
    assert {name: tuple(value.shape) for name, value in found.items() if not name.endswith(".scale")} == floats
    assert {name for name, value in found.items() if value.dtype == ms.int8} == {f"{name}.weight" for name in layers}
    assert all(name == parameter.name for name, parameter in found.items())


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("conv_in", True),
        ("conv_out", True),
        ("down_blocks.0.resnets.0.conv_shortcut", True),
        ("down_blocks.0.resnets.0.conv1", False),
        ("time_embedding.linear_1", False),
        ("encoder_hid_proj.image_projection_layers.0.image_embeds", True),
    ],
)
def test_kept_layers(name, kept):
    assert is_kept(name) is kept


def test_convolutions_with_groups_and_other_paddings_stay_floats():
    cells = ms.nn.CellList(
        [
            mint.nn.Conv2d(4, 4, 3),
            mint.nn.Conv2d(4, 4, 3, groups=2),
            mint.nn.Conv2d(4, 4, 3, padding_mode="reflect"),
            mint.nn.Conv2d(4, 4, 3, padding="same"),
            mint.nn.ConvTranspose2d(4, 4, 3),
            mint.nn.Linear(4, 4),
        ]
    )
    assert [name for name, _ in layers_to_quantize(cells)] == ["0", "5"]


def test_a_sequence_runs_the_new_layers():
    cells = ms.nn.SequentialCell(mint.nn.Linear(3, 5), mint.nn.SiLU(), mint.nn.Linear(5, 2))
    widen(cells)
    x = Tensor(np.ones((2, 3), np.float32))
    before = cells(x).asnumpy()
    quantize_network(cells)
    assert is_quantized(cells)
    assert np.allclose(cells(x).asnumpy(), before, atol=1e-6)


def test_only_existing_layers_are_replaced():
    cells = ms.nn.CellList([mint.nn.Linear(3, 5)])
    weights = {"0": quantized(np.ones((5, 3))), "1": quantized(np.ones((5, 3)))}
    with pytest.raises(UsageError, match="'1' is not a linear or convolution layer of the CellList"):
        replace_layers(cells, weights)
    assert not is_quantized(cells)


def test_a_controlnet_is_quantized():
    network = ControlNetModel.from_pretrained(shapes.model("controlnet-canny"))
    network.set_train(False)
    rng = np.random.default_rng(0)
    shapes_of = {"sample": (1, 4, 16, 16), "states": (1, 24, 128), "map": (1, 3, 128, 128), "pooled": (1, 64)}
    given = {name: Tensor(rng.standard_normal(shape).astype(np.float32)) for name, shape in shapes_of.items()}
    added = {"text_embeds": given["pooled"], "time_ids": Tensor(np.full((1, 6), 128.0, np.float32))}

    def run():
        made = network(given["sample"], Tensor(500), given["states"], given["map"], added_cond_kwargs=added)
        return [residual.asnumpy() for residual in (*made[0], made[1])]

    widen(network)
    before = run()
    quantize_network(network)
    assert is_quantized(network)
    for ours, theirs in zip(run(), before, strict=True):
        assert abs(ours - theirs).max() < 1e-4 * abs(theirs).max()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options", "call"),
    [
        ("controlnet", {"control": "canny"}, {"control": True}),
        ("t2i-adapter", {}, {"control": True}),
        ("ip-adapter", {}, {"reference": True}),
        ("image-to-image", {"style": "badge", "dtype": "float16"}, {"image": True}),
        ("animate", {}, {"frames": 2}),
    ],
)
def test_every_task_gives_nearly_the_float_image(task, options, call):
    from PIL import Image

    drawing = Image.fromarray(np.full((128, 128, 3), 200, np.uint8))
    drawing.paste((220, 30, 30), (40, 40, 90, 90))
    call = {name: drawing if value is True else value for name, value in call.items()}
    images = []
    for kind in (None, "int8"):
        pipe = load(task, quantize=kind, **options)
        made = pipe("a red square on a white background", seed=1, steps=4, **call)[0]
        frames = made.frames if task == "animate" else [made.image]
        images.append(np.stack([np.asarray(frame, np.float64) for frame in frames]))
        assert ("quantize" in made.record) is (kind is not None)
        assert all(is_quantized(network) is (kind is not None) for network in networks_of(pipe.pipeline).values())
    assert 0 < abs(images[1] - images[0]).mean() < 2  # of 255


def test_a_quantized_pipeline_refuses_what_it_cannot_do(tmp_path):
    pipe = load(quantize="int8").pipeline
    lora = str(shapes.model("lcm-lora"))
    with pytest.raises(UsageError, match="is quantized and takes no LoRA; load the LoRA first"):
        pipe.load_lora_weights(lora)
    with pytest.raises(UsageError, match="the unet is quantized already"):
        quantize_pipeline(pipe)
    for thing in (pipe, pipe.unet):
        with pytest.raises(UsageError, match="is quantized, and from_pretrained cannot load"):
            thing.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.slow
def test_styles_and_text_encoder_loras_become_part_of_the_weights(expected):
    """With the weight 0, a style changes nothing; with 1, it does."""
    without = load(quantize="int8", style=("badge", 0.0))
    assert abs(pixels(without, **start()) - expected).max() < 1e-5
    assert abs(pixels(load(quantize="int8", style="badge"), **start()) - expected).mean() > 1e-3


@pytest.mark.slow
def test_a_pipeline_that_is_compiled_later():
    pipe = load(quantize="int8")
    eager = pixels(pipe, **start())
    compile_pipeline(pipe.pipeline)
    assert abs(pixels(pipe, **start()) - eager).max() < 1e-5
