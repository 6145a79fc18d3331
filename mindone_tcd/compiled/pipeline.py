"""Compiled pipelines: every network of a mindone pipeline runs as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mindspore import nn

from ..concurrency import one_at_a_time
from ..cpu.switch import follow_device
from ..errors import UsageError
from ..patches import ENGINE
from ..patches.pipeline_classes import patch_class
from . import trajectory
from .forms import FORMS
from .graph import Part

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline

LEVELS = ("O0", "O1", "O2")

Pipeline = TypeVar("Pipeline", bound="DiffusionPipeline")

_COMPILED = "_mindone_tcd_compiled"
_EAGER = ("safety_checker",)
"""Components that branch on tensor values, which graphs do not support."""

_EVERY_STEP = ("unet", "controlnet")
"""Components that every step calls. Between the steps, only a callback can change them."""


class Compiled:
    """The state of a compiled pipeline.

    Attributes:
        form: ``step`` or ``trajectory``.
        jit_level: MindSpore's optimization level.
        parts: the components that run as graphs, by name.
    """

    def __init__(self, pipe: DiffusionPipeline, form: str, jit_level: str) -> None:
        self.form, self.jit_level = form, jit_level
        self.parts: dict[str, Part] = {}
        self.update(pipe)

    def update(self, pipe: DiffusionPipeline) -> None:
        """Install graphs for components that were added to the pipeline; remove the graphs of replaced components."""
        cells = dict(_cells(pipe))
        for name, part in list(self.parts.items()):
            if cells.get(name) is not part.cell:
                self.parts.pop(name).remove()
        for name, cell in cells.items():
            if name not in self.parts and not isinstance(vars(cell).get("construct"), Part):
                self.parts[name] = Part(cell, self.jit_level)
                self.parts[name].install()

    def count(self) -> int:
        """Return how many graphs have been compiled, or read from disk, so far."""
        return sum(part.compiled for part in self.parts.values())


@one_at_a_time
def compile_pipeline(pipe: Pipeline, *, form: str = "step", jit_level: str = "O0") -> Pipeline:
    """Run the networks of a mindone pipeline as compiled graphs. Calls of the pipeline do not change.

    The UNet, ControlNets, adapters, text and image encoders, and the encoder and decoder of the VAE are compiled at
    their first call, and again for another size, batch size or way of calling. In text-to-image pipelines with one of
    our schedulers, the UNet, guidance and scheduler step are one graph. Results equal the eager results up to rounding.

    Every call detects whether the networks have changed. Graphs read LoRA weights and IP-Adapter scales at each run, so
    another value does not recompile. Fusing, switching the active adapters, and changing a scale from or to 0 compile
    once; the earlier graphs stay cached for when the change is reverted. Loading and unloading adapters, weights
    replaced by `set_data`, and scales for masks recompile, and graphs that cannot match again are dropped. Graphs are
    cached on disk (`graph_cache`), from where another process reads them.

    Args:
        pipe: any pipeline of `mindone.diffusers`, from `mindone_tcd` or created directly.
        form: for text-to-image, ``step``: one graph that runs once per step, for any number of steps; or
            ``trajectory``: one graph for all steps. A trajectory's compilation time is proportional to the number of
            steps, and another number of steps recompiles.
        jit_level: MindSpore's optimization level, ``O0``, ``O1`` or ``O2`` (``O2`` on Ascend only).

    Returns:
        The pipeline itself.

    Raises:
        UsageError: if the form or level is unknown, ``pipe`` is not a pipeline, or the patches that check the calls of
            pipelines are off.
    """
    if form not in FORMS:
        raise UsageError(f"unknown form {form!r}; choose one of: {', '.join(FORMS)}")
    if jit_level not in LEVELS:
        raise UsageError(f"unknown jit_level {jit_level!r}; choose one of: {', '.join(LEVELS)}")
    if not isinstance(getattr(pipe, "components", None), dict):
        raise UsageError(f"{type(pipe).__name__} is not a pipeline; expected a pipeline of mindone.diffusers")
    if not ENGINE.is_active("checked calls"):
        raise UsageError(
            "compile_pipeline needs the patches of the group checks, which are off; unset the environment variable "
            "MINDONE_TCD_PATCHES, or call mindone_tcd.patches.install()"
        )
    follow_device()
    patch_class(type(pipe))
    uncompile_pipeline(pipe)
    vars(pipe)[_COMPILED] = Compiled(pipe, form, jit_level)
    return pipe


@one_at_a_time
def uncompile_pipeline(pipe: Pipeline) -> Pipeline:
    """Run a pipeline without graphs again; return the pipeline.

    The graphs are dropped, and the memory that MindSpore frees is returned to the system. MindSpore keeps a part of the
    memory until the process ends (`docs/speed.md` states how much).
    """
    compiled = vars(pipe).pop(_COMPILED, None)
    if compiled is not None:
        for part in compiled.parts.values():
            part.remove()
    return pipe


def compiled_form(pipe: DiffusionPipeline) -> Compiled | None:
    """Return the compilation state of a pipeline; None if it is not compiled."""
    return vars(pipe).get(_COMPILED)


@contextmanager
def running(pipe: DiffusionPipeline, given: Mapping[str, Any]) -> Iterator[None]:
    """Prepare a call of a pipeline with these arguments, by name, whether the pipeline is compiled or not."""
    compiled = compiled_form(pipe)
    if compiled is None:
        yield
        return
    compiled.update(pipe)
    with ExitStack() as contexts:
        if not trajectory.asked_for(trajectory.CALLBACKS, given):
            for name, part in compiled.parts.items():
                if name.startswith(_EVERY_STEP):
                    contexts.enter_context(part.checked_once())
        if "unet" in compiled.parts and trajectory.fits(pipe, given):
            contexts.enter_context(trajectory.in_one_call(pipe, compiled.parts["unet"], compiled.form == "trajectory"))
        yield


def _cells(pipe: DiffusionPipeline) -> Iterator[tuple[str, nn.Cell]]:
    for name, component in pipe.components.items():
        if name in _EAGER:
            continue
        for inner in ("encoder", "decoder") if name == "vae" else ("",):
            cell = getattr(component, inner, None) if inner else component
            several = getattr(cell, "nets", None) or getattr(cell, "adapters", None)
            if several is not None:
                yield from ((f"{name}.{k}", one) for k, one in enumerate(several))
            elif isinstance(cell, nn.Cell):
                yield f"{name}.{inner}" if inner else name, cell
