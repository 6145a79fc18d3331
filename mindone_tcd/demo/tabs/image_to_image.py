"""Image to image: start from an uploaded image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from .. import examples
from ..controls import controls, example_buttons, prompt_box
from ..gallery import Gallery
from ..handlers import call, changes, connect, panel
from ..limits import MOST_STEPS
from ..offers import Key, Offer
from ..runs import Runs
from ..uploads import image_file

_STRENGTH = 0.65


def add(offer: Offer, runs: Runs, gallery: Gallery, folder: Path) -> None:
    """Add the content of the tab."""
    model = offer.first.model
    some, example = examples.prompts(offer.task, model), examples.image(offer.task, model, folder)
    with gr.Row(elem_classes="layout"):
        with gr.Column(scale=2, min_width=300, elem_classes="fields"):
            prompt = prompt_box(some[0])
            with gr.Row():
                run = gr.Button("Run", variant="primary", min_width=80, elem_classes="run")
                stop = gr.Button("Stop", min_width=60)
            strength = gr.Slider(
                0, 1, value=_STRENGTH, step=0.05, label="Strength", info="0: the image as it is, 1: only the prompt"
            )
            form = controls(offer, prompt, steps=MOST_STEPS)
        with gr.Column(scale=3, min_width=300, elem_classes="results"):
            with gr.Row():
                with gr.Column(min_width=140):
                    image = image_file(
                        value=example, label="Image", height=300,
                        buttons=["fullscreen"], elem_classes="upload",
                    )  # fmt: skip
                with gr.Column(min_width=140):
                    shown = panel("Result")
            example_buttons(some, prompt)

    def image_to_image(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, image: str | None, strength: float,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate an image from a prompt and an image. Returns the image, a line with the seconds, and the record."""
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        inputs = {"image": image, "strength": strength}
        yield from changes(runs, lambda: call(Key(offer.task, method), common, inputs))

    connect(run, image_to_image, form, [image, strength], shown, gallery, "image_to_image", stop)
