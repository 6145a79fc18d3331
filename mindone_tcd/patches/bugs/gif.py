"""Make `export_to_gif` accept every type of frame that a pipeline returns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import UsageError


def as_image(frame: Any) -> Any:
    """Convert a frame to a PIL image.

    Args:
        frame: a PIL image, or an array of shape (height, width), or (height, width, C) with 1, 3 or 4 channels. Its
            dtype is uint8, or a float with values in [0, 1], which are scaled to 255 and rounded, as in the pipelines.

    Raises:
        UsageError: if the frame has another type, shape or dtype, or floats outside [0, 1].
    """
    import PIL.Image

    if isinstance(frame, PIL.Image.Image):
        return frame
    if not isinstance(frame, np.ndarray):
        found = f"a {type(frame).__name__}"
    elif frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (1,), (3,), (4,)):
        found = f"an array of shape {frame.shape}"
    else:
        found = None
    if found is not None:
        raise UsageError(
            f"a frame is {found}; expected a PIL image or a NumPy array (height, width, 3): "
            "pass the frames of one video, such as output[0][0], made with output_type 'pil' or 'np'"
        )
    if frame.dtype != np.uint8:
        if not np.issubdtype(frame.dtype, np.floating) or not bool(((frame >= 0) & (frame <= 1)).all()):
            raise UsageError(f"a frame of dtype {frame.dtype} has values other than floats in [0, 1]; scale it first")
        frame = (frame * 255).round().astype(np.uint8)
    return PIL.Image.fromarray(frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame)


def convert(original: Callable) -> Callable:
    """Wrap `export_to_gif`: convert each frame with :func:`as_image` first.

    The wrapper raises a UsageError if there are no frames.
    """

    @functools.wraps(original)
    def export_to_gif(image: Sequence[Any] | np.ndarray, *args: Any, **kwargs: Any) -> str:
        frames = [as_image(frame) for frame in image]
        if not frames:
            raise UsageError("there are no frames to write; pass the frames of one video, such as output[0][0]")
        return original(frames, *args, **kwargs)

    return export_to_gif
