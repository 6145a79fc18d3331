"""mindone's DPTImageProcessor equals that of transformers."""

import numpy as np
import PIL.Image
import pytest
import transformers
from mindone.transformers.models.dpt.image_processing_dpt import DPTImageProcessor

from mindone_tcd import UsageError

IMAGE = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": {"height": 48, "width": 64}, "keep_aspect_ratio": True, "ensure_multiple_of": 32},
        {"do_resize": False, "do_pad": True, "size_divisor": 16},
        {"do_normalize": False, "do_rescale": False},
    ],
    ids=["defaults", "aspect", "padded", "plain"],
)
def test_equals_transformers(options, tmp_path):
    theirs = transformers.DPTImageProcessor(**{"size": {"height": 32, "width": 32}, **options})
    theirs.save_pretrained(tmp_path)
    ours = DPTImageProcessor.from_pretrained(tmp_path)
    expected = theirs(images=[IMAGE, IMAGE], return_tensors="np").pixel_values
    np.testing.assert_array_equal(ours(images=[IMAGE, IMAGE], return_tensors="np").pixel_values, expected)


def test_padding_needs_a_divisor():
    with pytest.raises(UsageError, match="size_divisor"):
        DPTImageProcessor(do_pad=True)(images=IMAGE, return_tensors="np")
