"""Images of the denoised latents, while a pipeline runs."""

import mindspore as ms
import numpy as np
import pytest

from mindone_tcd.generate.preview import Preview
from mindone_tcd.generate.request import make_request


@pytest.fixture(scope="module", params=["sdxl", "sd15"])
def loaded(request, folders):
    from mindone_tcd import load

    found = load(model=folders(request.param), lora="none")
    found.pipeline.set_progress_bar_config(disable=True)
    return found


def test_the_last_preview_is_the_image(loaded):
    request = make_request(loaded.model, loaded.recipe, "a cat", steps=2, count=2)
    preview, seen = Preview(loaded), []
    made = loaded.make_batch(request, request.seeds, lambda step, latents: seen.append(preview(latents)))
    assert [len(images) for images in seen] == [2, 2]
    for image, last, first in zip(made, seen[1], seen[0], strict=True):
        assert (np.asarray(last) == np.asarray(image.image)).all()
        assert (np.asarray(first) != np.asarray(image.image)).any()


def test_a_clip_is_shown_by_its_first_frame(loaded):
    latents = np.random.default_rng(0).standard_normal((1, 4, 3, 8, 8)).astype(np.float32)
    preview = Preview(loaded)
    (clip,) = preview(ms.Tensor(latents))
    (frame,) = preview(ms.Tensor(latents[:, :, 0]))
    assert clip.size == (64, 64)
    assert (np.asarray(clip) == np.asarray(frame)).all()
