"""TCDScheduler in pipelines without an argument eta, which pass None to the scheduler."""

import numpy as np
import pytest
from PIL import Image

import mindone_tcd
from mindone_tcd import TCDScheduler, UsageError
from mindone_tcd.tiny_models import make

pytestmark = pytest.mark.slow

PROMPT = "a red circle on a blue background"


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    folder = make("lcm-sd15", tmp_path_factory.mktemp("tiny") / "lcm-sd15")
    pipe = mindone_tcd.LatentConsistencyModelPipeline.from_pretrained(str(folder))
    pipe.scheduler = TCDScheduler.from_config(pipe.scheduler.config)
    return pipe


def image() -> Image.Image:
    pixels = np.random.Generator(np.random.PCG64(4)).integers(0, 256, (64, 64, 3), np.uint8)
    return Image.fromarray(pixels)


def run(pipe, **options):
    pipe.set_progress_bar_config(disable=True)
    stream = np.random.Generator(np.random.PCG64(3))
    options = {"prompt": PROMPT, "num_inference_steps": 3, "guidance_scale": 4.0, "output_type": "np"} | options
    return pipe(generator=stream, **options)[0]


# The pipelines of Stable Diffusion accept eta and the same guidance-embedded UNet. At strength 1 both methods run all
# steps. The last step has two equal results, and each pipeline uses another one.
@pytest.mark.parametrize(
    ("name", "other", "given"),
    [
        ("LatentConsistencyModelPipeline", "StableDiffusionPipeline", {}),
        ("LatentConsistencyModelImg2ImgPipeline", "StableDiffusionImg2ImgPipeline", {"strength": 1.0}),
    ],
)
def test_it_uses_the_schedulers_eta(pipe, name, other, given):
    if "Img2Img" in name:
        given = given | {"image": image()}
    parts = pipe.components
    ours = run(getattr(mindone_tcd, name)(**parts, requires_safety_checker=False), **given)
    route = getattr(mindone_tcd, other)(**parts, requires_safety_checker=False)
    assert np.isfinite(ours).all()
    # The operations and their order are the same, except the cast of the guidance scale: a few float32 roundings.
    np.testing.assert_allclose(ours, run(route, eta=0.3, **given), rtol=0, atol=1e-5)
    assert np.abs(ours - run(route, eta=0.0, **given)).max() > 1e-3


def test_a_part_of_the_steps_from_an_image(pipe):
    parts = pipe.components
    from_image = mindone_tcd.LatentConsistencyModelImg2ImgPipeline(**parts, requires_safety_checker=False)
    seen = []

    def note(pipe, step, timestep, given):
        seen.append(int(timestep))
        return {}

    options = {"image": image(), "strength": 0.5, "num_inference_steps": 4, "callback_on_step_end": note}
    assert np.isfinite(run(from_image, **options)).all()
    assert seen == [499, 379, 259, 139]


def test_an_eta_is_refused(pipe):
    with pytest.raises(UsageError, match="LatentConsistencyModelPipeline has no argument 'eta' and would ignore it"):
        run(pipe, eta=0.5)


def test_eta_none_uses_the_default(pipe):
    route = mindone_tcd.StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    assert (run(route, eta=None) == run(route, eta=0.3)).all()
