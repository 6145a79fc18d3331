"""ControlNet: follow the edges, depths or normals of an uploaded image, and show them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ...generate.tasks.controls import CONTROL_SCALE, PUBLISHED_SCALE
from .. import examples
from ..controls import controls, example_buttons, prompt_box
from ..gallery import Gallery
from ..handlers import call, changes, connect, panel
from ..offers import Key, Offer
from ..runs import Runs
from ..uploads import image_file

_MOST_SCALE = 2
_LABELS = {"canny": "Edges", "depth": "Depths", "normal": "Normals"}


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
            kind = gr.Radio(
                [(_LABELS.get(name, name), name) for name in offer.kinds],
                value=offer.kinds[0],
                label="Map of the image",
            )
            usual = CONTROL_SCALE if model.shipped else PUBLISHED_SCALE
            scale = gr.Slider(0, _MOST_SCALE, value=usual, step=0.05, label="Control scale")
            form = controls(offer, prompt)
        with gr.Column(scale=3, min_width=300, elem_classes="results"):
            with gr.Row():
                with gr.Column(min_width=140):
                    image = image_file(
                        value=example, label="Image", height=300,
                        buttons=["fullscreen"], elem_classes="upload",
                    )  # fmt: skip
                with gr.Column(min_width=140):
                    map = gr.Image(
                        label="Map", type="filepath", format="png", interactive=False, height=300,
                        buttons=["download", "fullscreen"], elem_classes="map",
                    )  # fmt: skip
                with gr.Column(min_width=140):
                    shown = panel("Result", map)
            example_buttons(some, prompt)

    def controlnet(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, image: str | None, kind: str, control_scale: float,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate an image from a prompt and the map of an image. Returns the map, the image, a line with the seconds,
        and the record.
        """
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        inputs = {"control": image, "control_scale": control_scale}
        yield from changes(runs, lambda: call(Key(offer.task, method, kind), common, inputs), has_map=True)

    connect(run, controlnet, form, [image, kind, scale], shown, gallery, "controlnet", stop)
