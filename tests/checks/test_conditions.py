"""Checks of image-to-image, inpainting, IP-Adapters and AnimateDiff before the prompt is encoded."""

import numpy as np
import pytest
from PIL import Image
from untouched import Untouched, stop

import mindone_tcd
from mindone_tcd import TCDScheduler, UsageError
from mindone_tcd.schedulers.methods import METHODS

PROMPT = "a red circle on a blue background"
IMAGE = Image.fromarray(np.random.Generator(np.random.PCG64(4)).integers(0, 256, (64, 64, 3), np.uint8))


@pytest.fixture(scope="module")
def parts(folders):
    """The components of two tiny random models, loaded once for the module."""
    loaded = {}

    def get(base):
        if base not in loaded:
            loaded[base] = mindone_tcd.DiffusionPipeline.from_pretrained(str(folders(base))).components
        return loaded[base] | {"scheduler": TCDScheduler.from_config(loaded[base]["scheduler"].config)}

    return get


def refused(pipe, message, **options):
    with pytest.raises(UsageError, match=message):
        run(pipe, **options)


def run(pipe, **options):
    pipe.set_progress_bar_config(disable=True)
    stream = np.random.Generator(np.random.PCG64(5))
    return pipe(PROMPT, generator=stream, **{"num_inference_steps": 4, "output_type": "np"} | options)[0]


STRENGTH = [
    ("sd15", "StableDiffusionImg2ImgPipeline", {"image": IMAGE}),
    ("sd15", "StableDiffusionInpaintPipeline", {"image": IMAGE, "mask_image": IMAGE.convert("L")}),
    ("lcm-sd15", "LatentConsistencyModelImg2ImgPipeline", {"image": IMAGE}),
]


@pytest.mark.parametrize("scheduler", [method.scheduler_class() for method in METHODS.values()], ids=METHODS)
@pytest.mark.parametrize(("base", "name", "given"), STRENGTH, ids=[case[1] for case in STRENGTH])
def test_strength_is_checked_before_the_prompt_is_encoded(parts, monkeypatch, base, name, given, scheduler):
    pipe = getattr(mindone_tcd, name)(**parts(base), requires_safety_checker=False)
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
    monkeypatch.setattr(pipe, "encode_prompt", stop)
    for strength in (0, 1.1, -1):
        refused(pipe, rf"strength is {strength}; expected a number above 0 and at most 1", strength=strength, **given)
    if base == "sd15":
        least, message = (
            0.25,
            r"strength 0\.2 of 4 steps leaves no step to take; use at least 5 steps, or a strength of",
        )
        refused(pipe, message, strength=0.2, **given)
        with pytest.raises(Untouched):
            run(pipe, strength=0.2, num_inference_steps=5, **given)
    else:  # the scheduler limits the steps; the grids of TCD and LCM have 50 timesteps
        least, message = (
            0.08,
            r"num_inference_steps is 4, but original_inference_steps=50 and strength=0\.06 allow at mo",
        )
        refused(pipe, message, strength=0.06, **given)
    with pytest.raises(Untouched):
        run(pipe, strength=least, **given)


@pytest.mark.parametrize(("base", "name", "given"), STRENGTH, ids=[case[1] for case in STRENGTH])
def test_the_smallest_valid_strength_generates_an_image(parts, base, name, given):
    pipe = getattr(mindone_tcd, name)(**parts(base), requires_safety_checker=False)
    assert np.isfinite(run(pipe, strength=0.25, **given)).all()


@pytest.fixture
def plain(parts, monkeypatch):
    pipe = mindone_tcd.StableDiffusionPipeline(**parts("sd15"), requires_safety_checker=False)
    monkeypatch.setattr(pipe, "encode_prompt", stop)
    return pipe


@pytest.fixture(params=["TCDScheduler", "DDIMScheduler"])
def any_scheduler(request):
    return getattr(mindone_tcd, request.param)


def test_an_image_without_an_ip_adapter(plain, any_scheduler):
    plain.scheduler = any_scheduler.from_config(plain.scheduler.config)
    refused(plain, "ip_adapter_image is given, but no IP-Adapter is loaded; load one first", ip_adapter_image=IMAGE)
    refused(plain, "ip_adapter_image_embeds is given, but no IP", ip_adapter_image_embeds=[np.zeros((1, 1, 32))])
    with pytest.raises(Untouched):
        run(plain)


def test_an_ip_adapter_without_an_image(plain, any_scheduler, folders, monkeypatch):
    plain.scheduler = any_scheduler.from_config(plain.scheduler.config)
    monkeypatch.setattr(plain, "prepare_ip_adapter_image_embeds", stop)
    plain.load_ip_adapter(str(folders("ip-adapter")), subfolder="models", weight_name="ip-adapter_sd15.safetensors")
    try:
        refused(plain, "an IP-Adapter is loaded, but neither ip_adapter_image nor ip_adapter_image_embeds is given")
        refused(plain, "ip_adapter_image has 2 entries, but 1 IP-Adapters are", ip_adapter_image=[IMAGE, IMAGE])
        for given in (IMAGE, [IMAGE], [[IMAGE, IMAGE]]):
            with pytest.raises(Untouched):
                run(plain, ip_adapter_image=given)
        with pytest.raises(Untouched):
            run(plain, ip_adapter_image_embeds=[np.zeros((1, 1, 32))])
        encoder = plain.image_encoder
        plain.image_encoder = None
        refused(plain, "the pipeline has no image encoder for it; load the IP-Adapter", ip_adapter_image=IMAGE)
        plain.image_encoder = encoder
    finally:
        plain.unload_ip_adapter()
    with pytest.raises(Untouched):
        run(plain)
    refused(plain, "no IP-Adapter is loaded", ip_adapter_image=IMAGE)


def test_more_frames_than_the_motion_adapter_supports(parts, any_scheduler, folders, monkeypatch):
    adapter = mindone_tcd.MotionAdapter.from_pretrained(str(folders("motion-adapter")))
    components = {name: part for name, part in parts("sd15").items() if name != "safety_checker"}
    pipe = mindone_tcd.AnimateDiffPipeline(**components, motion_adapter=adapter)
    pipe.scheduler = any_scheduler.from_config(pipe.scheduler.config)
    monkeypatch.setattr(pipe, "encode_prompt", stop)
    refused(pipe, "num_frames is 33, but the motion adapter supports at most 32; use fewer frames", num_frames=33)
    for options in ({}, {"num_frames": 32}):
        with pytest.raises(Untouched):
            run(pipe, **options)
