"""Inpainting: generate the part of an image on which the user draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from .. import examples
from ..controls import controls, example_buttons, prompt_box
from ..gallery import Gallery
from ..handlers import call, changes, connect, panel
from ..masks import Edited
from ..offers import Key, Offer
from ..runs import Runs
from ..uploads import mask_editor

_BRUSH = "#e000e0"
"""Any color marks the mask; this one is seen on most images."""


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
                0, 1, value=1, step=0.05, label="Strength", info="1: new content, less: similar to what was there"
            )
            form = controls(offer, prompt)
        with gr.Column(scale=3, min_width=300, elem_classes="results"):
            with gr.Row():
                with gr.Column(min_width=280):
                    image = mask_editor(
                        value=example, label="Image", format="png", height=420, canvas_size=(512, 512), buttons=[],
                        brush=gr.Brush(colors=[_BRUSH], color_mode="fixed", default_size=24), elem_classes="editor",
                    )  # fmt: skip
                    gr.Markdown("Paint over the part that should change.")
                with gr.Column(min_width=140):
                    shown = panel("Result")
            example_buttons(some, prompt)

    def inpainting(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, image_and_mask: Edited | None, strength: float,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate the part of an image that the layers of an edited image mark. Returns the image, a line with the
        seconds, and the record.
        """
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        key = Key(offer.task, method)
        yield from changes(runs, lambda: call(key, common, {"strength": strength}, edited=image_and_mask))

    connect(run, inpainting, form, [image, strength], shown, gallery, "inpainting", stop)
