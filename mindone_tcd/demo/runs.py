"""A run of the demo: from the values of a form to an image or a clip with its record, step by step."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..errors import UsageError
from ..generate.inputs import SLOTS
from ..generate.loaded import read_inputs
from ..generate.output_names import default_name
from ..generate.request import Request, request_for
from ..schedulers.methods import find_method
from .limits import check_request, opened, without_folder
from .masks import Edited, image_and_mask
from .offers import Key, planned
from .options import Options
from .pipelines import Pipelines
from .worker import Emit, Worker

if TYPE_CHECKING:
    from ..generate.loaded import LoadedPipeline


@dataclass(frozen=True)
class Call:
    """The values of a form.

    Attributes:
        key: the pipeline.
        prompt, negative_prompt, seed, steps, guidance_scale: as for a call of a loaded pipeline.
        eta: ignored by methods without eta.
        size: width and height in pixels; None for the proportions of the input image.
        inputs: what the task takes besides; images are paths of files.
        edited: an image on which a mask is drawn.
        preview: whether each step is decoded and shown.
    """

    key: Key
    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    guidance_scale: float
    eta: float
    size: tuple[int, int] | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    edited: Edited | None = None
    preview: bool = True

    @property
    def files(self) -> list[str]:
        """The paths of the input images."""
        return [str(value) for name, value in self.inputs.items() if name in SLOTS]


@dataclass(frozen=True)
class Loading:
    """The pipeline is being loaded."""


@dataclass(frozen=True)
class Mapped:
    """The map of a control image, RGB."""

    image: Image.Image


@dataclass(frozen=True)
class Step:
    """A step is done.

    Attributes:
        number: from 1.
        total: the number of steps that run.
        image: the image so far, or None without a preview.
    """

    number: int
    total: int
    image: Image.Image | None


@dataclass(frozen=True)
class Done:
    """The run is complete.

    Attributes:
        path: the file, which contains the record.
        record: how it was generated.
        seconds: the time of the pipeline's call, without loading and without previews.
        files: the file and those of the input images, which repeat it.
    """

    path: str
    record: dict[str, Any]
    seconds: float
    files: list[str]

    @property
    def summary(self) -> str:
        """One line about the run."""
        steps, frames = self.record["steps"], self.record.get("frames")
        what = f"{frames} frames, {steps} steps" if frames else f"{steps} step{'s' * (steps != 1)}"
        return f"{what}, {self.seconds:.2f} s, seed {self.record['seed']}"


class Runs:
    """Runs calls, one after the other.

    Args:
        options: what is served.
        folder: where the files are written, each in a folder with a random name, which only its visitor learns.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._pipelines = Pipelines(options)
        self._worker = Worker()

    def events(self, call: Call) -> Iterator[Any]:
        """Yield what happens: ``Warned``, ``Loading``, ``Mapped``, ``Step``, and ``Done`` at the end.

        Raises:
            UsageError: if a value is invalid. The message names files without their folders.
        """
        try:
            yield from self._worker.events(lambda emit: self._run(call, emit))
        except UsageError as error:
            raise UsageError(without_folder(str(error), *call.files)) from error

    def _run(self, call: Call, emit: Emit) -> None:
        if call.edited is not None:
            files = image_and_mask(call.edited, self._new_folder())
            call = replace(call, inputs={**call.inputs, **files})
        request = self._request(call)
        if call.key not in self._pipelines:
            emit(Loading())
        pipe = self._pipelines.get(call.key)
        if request.inputs.of("control"):
            for image in pipe.control_maps(request):
                emit(Mapped(image))
        observer = _Observer(pipe, request, call.preview, emit)
        start = time.perf_counter()
        ((made,),) = pipe.batches(request, on_step=observer)
        seconds = time.perf_counter() - start - observer.seconds
        name = default_name(call.prompt, call.seed)
        folder = self._new_folder()
        folder.mkdir(parents=True)
        path = made.save(folder / (name.with_suffix(".gif") if pipe.setup.animated else name))
        emit(Done(str(path), made.record, seconds, [str(path), *call.files]))

    def _new_folder(self) -> Path:
        return self._folder / secrets.token_hex(16)

    def _request(self, call: Call) -> Request:
        """Check a call before anything is loaded.

        Raises:
            UsageError: if a value is invalid.
        """
        setup = planned(self._options, call.key)
        for path in call.files:
            opened(path, "image")
        request = request_for(
            setup,
            call.prompt,
            negative_prompt=call.negative_prompt or None,
            seed=call.seed,
            steps=call.steps,
            guidance_scale=call.guidance_scale,
            eta=None if find_method(setup.recipe.method).eta is None else call.eta,
            size=call.size,
            inputs=read_inputs(setup, dict(call.inputs)),
        )
        check_request(request, setup.model)
        return request


class _Observer:
    """Reports each step of a run.

    Attributes:
        seconds: the time that previews took.
    """

    def __init__(self, pipe: LoadedPipeline, request: Request, preview: bool, emit: Emit) -> None:
        from ..generate.preview import Preview

        self._emit, self.seconds = emit, 0.0
        self._total = max(1, int(request.steps * request.inputs.numbers.get("strength", 1)))
        self._preview = Preview(pipe) if preview else None

    def __call__(self, step: int, latents: Any) -> None:
        start = time.perf_counter()
        image = None if self._preview is None else self._preview(latents)[0]
        self._emit(Step(step + 1, self._total, image))
        self.seconds += time.perf_counter() - start
