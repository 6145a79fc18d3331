"""Let image-to-image and inpainting pipelines encode each input image with its own generator of a list."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ...errors import UsageError
from ...patching.rewrite import rewrite


def own_generator(original: Callable) -> Callable:
    """Rewrite a method so that input image i draws from generator i; mindone passes the whole list for each image."""
    return rewrite(
        original,
        r"(\.encode\(image\[i : i \+ 1\]\)\[0\], generator)\)",
        r"\1[i])",
        "with a generator for each image",
    )


def own_image(original: Callable) -> Callable:
    """Apply :func:`own_generator` to a `prepare_latents` that encodes one input image for each image of the batch.

    Fewer input images are repeated first, as in diffusers. The wrapper raises a UsageError if their number does not
    divide the number of images.
    """
    rewritten = own_generator(original)
    signature = inspect.signature(original)

    @functools.wraps(rewritten)
    def prepare_latents(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        given = call.arguments
        if isinstance(given.get("generator"), list):
            given["image"] = _repeated(given["image"], given["batch_size"] * given["num_images_per_prompt"])
        return rewritten(*call.args, **call.kwargs)

    return prepare_latents


def _repeated(image: Any, count: int) -> Any:
    from mindspore import Tensor

    # A tensor of four channels contains latents: mindone repeats these itself and does not encode them.
    if not isinstance(image, Tensor) or image.shape[1] == 4 or image.shape[0] >= count:
        return image
    if count % image.shape[0]:
        raise UsageError(
            f"there are {image.shape[0]} input images for a batch of {count} images; "
            f"pass one input image, or a number that divides {count}"
        )
    return image.tile((count // image.shape[0], 1, 1, 1))
