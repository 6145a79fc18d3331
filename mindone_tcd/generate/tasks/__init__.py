"""The tasks of :func:`mindone_tcd.load`, by name, each with the features of its calls."""

from __future__ import annotations

from dataclasses import dataclass

from .animate import Animate
from .controlnet import ControlNet
from .feature import Feature
from .image_to_image import ImageToImage
from .inpainting import Inpainting
from .ip_adapter import IPAdapter
from .t2i_adapter import T2IAdapter


@dataclass(frozen=True)
class Task:
    """A way to use a pipeline.

    Attributes:
        mode: what it starts from: ``text``, ``image``, ``inpaint`` or ``animate``.
        feature: what its calls take besides the prompt; None for nothing.
        needs: the role of the part that it cannot do without, and the kind to load if the user names none.
        steps: the default number of steps; None for the method's.
    """

    mode: str
    feature: Feature | None = None
    needs: tuple[str, str] | None = None
    steps: int | None = None


TASKS: dict[str, Task] = {
    "text-to-image": Task("text"),
    "image-to-image": Task("image", ImageToImage()),
    "inpainting": Task("inpaint", Inpainting()),
    "controlnet": Task("text", None, ("controlnet", "canny")),
    "t2i-adapter": Task("text", None, ("t2i-adapter", "canny")),
    "ip-adapter": Task("text", None, ("ip-adapter", "")),
    "animate": Task("animate", Animate(), ("motion-adapter", ""), steps=5),
}

PART_FEATURES: dict[str, Feature] = {
    "controlnet": ControlNet(),
    "t2i-adapter": T2IAdapter(),
    "ip-adapter": IPAdapter(),
}
"""The features that parts of a role add to any task."""
