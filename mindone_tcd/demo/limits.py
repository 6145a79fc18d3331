"""Limits for what visitors of the demo send, so that one visitor cannot fill the memory or the disk of the host."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..files.images import InputImage, open_image
from ..files.model_folder import Model
from ..generate.request import Request, whole_number

MOST_BYTES = 10 << 20
"""The largest uploaded file."""

MOST_BODY = MOST_BYTES + (1 << 20)
"""The largest body of any request to the server: a file, and the fields of a form around it."""

MOST_STEPS = 8
"""LoRAs for few steps are trained for at most this many."""

MOST_SEED = 2**32 - 1
MOST_PROMPT = 2000
"""Characters of a prompt. Text encoders read 77 tokens."""

MOST_KEPT_IMAGES = 24
"""The number of images in the gallery of a session; older ones leave it."""

MOST_WAITING = 20
"""The number of runs that wait in the queue; the next visitor gets an error."""

HOURS_KEPT = 6
"""Uploaded and generated files are removed after this time."""

USUAL_SIDE = 512
"""Width and height in pixels for models that do not state theirs."""


def sides(model: Model, multiple: int) -> tuple[int, int, int]:
    """Return the least, the usual and the largest width and height of images, multiples of ``multiple``, in pixels."""
    usual = model.sample_size or USUAL_SIDE
    least, most = usual * 3 // 4, usual * 3 // 2
    return -(-least // multiple) * multiple, usual, most // multiple * multiple


def check_request(request: Request, model: Model) -> None:
    """Check what a visitor asked for, beyond what the pipelines check.

    Raises:
        UsageError: if the prompt is too long, there are too many steps, or the image would be too large, which an input
            image of extreme proportions can cause.
    """
    for name, text in (("prompt", request.prompt), ("negative prompt", request.negative_prompt or "")):
        if len(text) > MOST_PROMPT:
            raise UsageError(f"the {name} has {len(text)} characters; expected at most {MOST_PROMPT}: shorten it")
    whole_number(request.steps, "steps", 1, MOST_STEPS)
    usual = model.sample_size or USUAL_SIDE
    most = usual * 3
    if max(request.width, request.height) > most or request.width * request.height > (usual * 3 // 2) ** 2:
        raise UsageError(
            f"the image would have {request.width}x{request.height} pixels; expected sides of at most {most} and "
            f"{(usual * 3 // 2) ** 2} pixels: use an image that is closer to a square"
        )


def opened(path: str, what: str) -> InputImage:
    """Return an uploaded image. Its size in pixels is checked before it is decoded.

    Raises:
        UsageError: if the file is no image, damaged or too large. The message has its name, but not its folder.
    """
    try:
        return open_image(path, what)
    except UsageError as error:
        raise UsageError(without_folder(str(error), path)) from None


def without_folder(message: str, *paths: str) -> str:
    """Return a message without the folders of these files: visitors know only their names."""
    for path in paths:
        message = message.replace(f"{Path(path).parent}/", "")
    return message
