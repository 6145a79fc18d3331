"""What happens after a click: a run, whose events change the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..errors import UsageError
from .controls import Controls, next_seed
from .gallery import Gallery
from .masks import Edited
from .offers import Key
from .runs import Call, Done, Loading, Mapped, Runs, Step
from .toasts import crashed, failed, warn
from .worker import Warned

_RUNNING = "…"
"""The last character of the status while a run is not complete."""

DEVICE = "device"
"""The queue of all runs: one at a time, because MindSpore runs in one thread."""


@dataclass(frozen=True)
class Panel:
    """Where a run shows its result.

    Attributes:
        image: the image, or the clip.
        status: one line about the run.
        map: where the map of a control image is shown, if the task has one.
    """

    image: gr.Image
    status: gr.Markdown
    map: gr.Image | None = None


def panel(label: str, map: gr.Image | None = None) -> Panel:
    """Create the place of a result."""
    image = gr.Image(
        label=label, type="filepath", format="png", interactive=False, height=300,
        buttons=["download", "fullscreen"], elem_classes="result",
    )  # fmt: skip
    return Panel(image, gr.Markdown("", label="Status", elem_classes="status", min_height=24), map)


def whole(value: float | None, name: str) -> int:
    """Return a number of a form as an int.

    Raises:
        UsageError: if it is none.
    """
    if value is None or value != int(value):
        raise UsageError(f"{name} is {value}; expected an integer")
    return int(value)


def call(
    key: Key,
    common: tuple[Any, ...],
    inputs: dict[str, Any] | None = None,
    size: tuple[float, float] | None = None,
    edited: Edited | None = None,
) -> Call:
    """Return the call of a run from the values of :attr:`~mindone_tcd.demo.controls.Controls.common`."""
    prompt, negative_prompt, seed, steps, guidance_scale, _, eta, preview = common
    return Call(
        key,
        prompt or "",
        negative_prompt or "",
        whole(seed, "seed"),
        whole(steps, "steps"),
        guidance_scale,
        eta,
        None if size is None else (whole(size[0], "width"), whole(size[1], "height")),
        {name: value for name, value in (inputs or {}).items() if value is not None},
        edited,
        bool(preview),
    )


def changes(runs: Runs, asked: Callable[[], Call], has_map: bool = False) -> Iterator[tuple[Any, ...]]:
    """Run a call, and yield the changes of the components of a panel: the map if there is one, the image, the status,
    the record and the last run of the session.

    Raises:
        gr.Error: for every error.
    """

    def change(image: Any = None, status: Any = None, record: Any = None, last: Any = None, map: Any = None) -> Any:
        values = [*([map] if has_map else []), image, status, record, last]
        return tuple(gr.skip() if value is None else value for value in values)

    waiting, map = f"Generating {_RUNNING}", None
    try:
        yield change(status=waiting)
        for event in runs.events(asked()):
            if isinstance(event, Warned):
                warn(event.message)
            elif isinstance(event, Loading):
                yield change(status=f"Loading the model {_RUNNING}")
            elif isinstance(event, Mapped):
                map = event.image
                yield change(map=map, status=waiting)
            elif isinstance(event, Step):
                yield change(event.image, f"Step {event.number} of {event.total} {_RUNNING}")
            elif isinstance(event, Done):
                yield change(event.path, event.summary, event.record, event, map)  # clients of the API get only this
    except UsageError as error:
        raise failed(str(error)) from None
    except Exception as error:
        raise crashed(error) from None


def connect(
    button: gr.Button, handler: Any, form: Controls, more: list[Any], shown: Panel, gallery: Gallery, name: str,
    stop: gr.Button,
) -> None:  # fmt: skip
    """Let a button run a handler.

    Args:
        button: the button.
        handler: yields the changes of the panel; gets the values of the form's common fields, then those of ``more``.
        form: the fields.
        more: the other fields of the task.
        shown: the panel.
        gallery: where the image is added.
        name: of the endpoint of the API.
        stop: the button that ends the run.
    """
    outputs = [*([shown.map] if shown.map else []), shown.image, shown.status, gallery.record, gallery.last]
    run = button.click(
        next_seed, [form.randomize, form.seed], form.seed, api_visibility="private", queue=False, show_progress="hidden"
    ).then(
        handler, [*form.common, *more], outputs, api_name=name, concurrency_limit=1, concurrency_id=DEVICE,
        show_progress="minimal", show_progress_on=shown.status,
    )  # fmt: skip
    gallery.add_to(run)
    stop.click(
        _stopped, shown.status, shown.status, cancels=[run], api_visibility="private", queue=False,
        show_progress="hidden",
    )  # fmt: skip


def _stopped(status: str | None) -> str:
    """Return the status after Stop: a run that is complete keeps its own."""
    return "Stopped" if status and status.endswith(_RUNNING) else status or ""
