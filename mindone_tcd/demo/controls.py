"""The fields of a form that all tasks have."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..schedulers.methods import find_method
from .limits import MOST_PROMPT, MOST_SEED, MOST_STEPS, sides
from .offers import Offer

_MOST_GUIDANCE, _MOST_EMBEDDED_GUIDANCE = 8, 16


@dataclass(frozen=True)
class Controls:
    """The components of a form, in the order of the arguments of a handler."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    seed: gr.Number
    steps: gr.Slider
    guidance_scale: gr.Slider
    method: gr.Radio
    eta: gr.Slider
    preview: gr.Checkbox
    randomize: gr.Checkbox
    size: tuple[gr.Slider, gr.Slider] | None

    @property
    def common(self) -> list[Any]:
        """The components whose values every handler gets first."""
        return [
            *(self.prompt, self.negative_prompt, self.seed, self.steps),
            *(self.guidance_scale, self.method, self.eta, self.preview),
        ]


def prompt_box(example: str) -> gr.Textbox:
    return gr.Textbox(
        value=example, label="Prompt", placeholder="What the image should show", lines=2, max_length=MOST_PROMPT,
        elem_classes="prompt",
    )  # fmt: skip


def example_buttons(prompts: Sequence[str], prompt: gr.Textbox) -> None:
    """Create a button for each prompt, which writes it into the field. Browsers do this without the server."""
    gr.Markdown("Examples", elem_classes="examples-title")
    with gr.Row(elem_classes="examples"):
        for text in prompts:
            button = gr.Button(text, size="sm", min_width=80)
            button.click(None, None, prompt, js=f"() => {json.dumps(text)}", api_visibility="private")


def controls(offer: Offer, prompt: gr.Textbox, steps: int | None = None, sized: bool = False) -> Controls:
    """Create the fields below the prompt.

    Args:
        offer: the task.
        prompt: the field of the prompt.
        steps: the number of steps at first; None for the recipe's.
        sized: whether the form has the width and the height.
    """
    setup = offer.first
    recipe, model = setup.recipe, setup.model
    with gr.Row(equal_height=True):
        seed = gr.Number(
            value=0, label="Seed", precision=0, minimum=0, maximum=MOST_SEED, min_width=110, elem_classes="seed"
        )
        randomize = gr.Checkbox(label="Randomize", min_width=110)
    with gr.Row():
        taken = gr.Slider(
            1, MOST_STEPS, value=steps or recipe.steps, step=1, label="Steps", min_width=130, elem_classes="steps"
        )
        most = _MOST_EMBEDDED_GUIDANCE if model.guidance_embedded else _MOST_GUIDANCE
        guidance = gr.Slider(0, most, value=recipe.guidance_scale, step=0.5, label="Guidance", min_width=130)
    with gr.Row():
        method = gr.Radio(
            [(name.upper(), name) for name in offer.setups], value=recipe.method, label="Method", min_width=130
        )
        eta = gr.Slider(
            0, 1, value=recipe.eta or 0, step=0.05, label="Eta (TCD)", min_width=130,
            interactive=find_method(recipe.method).eta is not None,
        )  # fmt: skip
    size = None
    if sized:
        least, usual, largest = sides(model, setup.multiple)
        with gr.Row():
            width, height = (
                gr.Slider(least, largest, value=usual, step=setup.multiple, label=label, min_width=130)
                for label in ("Width", "Height")
            )
        size = width, height
    negative = gr.Textbox(
        value="",
        label="Negative prompt", placeholder="Needs a guidance above 1", lines=1,
        max_length=MOST_PROMPT,
    )  # fmt: skip
    preview = gr.Checkbox(value=model.shipped, label="Show each step")
    if len(offer.setups) > 1:
        method.change(
            lambda name: _fields_of(offer, name), method, [eta, guidance], api_visibility="private", queue=False
        )
    return Controls(prompt, negative, seed, taken, guidance, method, eta, preview, randomize, size)


def _fields_of(offer: Offer, method: str) -> tuple[Any, Any]:
    """Return the changes of eta and the guidance scale for another method."""
    recipe = offer.setups[method].recipe
    return gr.update(interactive=find_method(method).eta is not None), gr.update(value=recipe.guidance_scale)


def next_seed(randomize: bool, seed: int | None) -> int:
    """Return the seed of the next run. An empty field counts as 0."""
    return random.randint(0, MOST_SEED) if randomize else seed or 0
