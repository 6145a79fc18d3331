"""What a feature of a task is: the arguments of a call that it takes, checks, and hands to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from ...errors import UsageError, shown
from ...schedulers.arguments import is_real
from ..inputs import MOST_SCALE, Inputs

if TYPE_CHECKING:
    from ..request import Request
    from ..setup import Setup


class Feature:
    """A capability of a loaded pipeline.

    Attributes:
        takes: the arguments of a call that belong to it.
        multiple: the divisor of the image's width and height.
    """

    takes: ClassVar[tuple[str, ...]] = ()
    multiple: ClassVar[int] = 8

    def read(self, given: Mapping[str, Any], setup: Setup) -> Inputs:
        """Check the arguments of a call, before anything slow.

        Args:
            given: the values of :attr:`takes` that are not None.
            setup: what is loaded.

        Raises:
            UsageError: if one is missing or invalid.
        """
        raise NotImplementedError

    def arguments(self, request: Request, setup: Setup) -> dict[str, Any]:
        """Return the arguments of the pipeline's call."""
        raise NotImplementedError


def needed(given: Mapping[str, Any], name: str, task: str, what: str) -> Any:
    """Return an argument that a task cannot do without.

    Raises:
        UsageError: if it is missing.
    """
    if name not in given:
        raise UsageError(f"{task} needs {name}: {what}")
    return given[name]


def scale_of(value: object, name: str, least: float = 0.0, most: float = MOST_SCALE) -> float:
    """Return a number within limits.

    Raises:
        UsageError: if it is something else.
    """
    if not is_real(value) or not least <= value <= most:
        raise UsageError(f"{name} is {shown(value)}; expected a number from {least:g} to {most:g}")
    return float(value)


def resized(image: Image.Image, size: Sequence[int], nearest: bool = False) -> Image.Image:
    """Return an image with a width and height in pixels; unchanged if it has them already."""
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.LANCZOS
    return image if image.size == tuple(size) else image.resize((size[0], size[1]), how)
