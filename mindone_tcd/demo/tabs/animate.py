"""AnimateDiff: clips from a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ...generate.tasks.animate import FRAMES
from .. import examples
from ..controls import controls, example_buttons, prompt_box
from ..gallery import Gallery
from ..handlers import call, changes, connect, panel
from ..offers import Key, Offer
from ..runs import Runs

_LEAST_FRAMES = 4
_NONE = "none"


def add(offer: Offer, runs: Runs, gallery: Gallery) -> None:
    """Add the content of the tab."""
    some = examples.prompts(offer.task, offer.first.model)
    with gr.Row(elem_classes="layout"):
        with gr.Column(scale=2, min_width=300, elem_classes="fields"):
            prompt = prompt_box(some[0])
            with gr.Row():
                run = gr.Button("Run", variant="primary", min_width=80, elem_classes="run")
                stop = gr.Button("Stop", min_width=60)
            frames = gr.Slider(_LEAST_FRAMES, FRAMES, value=FRAMES, step=1, label="Frames", info="8 frames per second")
            motion = gr.Radio(
                [_NONE, *offer.motions], value=_NONE, label="Motion of the camera", visible=bool(offer.motions)
            )
            form = controls(offer, prompt)
        with gr.Column(scale=3, min_width=300, elem_classes="results"):
            shown = panel("Clip")
            example_buttons(some, prompt)

    def animate(
        prompt: str, negative_prompt: str, seed: int, steps: int, guidance_scale: float, method: str, eta: float,
        preview: bool, frames: int, motion: str,
    ) -> Iterator[Any]:  # fmt: skip
        """Generate a clip from a prompt. Returns the GIF file, a line with the seconds, and the record."""
        common = prompt, negative_prompt, seed, steps, guidance_scale, method, eta, preview
        key = Key(offer.task, method, motion="" if motion == _NONE else motion)
        yield from changes(runs, lambda: call(key, common, {"frames": int(frames)}))

    connect(run, animate, form, [frames, motion], shown, gallery, "animate", stop)
