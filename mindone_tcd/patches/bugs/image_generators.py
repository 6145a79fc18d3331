"""Image-to-image and inpainting with a list of generators: each given image is encoded with its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ...errors import UsageError
from ...patching.rewrite import rewrite


def own_generator(original: Callable) -> Callable:
    """Place i of the given images draws from generator i, where mindone hands the whole list to each."""
    return rewrite(
        original,
        r"(\.encode\(image\[i : i \+ 1\]\)\[0\], generator)\)",
        r"\1[i])",
        "with a generator for each image",
    )


def own_image(original: Callable) -> Callable:
    """:func:`own_generator` for a `prepare_latents` that encodes an image for each place of the batch.

    Fewer given images are repeated first, as diffusers does, so that each place has one.
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

    # Four channels are latents: they are not encoded, and mindone repeats them itself.
    if not isinstance(image, Tensor) or image.shape[1] == 4 or image.shape[0] >= count:
        return image
    if count % image.shape[0]:
        raise UsageError(
            f"{image.shape[0]} given images for a batch of {count} images: "
            f"give one, or as many as there are images, or a number that divides {count}"
        )
    return image.tile((count // image.shape[0], 1, 1, 1))
