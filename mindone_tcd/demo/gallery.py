"""The gallery of a session, with the record and the files of the selected image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from .limits import MOST_KEPT_IMAGES
from .runs import Done


@dataclass(frozen=True)
class Gallery:
    """The components.

    Attributes:
        last: the state of the session: its last run.
        record: the record of the last or the selected image.
    """

    last: gr.State
    made: gr.State
    images: gr.Gallery
    record: gr.JSON
    files: gr.File

    def add_to(self, event: Any) -> None:
        """Add the last run to the gallery after an event."""
        event.success(
            _added, [self.last, self.made], [self.made, self.images, self.files], api_visibility="private",
            show_progress="hidden", queue=False,
        )  # fmt: skip


def gallery() -> Gallery:
    """Create the gallery of a session. Nobody else sees it, and it is lost with the page."""
    gr.Markdown("### Images of this session", elem_classes="gallery-title")
    last, made = gr.State(None), gr.State([])
    with gr.Row():
        with gr.Column(min_width=300):
            images = gr.Gallery(
                label="Gallery", show_label=False, columns=4, height=300, object_fit="contain", interactive=False,
                buttons=["download", "fullscreen"], elem_classes="session",
            )  # fmt: skip
        with gr.Column(min_width=300):
            files = gr.File(
                label="Download: the file contains the record; input images are listed after it",
                file_count="multiple", interactive=False, visible=False, elem_classes="files",
            )  # fmt: skip
            with gr.Accordion("Record of the selected image", open=False):
                record = gr.JSON(label="Record", show_label=False, max_height=320, elem_classes="run-record")
    images.select(_selected, made, [record, files], api_visibility="private", show_progress="hidden", queue=False)
    return Gallery(last, made, images, record, files)


def _added(last: Done | None, made: list[Done]) -> tuple[list[Done], Any, Any]:
    if last is None:
        return made, gr.skip(), gr.skip()
    made = [last, *made][:MOST_KEPT_IMAGES]
    shown = [(done.path, done.summary) for done in made]
    return made, gr.update(value=shown, selected_index=0), gr.update(value=last.files, visible=True)


def _selected(made: list[Done], event: gr.SelectData) -> tuple[Any, Any]:
    if not isinstance(event.index, int) or not 0 <= event.index < len(made):
        return gr.skip(), gr.skip()
    return made[event.index].record, made[event.index].files
