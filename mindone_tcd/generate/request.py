"""A request for images, completed from the recipe and checked before anything slow is loaded."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, shown, warn_user
from ..files.model_folder import Model
from ..schedulers.arguments import is_real
from ..schedulers.methods import METHODS, find_method
from ..shapes.grammar import COLOURS, DIRECTIONS, POSITIONS, RELATIONS, SHAPES, SIZES
from ..shapes.models import WITH_MOTION
from ..shapes.prompts import to_trained
from .inputs import Inputs
from .recipes import Recipe

if TYPE_CHECKING:
    from .setup import Setup

DTYPES = ("float32", "float16", "bfloat16")

MOST_IMAGES = 10_000
MOST_PIXELS_A_SIDE = 8192
MOST_GUIDANCE = 1e100
MOST_SEED = 10**100 - 1
"""Limits against typing errors, which would otherwise fill the memory before any error."""


@dataclass(frozen=True)
class Request:
    """All arguments of a pipeline call, except for the model.

    Attributes:
        prompt: what the images should show.
        negative_prompt: what they should not show; only used with guidance above 1.
        seeds: one per image; its PCG64 stream gives the latents, then each step's noise.
        steps: number of inference steps, from 1 to the method's ``max_steps``.
        guidance_scale: 0 or more; classifier-free guidance is active above 1.
        eta: the stochasticity parameter, 0 (no new noise) to 1; None for a method without eta.
        width, height: in pixels.
        inputs: images and numbers of the task.
    """

    prompt: str
    negative_prompt: str | None
    seeds: tuple[int, ...]
    steps: int
    guidance_scale: float
    eta: float | None
    width: int
    height: int
    inputs: Inputs = field(default_factory=Inputs)

    def as_record(self, paths: bool = False) -> dict[str, Any]:
        """Return the fields of a record.

        Args:
            paths: whether absolute paths of input images are included; else only their file names are.
        """
        plain = asdict(replace(self, inputs=Inputs()))
        fields = {key: value for key, value in plain.items() if key not in ("seeds", "inputs")}
        sources = [source.as_record(paths) for source in self.inputs.sources]
        return {**fields, **self.inputs.numbers, **({"inputs": sources} if sources else {})}


def whole_number(value: object, name: str, least: int, most: int | None = None) -> int:
    """Return ``value`` as an int.

    Raises:
        UsageError: if ``value`` is not an integer in this range; the message names the range.
    """
    expected = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {shown(value)}; expected {expected}") from None
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        raise UsageError(f"{name} is {shown(value)}; expected {expected}")
    return number


def _real(value: object, name: str, least: float, most: float) -> float:
    expected = f"a number from {least:g} to {most:g}"
    if not is_real(value) or not least <= value <= most:
        raise UsageError(f"{name} is {shown(value)}; expected {expected}")
    return float(value)


def _text(value: object, name: str) -> None:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {value!r}; expected a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name} has {value[error.start]!r}, which is not a character; use UTF-8") from None


def heeds_negative_prompt(model: Model, guidance_scale: float) -> bool:
    """Return whether classifier-free guidance is active, which a negative prompt needs."""
    return guidance_scale > 1 and not model.guidance_embedded


def _size(value: int | tuple[int, int] | None, model: Model, inputs: Inputs, scale: int) -> tuple[int, int]:
    if value is None and model.sample_size is None:
        raise UsageError(f"{model.name} does not state the size that it was trained for; pass a size")
    if value is None and (shown_first := [*inputs.of("image"), *inputs.of("control")]):
        return fitted(shown_first[0].given.image.size, model.sample_size or 0, scale)
    value = model.sample_size if value is None else value
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise UsageError(f"size is {value!r}; expected a number of pixels, or a width and a height")
    width, height = (whole_number(length, "size", 1, MOST_PIXELS_A_SIDE) for length in pair)
    for length in (width, height):
        if length % scale:
            low = max(scale, length // scale * scale)
            near = " or ".join(map(str, dict.fromkeys((low, length // scale * scale + scale))))
            raise UsageError(f"size {length} is not divisible by {scale}, as the pipeline needs; try {near}")
    return width, height


def fitted(size: tuple[int, int], side: int, multiple: int) -> tuple[int, int]:
    """Return the size in which an input image is used: its proportions, with the area that the model was trained on.

    Args:
        size: width and height of the image in pixels.
        side: the model's width and height.
        multiple: both results are multiples of it.
    """
    factor = side / math.sqrt(size[0] * size[1])
    width, height = (max(1, round(length * factor / multiple)) * multiple for length in size)
    return min(width, MOST_PIXELS_A_SIDE), min(height, MOST_PIXELS_A_SIDE)


def _warn_of_unusual_size(width: int, height: int, learned: int) -> None:
    if 4 * min(width, height) < 3 * learned or 2 * max(width, height) > 3 * learned:
        warn_user(
            f"the model 'shapes' was trained on images of {learned}x{learned}; at {width}x{height}, images may not "
            f"match the prompt: use sides of {3 * learned // 4} to {3 * learned // 2}",
        )


def text_for(model: Model, prompt: str) -> str:
    """Return the prompt for the pipeline: for the shipped model the prompt in trained words, else the prompt itself."""
    return to_trained(prompt, model.name in WITH_MOTION).text if model.shipped else prompt


def _warn_of_unusual_prompt(model: Model, prompt: str, negative_prompt: str | None) -> None:
    """Warn, on one line, of words that the shipped model was not trained on and of unspecified parts of the scene."""
    motion = model.name in WITH_MOTION
    trained = to_trained(prompt, motion)
    # A negative prompt does not need a complete scene.
    negative = to_trained(negative_prompt, motion).unknown if negative_prompt else ()
    strange = dict.fromkeys([*trained.unknown, *negative])
    left = f"the prompt names {' and '.join(f'no {part}' for part in trained.missing)}" if trained.missing else ""
    if strange:
        moves = [f"moving {direction}" for direction in DIRECTIONS] if motion else []
        known = ", ".join([*SHAPES, *COLOURS, *SIZES, *POSITIONS, *RELATIONS, *moves])
        also = f"; {left}" if left else ""
        warn_user(f"the model {model.name!r} does not know {', '.join(map(repr, strange))}; it knows: {known}{also}")
    elif left and prompt.strip():
        warn_user(
            f"{left}, so the result is arbitrary; use a prompt such as 'a red circle on a blue background'",
        )


def make_request(
    model: Model,
    recipe: Recipe,
    prompt: str,
    *,
    negative_prompt: str | None = None,
    seed: int = 0,
    count: int = 1,
    steps: int | None = None,
    guidance_scale: float | None = None,
    eta: float | None = None,
    size: int | tuple[int, int] | None = None,
    inputs: Inputs | None = None,
    multiple: int = 8,
    sizes: Sequence[tuple[int, int]] | None = None,
) -> Request:
    """Complete a request from the recipe. Arguments: see :class:`~mindone_tcd.generate.loaded.LoadedPipeline`.

    Args:
        inputs: the checked images and numbers of the task.
        multiple: the divisor of the width and the height that the task needs.
        sizes: the possible widths and heights, of an exported pipeline; None for all.

    Raises:
        UsageError: if a value is invalid; the message names the value, what was expected and what to do.

    Warns:
        UserWarning: if the shipped model was not trained on a word or the size, if its prompt names no shape or no
            background, if the prompt is empty, or if the negative prompt has no effect.
    """
    _text(prompt, "prompt")
    if negative_prompt is not None:
        _text(negative_prompt, "negative_prompt")
    inputs = inputs or Inputs()
    if not prompt.strip() and not inputs.of("reference"):
        warn_user("the prompt is empty: the content of the image is arbitrary")
    first = whole_number(seed, "seed", 0)
    if first > MOST_SEED:
        raise UsageError(f"seed is {shown(first)}; expected at most {len(str(MOST_SEED))} digits")
    seeds = tuple(first + k for k in range(whole_number(count, "count", 1, MOST_IMAGES)))
    method = find_method(recipe.method)
    steps = recipe.steps if steps is None else whole_number(steps, "steps", 1, method.max_steps)
    guidance_scale = _real(
        recipe.guidance_scale if guidance_scale is None else guidance_scale, "guidance", 0, MOST_GUIDANCE
    )
    if eta is None:
        eta = recipe.eta
    elif method.eta is None:
        fit = " or ".join(each.name for each in METHODS.values() if each.eta is not None)
        raise UsageError(f"eta is {eta!r}, but {recipe.method} has no eta; leave it out or choose the method {fit}")
    else:
        eta = _real(eta, "eta", 0, 1)
    _check_strength(inputs, steps)
    # Regardless of the VAE's scale, the pipelines accept only multiples of 8.
    if sizes is not None and size is None and (model.sample_size, model.sample_size) not in sizes:
        size = sizes[0]
    width, height = _size(size, model, inputs, max(model.vae_scale, multiple, 8))
    if sizes is not None and (width, height) not in sizes:
        exported = ", ".join(f"{each[0]}x{each[1]}" for each in sizes)
        raise UsageError(f"size {width}x{height} is not exported; choose one of: {exported}; or export again with it")
    heeded = heeds_negative_prompt(model, guidance_scale)
    if negative_prompt and not heeded:
        why = (
            "with this model"
            if model.guidance_embedded
            else f"at guidance {guidance_scale:g}; it needs guidance above 1"
        )
        warn_user(f"the negative prompt has no effect {why}")
    if model.shipped:
        if model.sample_size is not None:
            _warn_of_unusual_size(width, height, model.sample_size)
        _warn_of_unusual_prompt(model, prompt, negative_prompt if heeded else None)
    return Request(prompt, negative_prompt, seeds, steps, guidance_scale, eta, width, height, inputs)


def request_for(setup: Setup, prompt: str, **values: Any) -> Request:
    """Complete a request for a setup, which determines the model, the recipe and the possible sizes.

    Args:
        setup: what is loaded, or will be.
        prompt: what the images should show.
        values: further arguments of :func:`make_request`, which also lists the errors and warnings.
    """
    return make_request(setup.model, setup.recipe, prompt, multiple=setup.multiple, sizes=setup.sizes, **values)


def _check_strength(inputs: Inputs, steps: int) -> None:
    strength = inputs.numbers.get("strength")
    if strength is not None and int(steps * strength) < 1:
        least = math.ceil(100 / steps) / 100
        raise UsageError(
            f"strength {strength:g} of {steps} steps leaves no step; choose a strength of at least {least:g}, or more "
            "steps"
        )
