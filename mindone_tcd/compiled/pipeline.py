"""Compiled pipelines: every network of a mindone pipeline runs as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from mindspore import nn

from ..concurrency import one_at_a_time
from ..cpu.switch import follow_device
from ..errors import UsageError
from ..patches import ENGINE
from ..pipelines.request import FORMS
from . import trajectory
from .graph import Part

LEVELS = ("O0", "O1", "O2")

_COMPILED = "_mindone_tcd_compiled"
_EAGER = ("safety_checker",)
"""Components that branch on values, which graphs cannot."""

_EVERY_STEP = ("unet", "controlnet")
"""Components that are called in each step, and that only a callback can change in between."""


class Compiled:
    """What a compiled pipeline remembers.

    Attributes:
        form: ``step`` or ``trajectory``.
        jit_level: MindSpore's.
        parts: the parts that run as graphs, by name.
    """

    def __init__(self, pipe: Any, form: str, jit_level: str) -> None:
        self.form, self.jit_level = form, jit_level
        self.parts: dict[str, Part] = {}
        self.look(pipe)

    def look(self, pipe: Any) -> None:
        """Take in components that have been put into the pipeline since, and let go of those taken out."""
        cells = dict(_cells(pipe))
        for name, part in list(self.parts.items()):
            if cells.get(name) is not part.cell:
                self.parts.pop(name).remove()
        for name, cell in cells.items():
            if name not in self.parts and not isinstance(vars(cell).get("construct"), Part):
                self.parts[name] = Part(cell, self.jit_level)
                self.parts[name].install()

    def count(self) -> int:
        """How many graphs have been compiled, or read from the disk, so far."""
        return sum(part.compiled for part in self.parts.values())


@one_at_a_time
def compile_pipeline(pipe: Any, *, form: str = "step", jit_level: str = "O0") -> Any:
    """Let the networks of a mindone pipeline run as compiled graphs; the pipeline is used as before.

    UNet, ControlNets, adapters, text and image encoders, and the autoencoder's two halves are compiled when they are
    first called, and again for another size, batch or way of calling. In text-to-image pipelines with one of our
    schedulers, UNet, guidance and scheduler step are one graph. Results equal the eager ones to rounding.

    Whatever is done to the networks is noticed at the next call. Graphs read the weights of LoRAs and the scales of
    IP-Adapters at each run, so another value compiles nothing. Fusing, other active adapters, and a scale that was 0
    compile once; the earlier graphs are kept for the way back. Loading and unloading adapters, weights exchanged by
    `set_data`, and scales for masks compile anew, and the graphs that no longer fit are dropped. Graphs are kept on
    disk (`graph_cache`), so a second process takes them from there.

    Args:
        pipe: any pipeline of `mindone.diffusers`, from `mindone_tcd` or by hand.
        form: for text-to-image, ``step``: one graph that is run for each step, whatever their number; or
            ``trajectory``: one graph for all steps, which takes as many times longer to compile, and is compiled again
            for another number of steps.
        jit_level: MindSpore's optimization level, ``O0``, ``O1`` or ``O2`` (the last on Ascend only).

    Returns:
        The pipeline itself.

    Raises:
        UsageError: for another form or level, for something that is no pipeline, and without the patches that check
            the pipeline's calls.
    """
    if form not in FORMS:
        raise UsageError(f"unknown form {form!r}; choose one of: {', '.join(FORMS)}")
    if jit_level not in LEVELS:
        raise UsageError(f"unknown jit_level {jit_level!r}; choose one of: {', '.join(LEVELS)}")
    if not isinstance(getattr(pipe, "components", None), dict):
        raise UsageError(f"{type(pipe).__name__} is no pipeline; expected one of mindone.diffusers")
    if not ENGINE.is_active("checked calls"):
        raise UsageError(
            "compile_pipeline needs the patches of the group checks, which are off; take the environment variable "
            "MINDONE_TCD_PATCHES away, or call mindone_tcd.patches.install()"
        )
    from ..pipelines import checked_call

    follow_device()
    checked_call.watch(type(pipe))
    uncompile_pipeline(pipe)
    vars(pipe)[_COMPILED] = Compiled(pipe, form, jit_level)
    return pipe


@one_at_a_time
def uncompile_pipeline(pipe: Any) -> Any:
    """Let a pipeline run without graphs again; returns the pipeline.

    The graphs are dropped, and the memory that MindSpore lets go of is returned to the system. MindSpore keeps a part
    until the process ends (`docs/speed.md` says how much).
    """
    compiled = vars(pipe).pop(_COMPILED, None)
    if compiled is not None:
        for part in compiled.parts.values():
            part.remove()
    return pipe


def compiled_form(pipe: Any) -> Compiled | None:
    """What a pipeline remembers of being compiled; None if it is not."""
    return vars(pipe).get(_COMPILED)


@contextmanager
def running(pipe: Any, given: Mapping[str, Any]) -> Iterator[None]:
    """Around a call of a pipeline with these arguments, by name: compiled or not."""
    compiled = compiled_form(pipe)
    if compiled is None:
        yield
        return
    compiled.look(pipe)
    with ExitStack() as around:
        if not trajectory.asked_for(trajectory.CALLBACKS, given):
            for name, part in compiled.parts.items():
                if name.startswith(_EVERY_STEP):
                    around.enter_context(part.looking_once())
        if "unet" in compiled.parts and trajectory.fits(pipe, given):
            around.enter_context(trajectory.in_one_call(pipe, compiled.parts["unet"], compiled.form == "trajectory"))
        yield


def _cells(pipe: Any) -> Iterator[tuple[str, nn.Cell]]:
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
