"""The compiled shipped model equals the eager one, compiles once, and never uses a stale graph."""

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.compiled.pipeline import compile_pipeline, compiled_form, uncompile_pipeline
from mindone_tcd.random import generator, randn

PROMPT = "a red circle on a blue background"

# Pixels in [0, 1]. Some graphs sum in another order. The measured differences are 3e-6, and 2.4e-5 with a LoRA at half
# its weight, where the eager image differs as much from that of diffusers. A stale graph differs by 0.1 or more.
TOLERANCE = 1e-5
AMPLIFIED = 1e-4


def shipped():
    from mindone_tcd import load

    pipe = load(lora="none").pipeline  # without a LoRA it compiles in half the time
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def eager():
    """A pipeline that no test compiles."""
    return shipped()


@pytest.fixture(scope="module")
def compiled():
    """A pipeline that stays compiled, so that the tests share its graphs."""
    pipe = shipped()
    assert compile_pipeline(pipe) is pipe
    image(pipe)
    assert compiled_form(pipe).count() == 4, "text encoders, UNet and decoder, once each"
    yield pipe
    uncompile_pipeline(pipe)


@pytest.fixture(scope="module")
def loaded():
    return shipped()


@pytest.fixture
def pipe(loaded):
    """A pipeline that each test compiles differently."""
    yield loaded
    uncompile_pipeline(loaded)


@pytest.fixture(scope="module", autouse=True)
def graphs_on_disk(tmp_path_factory):
    """The tests share the graphs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINDONE_TCD_CACHE", str(tmp_path_factory.mktemp("graphs")))
        yield


def image(pipe, seed=3, steps=4, guidance=0.0, **options):
    stream = generator(seed)
    options = {"eta": 0.3, "output_type": "np"} | options
    made = pipe(PROMPT, num_inference_steps=steps, guidance_scale=guidance, generator=stream, **options)[0]
    return made, stream.bit_generator.state


def equal(one, other, tolerance=TOLERANCE):
    np.testing.assert_allclose(one[0], other[0], rtol=0, atol=tolerance)
    assert one[1] == other[1], "the generator was used differently"


def test_equal_to_eager_and_compiled_once(eager, compiled):
    graphs = compiled_form(compiled).count()
    for call in ({}, {"seed": 5, "steps": 3}, {"eta": 0.0, "steps": 2}, {"eta": 1.0, "steps": 1}):
        equal(image(compiled, **call), image(eager, **call))
        assert compiled_form(compiled).count() == graphs, "another graph was compiled"
    assert compiled.scheduler.__class__.__name__ == "TCDScheduler"
    assert compiled.num_timesteps == 1


@pytest.mark.slow
def test_guidance_and_negative_prompt(eager, compiled):
    call = {"guidance": 3.0, "negative_prompt": "a green square", "steps": 2}
    equal(image(compiled, **call), image(eager, **call))


@pytest.mark.slow
def test_options_that_need_every_step_work(eager, compiled):
    seen = []

    def look(pipe, step, timestep, tensors):
        seen.append((step, int(timestep)))
        return tensors

    graphs = compiled_form(compiled).count()
    equal(image(compiled, callback_on_step_end=look), image(eager, callback_on_step_end=look))
    assert seen == [(0, 999), (1, 759), (2, 499), (3, 259)] * 2
    assert compiled_form(compiled).count() - graphs <= 1, "only the UNet without the scheduler step"


def test_a_callback_can_change_the_weights_between_two_steps(eager, compiled):
    def shifted(pipe):
        bias = pipe.unet.conv_out.bias
        own = bias.asnumpy()

        def shift(pipe, step, timestep, tensors):
            if step == 0:
                bias.set_data(ms.Tensor(own + 0.1))
            return tensors

        try:
            return image(pipe, steps=2, callback_on_step_end=shift)
        finally:
            bias.set_data(ms.Tensor(own))

    expected = shifted(eager)
    equal(shifted(compiled), expected)
    assert np.abs(expected[0] - image(eager, steps=2)[0]).max() > 0.01


@pytest.mark.slow
def test_slicing_and_tiling_of_the_autoencoder(pipe):
    latents = randn((2, 4, 16, 16), generator(1))
    pipe.vae.enable_slicing()
    pipe.vae.enable_tiling()
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 64, 8
    try:
        eager = pipe.vae.decode(latents)[0].asnumpy()
        compile_pipeline(pipe)
        np.testing.assert_allclose(pipe.vae.decode(latents)[0].asnumpy(), eager, rtol=0, atol=TOLERANCE)
        assert 1 <= compiled_form(pipe).count() <= 4, "one graph for whole tiles, and those of the edges"
    finally:
        pipe.vae.disable_slicing()
        pipe.vae.disable_tiling()


@pytest.mark.slow
def test_no_stale_graph_after_any_change_of_the_lora(pipe):
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    changes = {
        "none": lambda: None,
        "loaded": lambda: pipe.load_lora_weights(str(SHAPES_FOLDER / "tcd_lora"), adapter_name="tcd"),
        "weighted": lambda: pipe.set_adapters("tcd", 0.5),
        "unloaded": pipe.unload_lora_weights,
    }
    eager, compiled = {}, {}
    for change in changes:
        changes[change]()
        eager[change] = image(pipe, steps=2)[0]
    compile_pipeline(pipe)
    for change in changes:
        changes[change]()
        compiled[change] = image(pipe, steps=2)[0]
    for change in changes:
        np.testing.assert_allclose(compiled[change], eager[change], rtol=0, atol=AMPLIFIED, err_msg=change)
    assert np.abs(compiled["none"] - compiled["loaded"]).max() > 0.01
    assert np.abs(compiled["loaded"] - compiled["weighted"]).max() > 0.01


@pytest.mark.parity
def test_weighting_and_fusing_a_lora_again_compiles_nothing(pipe):
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    def done(*calls):
        for name, *args in calls:
            getattr(pipe, name)(*args)
        return image(pipe, steps=1)[0]

    once = [[], [("fuse_lora",)], [("unfuse_lora",)]]
    again = [
        [("set_adapters", "tcd", 0.5)],
        [("set_adapters", ["tcd"], [0.8])],
        [("fuse_lora",)],
        [("unfuse_lora",), ("set_adapters", "tcd", 0.3), ("fuse_lora",)],
        [("unfuse_lora",)],
    ]
    pipe.load_lora_weights(str(SHAPES_FOLDER / "tcd_lora"), adapter_name="tcd")
    try:
        eager = [done(*calls) for calls in once + again]
        pipe.set_adapters("tcd", 1.0)
        compile_pipeline(pipe)
        found = [done(*calls) for calls in once]
        graphs = compiled_form(pipe).count()
        found += [done(*calls) for calls in again]
        assert compiled_form(pipe).count() == graphs
    finally:
        pipe.unload_lora_weights()
    for k, (ours, theirs) in enumerate(zip(found, eager, strict=True)):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=AMPLIFIED, err_msg=str((once + again)[k]))
    assert np.abs(found[0] - found[3]).max() > 0.01
    assert np.abs(found[3] - found[4]).max() > 0.01


def test_added_components_are_compiled_and_removed_ones_released(pipe):
    from mindone_tcd import AutoencoderKL
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    compile_pipeline(pipe)
    expected, old = image(pipe, steps=1), pipe.vae
    pipe.vae = AutoencoderKL.from_pretrained(str(SHAPES_FOLDER), subfolder="vae")
    try:
        equal(image(pipe, steps=1), expected)
        assert compiled_form(pipe).parts["vae.decoder"].cell is pipe.vae.decoder
        assert "construct" not in vars(old.decoder)
    finally:
        pipe.vae = old


@pytest.mark.slow
def test_the_whole_trajectory_in_one_graph(eager, pipe):
    compile_pipeline(pipe, form="trajectory")
    equal(image(pipe, steps=2), image(eager, steps=2))
    assert compiled_form(pipe).parts["unet"].compiled == 1
    assert pipe.num_timesteps == 2


def test_uncompile_restores_the_pipeline(eager, pipe):
    compile_pipeline(pipe)
    image(pipe, steps=1)
    assert uncompile_pipeline(pipe) is pipe
    assert compiled_form(pipe) is None
    assert all("construct" not in vars(cell) for cell in (pipe.unet, pipe.vae.decoder, pipe.text_encoder))
    np.testing.assert_array_equal(image(pipe, steps=1)[0], image(eager, steps=1)[0])


def test_compiling_an_unsupported_object_is_refused(pipe):
    from mindone_tcd import UsageError, load

    with pytest.raises(UsageError, match="unknown form 'all'; choose one of: step, trajectory"):
        compile_pipeline(pipe, form="all")
    with pytest.raises(UsageError, match="unknown jit_level 'O9'"):
        compile_pipeline(pipe, jit_level="O9")
    with pytest.raises(UsageError, match="UNet2DConditionModel is not a pipeline"):
        compile_pipeline(pipe.unet)
    with pytest.raises(UsageError, match="compile is 'all'; expected True, False or one of: step, trajectory"):
        load(compile="all")
