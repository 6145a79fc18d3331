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
from ..offers import Key, Offer
from ..runs import Runs
from ..uploads import MaskEditor

_BRUSH = "#e000e0"
"""Any color marks the mask; this one is seen on most images."""


def add(offer: Offer, runs: Runs, gallery: Gallery, folder: Path) -> None:
    """Add the content of the tab."""
    model = offer.first.model
    some, image_file = examples.prompts(offer.task, model), examples.image(offer.task, model, folder)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            prompt = prompt_box(some[0])
            with gr.Row():
                run = gr.Button("Run", variant="primary", min_width=80, elem_classes="run")
                stop = gr.Button("Stop", min_width=60)
            strength = gr.Slider(
                0, 1, value=1, step=0.05, label="Strength", info="1: new content, less: similar to what was there"
            )
            form = controls(offer, prompt)
        with gr.Column(scale=3, min_width=300):
            with gr.Row():
                with gr.Column(min_width=280):
                    image = MaskEditor(
                        value=image_file, label="Image", type="filepath", format="png",
                        sources=["upload", "clipboard"], layers=False, transforms=None, height=420,
                        brush=gr.Brush(colors=[_BRUSH], color_mode="fixed", default_size=24), canvas_size=(512, 512),
                        buttons=[], elem_classes="editor",
                    )  # fmt: skip
                    gr.Markdown("Paint over the part that should change.")
                with gr.Column(min_width=140):
                    shown = panel("Result")
            example_buttons(some, prompt)

    def inpainting(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, image_and_mask: dict[str, str] | None, strength: float,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate the part of an image that the layers of an edited image mark. Returns the image, a line with the
        seconds, and the record.
        """
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        inputs = {**(image_and_mask or {}), "strength": strength}
        yield from changes(runs, lambda: call(Key(offer.task, method), common, inputs))

    connect(run, inpainting, form, [image, strength], shown, gallery, "inpainting", stop)
