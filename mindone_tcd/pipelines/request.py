"""What is asked for, completed from the recipe and checked before anything heavy loads."""

from __future__ import annotations

import operator
import warnings
from dataclasses import asdict, dataclass
from numbers import Real

from ..errors import UsageError
from ..schedulers.methods import METHODS, find_method
from ..shapes.grammar import COLOURS, POSITIONS, RELATIONS, SHAPES, SIZES
from ..shapes.prompts import to_trained
from .folder import Model
from .recipes import Recipe

DTYPES = ("float32", "float16", "bfloat16")
FORMS = ("step", "trajectory")
"""What one compiled graph of a text-to-image pipeline holds: a step, or all steps."""

MOST_PICTURES = 10_000
MOST_PIXELS_A_SIDE = 8192
MOST_GUIDANCE = 1e100
MOST_SEED = 10**100 - 1
"""Beyond these a call is a slip of the keyboard; it would fill the memory before anything says so."""


@dataclass(frozen=True)
class Request:
    """Everything about a set of pictures but the model: what the pipeline is called with.

    Attributes:
        prompt: what the pictures are to show.
        negative_prompt: what they are not to show; only guidance above 1 heeds it.
        seeds: one for each picture; its PCG64 stream gives the latents, then each step's noise.
        steps: number of inference steps, from 1 to the method's ``max_steps``.
        guidance_scale: 0 or more; classifier-free guidance runs above 1.
        eta: the share of fresh noise in each step, 0 to 1; None for a method without eta.
        width, height: in pixels.
    """

    prompt: str
    negative_prompt: str | None
    seeds: tuple[int, ...]
    steps: int
    guidance_scale: float
    eta: float | None
    width: int
    height: int

    def as_record(self) -> dict:
        return {key: value for key, value in asdict(self).items() if key != "seeds"}


def _shown(value: object) -> str:
    """A value for a message; Python writes no integers of more than some thousand digits."""
    return "an integer of more than 100 digits" if isinstance(value, int) and abs(value) > MOST_SEED else repr(value)


def whole_number(value: object, name: str, least: int, most: int | None = None) -> int:
    """``value`` as an int, or a UsageError that says which numbers are expected."""
    expected = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {_shown(value)}; expected {expected}") from None
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        raise UsageError(f"{name} is {_shown(value)}; expected {expected}")
    return number


def _real(value: object, name: str, least: float, most: float) -> float:
    expected = f"a number from {least:g} to {most:g}"
    if not isinstance(value, Real) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{name} is {_shown(value)}; expected {expected}")
    return float(value)


def _text(value: object, name: str) -> None:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {value!r}; expected a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name} holds {value[error.start]!r}, which is no character; write it in UTF-8") from None


def form_of(compile: object) -> str | None:
    """The form that ``compile`` asks for: one of ``FORMS``; None for no graphs."""
    if compile in FORMS:
        return compile
    if compile is None or isinstance(compile, bool):
        return FORMS[0] if compile else None
    raise UsageError(f"compile is {compile!r}; expected True, False or one of: {', '.join(FORMS)}")


def heeds_negative_prompt(model: Model, guidance_scale: float) -> bool:
    """Whether there is classifier-free guidance, which a negative prompt needs."""
    return guidance_scale > 1 and not model.guidance_embedded


def _size(value: int | tuple[int, int] | None, model: Model) -> tuple[int, int]:
    if value is None and model.sample_size is None:
        raise UsageError(f"{model.name} does not say for which size it was trained; give a size")
    value = model.sample_size if value is None else value
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise UsageError(f"size is {value!r}; expected a number of pixels, or a width and a height")
    # Whatever the autoencoder's scale, the pipelines take multiples of 8 only.
    scale = max(model.vae_scale, 8)
    width, height = (whole_number(length, "size", 1, MOST_PIXELS_A_SIDE) for length in pair)
    for length in (width, height):
        if length % scale:
            low = max(scale, length // scale * scale)
            near = " or ".join(map(str, dict.fromkeys((low, length // scale * scale + scale))))
            raise UsageError(f"size {length} is not divisible by {scale}, the autoencoder's scale; try {near}")
    return width, height


def _warn_of_strange_size(width: int, height: int, learned: int) -> None:
    if 4 * min(width, height) < 3 * learned or 2 * max(width, height) > 3 * learned:
        warnings.warn(
            f"the model 'shapes' learned pictures of {learned}x{learned}; on {width}x{height} it may not draw what the "
            f"prompt says: take sides of {3 * learned // 4} to {3 * learned // 2}",
            stacklevel=3,
        )


def text_for(model: Model, prompt: str) -> str:
    """What the pipeline is given for a prompt: for the shipped model its trained words, else the prompt itself."""
    return to_trained(prompt).text if model.shipped else prompt


def _warn_of_strange_prompt(prompt: str, negative_prompt: str | None) -> None:
    """Warn, in one line, of words that the shipped model never saw and of what a prompt leaves to it."""
    trained = to_trained(prompt)
    # A negative prompt need not name a whole scene.
    strange = dict.fromkeys([*trained.unknown, *(to_trained(negative_prompt).unknown if negative_prompt else ())])
    left = f"the prompt names {' and '.join(f'no {part}' for part in trained.missing)}" if trained.missing else ""
    if strange:
        known = ", ".join([*SHAPES, *COLOURS, *SIZES, *POSITIONS, *RELATIONS])
        also = f"; {left}" if left else ""
        warnings.warn(
            f"the model 'shapes' never saw {', '.join(map(repr, strange))}; it knows: {known}{also}", stacklevel=4
        )
    elif left and prompt.strip():
        warnings.warn(
            f"{left}, so the model 'shapes' chooses; write a prompt such as 'a red circle on a blue background'",
            stacklevel=4,
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
) -> Request:
    """Complete a request from the recipe; arguments as in :class:`~mindone_tcd.pipelines.text_to_image.TextToImage`.

    Raises:
        UsageError: for a value that cannot work; it names the value, what was expected and what to do.

    Warns:
        UserWarning: for words and sizes the shipped model never saw, a prompt for it that names no shape or no
            background, an empty prompt, and a negative prompt that nothing heeds.
    """
    _text(prompt, "prompt")
    if negative_prompt is not None:
        _text(negative_prompt, "negative_prompt")
    if not prompt.strip():
        warnings.warn("the prompt is empty: the picture will be of nothing in particular", stacklevel=3)
    first = whole_number(seed, "seed", 0)
    if first > MOST_SEED:
        raise UsageError(f"seed is {_shown(first)}; expected at most {len(str(MOST_SEED))} digits")
    seeds = tuple(first + k for k in range(whole_number(count, "count", 1, MOST_PICTURES)))
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
    width, height = _size(size, model)
    heeded = heeds_negative_prompt(model, guidance_scale)
    if negative_prompt and not heeded:
        why = (
            "with this model"
            if model.guidance_embedded
            else f"at guidance {guidance_scale:g}; it needs guidance above 1"
        )
        warnings.warn(f"the negative prompt has no effect {why}", stacklevel=3)
    if model.shipped:
        _warn_of_strange_size(width, height, model.sample_size)
        _warn_of_strange_prompt(prompt, negative_prompt if heeded else None)
    return Request(prompt, negative_prompt, seeds, steps, guidance_scale, eta, width, height)
