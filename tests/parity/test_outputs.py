"""Outputs of pipelines other than arrays, on tiny random models."""

from dataclasses import replace

import numpy as np
import pytest
from parity_case import streams
from parity_cases import CASES
from PIL import Image


def test_a_pil_image_is_the_rounded_array(run, ours):
    case = CASES["sdxl-tcd-batch-of-one-stream"]
    pipe = run.loaded(case)
    arrays = ours("sdxl-tcd-batch-of-one-stream")
    assert run.loaded(case) is pipe
    options = {"num_inference_steps": 3, "generator": streams(case.seeds), **case.call}
    images = pipe(output_type="pil", **options)[0]
    assert [image.size for image in images] == [(64, 64)] * 2
    for image, array in zip(images, arrays, strict=True):
        np.testing.assert_array_equal(np.asarray(image), (array * 255).round().astype(np.uint8))


def test_a_callback_gets_every_step(run):
    seen = []

    def note(pipe, step, timestep, given):
        seen.append((step, int(timestep), given["latents"].shape))
        return given

    case = CASES["sdxl-tcd-callback"]
    run(replace(case, call=case.call | {"callback_on_step_end": note}))
    assert seen == [(0, 999, (1, 4, 8, 8)), (1, 679, (1, 4, 8, 8)), (2, 339, (1, 4, 8, 8))]


@pytest.mark.slow
def test_a_gif_of_an_animation(run, tmp_path):
    from mindone_tcd import export_to_gif

    case = CASES["animatediff-tcd"]
    frames = run.loaded(case)(generator=streams(case.seeds), num_inference_steps=1, output_type="pil", **case.call)[0][
        0
    ]
    assert len(frames) == 3
    path = export_to_gif(frames, str(tmp_path / "animation.gif"))
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size) == (3, (64, 64))


def test_a_grid_of_loaded_images(tmp_path):
    from mindone_tcd import load_image, make_image_grid

    paths = [tmp_path / f"{k}.png" for k in range(2)]
    for k, path in enumerate(paths):
        Image.new("RGB", (8, 8), (100 * k, 0, 0)).save(path)
    grid = make_image_grid([load_image(str(path)) for path in paths], rows=1, cols=2)
    assert grid.size == (16, 8)
    assert [grid.getpixel((x, 0)) for x in (0, 8)] == [(0, 0, 0), (100, 0, 0)]


@pytest.mark.parametrize("name", ["sd15-lcm-safety-checker", "lcm-pipeline-safety-checker"])
@pytest.mark.slow
def test_a_flagged_image_is_black_and_reported(name, run, ours, stored):
    for images in (ours(name), stored[name]):
        assert images[0].max() == 0
        assert images[1].std() > 0.05
    case = CASES[name]
    options = {"num_inference_steps": 4, "generator": streams(case.seeds), **case.call}
    _, flagged = run.loaded(case)(**options, output_type="np")
    assert [bool(flag) for flag in flagged] == [True, False]
