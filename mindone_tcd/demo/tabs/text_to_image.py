"""Text to image: the model and its int8 version side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from .. import examples
from ..controls import controls, example_buttons, prompt_box
from ..gallery import Gallery
from ..handlers import call, changes, connect, panel
from ..offers import Key, Offer
from ..runs import Runs


def add(offer: Offer, runs: Runs, gallery: Gallery) -> None:
    """Add the content of the tab."""
    some = examples.prompts(offer.task, offer.first.model)
    with gr.Row(elem_classes="layout"):
        with gr.Column(scale=2, min_width=300, elem_classes="fields"):
            prompt = prompt_box(some[0])
            with gr.Row():
                run = gr.Button("Run", variant="primary", min_width=80, elem_classes="run")
                run_int8 = gr.Button("Run int8", variant="primary", min_width=80, elem_classes="run-int8")
                stop = gr.Button("Stop", min_width=60)
            form = controls(offer, prompt, sized=True)
        with gr.Column(scale=3, min_width=300, elem_classes="results"):
            with gr.Row():
                with gr.Column(min_width=140):
                    usual = panel("Model")
                with gr.Column(min_width=140):
                    quantized = panel("int8 weights")
            example_buttons(some, prompt)
    assert form.size is not None

    def text_to_image(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, width: int, height: int,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate an image from a prompt. Returns the image, a line with the seconds, and the record."""
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        yield from changes(runs, lambda: call(Key(offer.task, method), common, size=(width, height)))

    def text_to_image_int8(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, width: int, height: int,
    ) -> Iterator[Any]:  # fmt: skip
        """The same with the int8 version of the model."""
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        key = Key(offer.task, method, quantize="int8")
        yield from changes(runs, lambda: call(key, common, size=(width, height)))

    for button, handler, shown in ((run, text_to_image, usual), (run_int8, text_to_image_int8, quantized)):
        connect(button, handler, form, [*form.size], shown, gallery, handler.__name__, stop)
