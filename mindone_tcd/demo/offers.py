"""What a model can do in the demo. A task whose networks are missing is not offered, so its tab is not shown."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from ..generate.parts import shipped_kinds
from ..generate.plan import Extras, plan
from ..generate.setup import Setup
from ..generate.tasks.controls import KINDS
from ..schedulers.methods import METHODS
from .options import Options

TITLES = {
    "text-to-image": "From text",
    "image-to-image": "From image",
    "inpainting": "Inpainting",
    "controlnet": "ControlNet",
    "animate": "AnimateDiff",
}
"""The tasks of the demo and the titles of their tabs, in order. The titles fit beside each other on a phone."""


@dataclass(frozen=True)
class Key:
    """Which pipeline a run needs.

    Attributes:
        task: a key of :data:`TITLES`.
        method: the name of a method, such as ``tcd``.
        kind: of the ControlNet's maps; empty for other tasks.
        motion: the name of a motion LoRA; empty for none.
        quantize: ``int8``, or None for the model as it is.
    """

    task: str
    method: str
    kind: str = ""
    motion: str = ""
    quantize: str | None = None


@dataclass(frozen=True)
class Offer:
    """A task that the model can do.

    Attributes:
        task: its name.
        setups: for each method that works, what would be loaded.
        kinds: the kinds of ControlNets.
        motions: the names of motion LoRAs.
    """

    task: str
    setups: dict[str, Setup]
    kinds: tuple[str, ...] = ()
    motions: tuple[str, ...] = ()

    @property
    def first(self) -> Setup:
        """The setup of the first method."""
        return next(iter(self.setups.values()))


def extras(options: Options, key: Key) -> Extras:
    """Return what is loaded beside the model."""
    control = {key.kind: options.controlnets[key.kind]} if key.kind in options.controlnets else key.kind
    return Extras(
        control=control if key.task == "controlnet" else None,
        motion_adapter=options.motion_adapter if key.task == "animate" else None,
        motion=key.motion or None,
    )


def planned(options: Options, key: Key) -> Setup:
    """Return what would be loaded.

    Raises:
        UsageError: if the model, the method and the networks do not combine.
    """
    return plan(key.task, options.model, key.method, options.lora, extras(options, key))


def offers(options: Options) -> list[Offer]:
    """Return the tasks that a model can do, in the order of the tabs.

    The networks of the shipped models are in the package. For another model, only ControlNets and motion adapters that
    the options name are offered, because a visitor should not start a download.

    Raises:
        UsageError: if the model cannot do any task; the message says why it cannot do the first.
    """
    found, reasons = [], []
    for task in TITLES:
        try:
            offer = _offer(task, options)
        except UsageError as error:
            reasons.append(error)
        else:
            if offer is not None:
                found.append(offer)
    if not found:
        raise reasons[0]
    _check_used(options, found)
    return found


def _offer(task: str, options: Options) -> Offer | None:
    """Return a task that works with at least one method; None if its networks are missing.

    Raises:
        UsageError: if it works with no method; the message says why it does not with the first.
    """
    if task != "controlnet":
        setups = _setups(task, "", options)
        shipped = next(iter(setups.values())).model.shipped
        if task == "animate" and not shipped and options.motion_adapter is None:
            return None
        return Offer(task, setups, motions=tuple(shipped_kinds("motion")) if task == "animate" and shipped else ())
    by_kind = {}
    for kind in options.controlnets or KINDS:
        try:
            by_kind[kind] = _setups(task, kind, options)
        except UsageError:
            if kind in options.controlnets:
                raise
    if not by_kind:
        return None
    first = next(iter(by_kind.values()))
    if not options.controlnets and not next(iter(first.values())).model.shipped:
        return None
    return Offer(task, first, kinds=tuple(by_kind))


def _setups(task: str, kind: str, options: Options) -> dict[str, Setup]:
    found, reasons = {}, []
    for method in METHODS:
        try:
            found[method] = planned(options, Key(task, method, kind))
        except UsageError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    return found


def _check_used(options: Options, found: list[Offer]) -> None:
    """Check that each network that the options name has a tab.

    Raises:
        UsageError: if not; the message says why.
    """
    tasks = [offer.task for offer in found]
    for flag, given, task in (
        ("--controlnet", options.controlnets, "controlnet"),
        ("--motion-adapter", options.motion_adapter, "animate"),
    ):
        if given and task not in tasks:
            _offer(task, options)  # raises the reason
            raise UsageError(f"{flag} fits no task of {options.model}; leave it out")
