"""Habits from diffusers on torch: the package refuses them in one line, or supports them."""

import pickle

import mindspore as ms
import numpy as np
import pytest
from untouched import Untouched, stop

import mindone_tcd
from mindone_tcd import UsageError
from mindone_tcd.checks.common_mistakes import Frames, Output

PROMPT = "a red circle on a blue background"


class Device:
    """Like the device of torch."""

    __module__ = "torch"

    def __repr__(self):
        return "device(type='cuda')"


class Generator:
    """Like the generator of torch, which has no methods of NumPy."""

    __module__ = "torch._C"


@pytest.mark.parametrize(
    ("args", "options", "shown"),
    [
        (("cuda",), {}, r"to\('cuda'\)"),
        (("npu",), {}, r"to\('npu'\)"),
        ((), {"device": "npu"}, r"to\(device='npu'\)"),
        ((0,), {}, r"to\(0\)"),
        ((Device(),), {}, r"to\(device\(type='cuda'\)\)"),
        (("cuda", ms.float16), {}, r"to\('cuda', mindspore.float16\)"),
    ],
)
def test_to_refuses_a_device(pipe, args, options, shown):
    for thing in (pipe, pipe.unet):
        with pytest.raises(UsageError, match=rf"(?i){shown}: MindSpore selects .*ms\.set_device.*to\(\) takes a dtype"):
            thing.to(*args, **options)
    assert pipe.unet.dtype == ms.float32


def test_to_accepts_a_dtype(pipe):
    assert pipe.to(ms.float32) is pipe


@pytest.mark.parametrize(
    ("generator", "shown"),
    [(Generator(), r"a torch\.Generator"), ([Generator()], r"a torch\.Generator"), (5, "5"), ("x", "'x'")],
)
def test_a_generator_of_another_library_is_refused(idle, generator, shown):
    with pytest.raises(
        UsageError, match=rf"^generator is {shown}; expected a NumPy generator: use np\.random\.Generator\(np"
    ):
        idle(PROMPT, generator=generator)


@pytest.mark.parametrize("generator", [None, np.random.default_rng(0), [np.random.default_rng(0)]])
def test_generators_of_numpy(idle, generator):
    with pytest.raises(Untouched):
        idle(PROMPT, num_inference_steps=2, generator=generator)


def test_bfloat16_on_a_cpu(idle, monkeypatch):
    vae = mindone_tcd.AutoencoderKL.from_pretrained(
        str(mindone_tcd.SHAPES_FOLDER), subfolder="vae", mindspore_dtype=ms.bfloat16
    )
    monkeypatch.setattr(idle, "vae", vae)
    with pytest.raises(UsageError, match=r"the vae is in bfloat16, which does not run on a CPU; load it with minds"):
        idle(PROMPT)
    monkeypatch.setattr("mindone_tcd.cpu.needed", lambda: False)
    with pytest.raises(Untouched):
        idle(PROMPT, num_inference_steps=2)


def test_the_output_is_a_tuple_with_names(pipe):
    output = pipe(PROMPT, num_inference_steps=1, guidance_scale=0, output_type="latent")
    assert isinstance(output, tuple)
    assert output.images is output[0]
    (only,) = output
    assert only is output[0]
    with pytest.raises(AttributeError, match=r"no attribute 'image'; its images are output\[0\] and output\.images"):
        output.image  # noqa: B018
    named = pipe(PROMPT, num_inference_steps=1, guidance_scale=0, output_type="latent", return_dict=True)
    assert type(named).__name__ == "StableDiffusionXLPipelineOutput"


def test_the_frames_of_an_animation():
    output = Frames((["frame"],))
    assert output.frames == output[0] == ["frame"]
    with pytest.raises(AttributeError, match=r"its frames are output\[0\]"):
        output.images  # noqa: B018
    again = pickle.loads(pickle.dumps(Output(("a", None))))
    assert (type(again), again, again.images) == (Output, ("a", None), "a")


def test_one_step_by_the_default_strength(idle):
    from_image = mindone_tcd.AutoPipelineForImage2Image.from_pipe(idle)
    from_image.encode_prompt = stop
    image = np.zeros((1, 128, 128, 3), np.float32)
    message = r"default strength 0\.3 leaves 1 of 4 steps; pass strength=0\.75 or so, or num_inference_steps=14 for 4"
    with pytest.warns(UserWarning, match=message) as said, pytest.raises(Untouched):
        from_image(PROMPT, image=image, num_inference_steps=4)
    assert said[0].filename == __file__


@pytest.mark.parametrize("options", [{"strength": 0.3}, {"num_inference_steps": 8}, {"denoising_start": 0.5}])
@pytest.mark.filterwarnings("error::UserWarning:test_common_mistakes")
def test_no_warning_for_an_explicit_strength_or_more_steps(idle, options):
    from_image = mindone_tcd.AutoPipelineForImage2Image.from_pipe(idle)
    from_image.encode_prompt = stop
    image = np.zeros((1, 128, 128, 3), np.float32)
    with pytest.raises(Untouched):
        from_image(PROMPT, image=image, **{"num_inference_steps": 4, **options})
