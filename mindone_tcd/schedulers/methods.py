"""The registry of methods: each row contains a scheduler, its defaults and its LoRAs.

Importing this module imports neither MindSpore nor mindone. A scheduler's module is imported at its first use.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import UsageError
from .arguments import is_real

if TYPE_CHECKING:
    from .base import FewStepScheduler

DEFAULT_METHOD = "tcd"

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CLASS_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Z]\w*")


@dataclass(frozen=True)
class Method:
    """A way to sample in few steps.

    Attributes:
        name: as users write it, such as `tcd`: lower-case letters, digits and underscores.
        scheduler: a subclass of `FewStepScheduler`, as `module:Class` or as the class itself.
        eta: the default of the `eta` that its `step` takes, in [0, 1]; None if it takes none.
        steps: the default number of inference steps.
        max_steps: the largest number of inference steps. A LoRA that was distilled on a grid of 50 timesteps cannot
            take more.
        guidance_scale: the default guidance scale, 0 or more. Classifier-free guidance runs above 1.
        embedded_guidance_scale: the default for UNets that take the guidance scale as an input; None if the method
            cannot use such UNets.
        distilled: whether models or LoRAs are distilled for the method. If not, it needs no LoRA, and no name of a
            LoRA refers to it.
        loras: hub ids of published LoRAs, by the class of the pipeline and the UNet's cross_attention_dim. All were
            distilled from models that predict the noise.
        shipped_lora: the folder of the LoRA for the model that ships, inside that model's folder; None for no LoRA.

    Raises:
        UsageError: for a value that is not as described.
    """

    name: str
    scheduler: str | type[FewStepScheduler]
    eta: float | None = None
    steps: int = 4
    max_steps: int = 50
    guidance_scale: float = 0.0
    embedded_guidance_scale: float | None = None
    distilled: bool = True
    loras: Mapping[tuple[str, int], str] = field(default_factory=dict)
    shipped_lora: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            self._refuse("name", "lower-case letters, digits and underscores, such as 'tcd'")
        if not isinstance(self.scheduler, type) and not (
            isinstance(self.scheduler, str) and _CLASS_PATH.fullmatch(self.scheduler)
        ):
            self._refuse("scheduler", "a subclass of FewStepScheduler, or its path as 'module:Class'")
        if self.eta is not None and not (is_real(self.eta) and 0 <= self.eta <= 1):
            self._refuse("eta", "None or a number within [0, 1]")
        for name in ("max_steps", "steps"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= self.max_steps:
                self._refuse(name, "an integer from 1 to max_steps")
        for name in ("guidance_scale", "embedded_guidance_scale"):
            value = getattr(self, name)
            if not (is_real(value) and 0 <= value < float("inf")) and (name == "guidance_scale" or value is not None):
                self._refuse(name, "a number of 0 or more")

    def _refuse(self, attribute: str, expected: str) -> None:
        raise UsageError(f"the method's {attribute} is {getattr(self, attribute)!r}; expected {expected}")

    @property
    def scheduler_name(self) -> str:
        """The name of the scheduler's class. Nothing is imported for it."""
        return self.scheduler.__name__ if isinstance(self.scheduler, type) else self.scheduler.partition(":")[2]

    def scheduler_class(self) -> type[FewStepScheduler]:
        """Import the scheduler, with MindSpore and mindone, and return its class.

        Raises:
            UsageError: if it is not a subclass of `FewStepScheduler`.
        """
        found = self.scheduler
        if isinstance(found, str):
            module, _, name = found.partition(":")
            found = getattr(importlib.import_module(module), name)
        from .base import FewStepScheduler

        if not isinstance(found, type) or not issubclass(found, FewStepScheduler):
            raise UsageError(f"the scheduler of the method {self.name} is {found!r}; expected a FewStepScheduler")
        return found

    def uses(self, scheduler: object) -> bool:
        """Whether an object is of exactly this method's scheduler class. Nothing is imported for it."""
        cls = type(scheduler)
        return self.scheduler in (cls, f"{cls.__module__}:{cls.__qualname__}")


_rows = {
    method.name: method
    for method in (
        Method(
            "tcd",
            "mindone_tcd.schedulers.tcd:TCDScheduler",
            eta=0.3,
            loras={
                ("StableDiffusionXLPipeline", 2048): "h1t/TCD-SDXL-LoRA",
                ("StableDiffusionPipeline", 768): "h1t/TCD-SD15-LoRA",
                ("StableDiffusionPipeline", 1024): "h1t/TCD-SD21-base-LoRA",
            },
            shipped_lora="tcd_lora",
        ),
        Method(
            "lcm",
            "mindone_tcd.schedulers.lcm:LCMScheduler",
            embedded_guidance_scale=8.0,
            loras={
                ("StableDiffusionXLPipeline", 2048): "latent-consistency/lcm-lora-sdxl",
                ("StableDiffusionPipeline", 768): "latent-consistency/lcm-lora-sdv1-5",
            },
            shipped_lora="lcm_lora",
        ),
    )
}
BUILT_IN = frozenset(_rows)
"""The names of the methods of this package, which cannot be replaced."""

METHODS: Mapping[str, Method] = MappingProxyType(_rows)
"""All methods by name. `register_method` adds to it."""


def find_method(name: object) -> Method:
    """Return the method of that name.

    Raises:
        UsageError: if there is none.
    """
    if not isinstance(name, str) or name not in METHODS:
        raise UsageError(f"unknown method {name!r}; choose one of: {', '.join(METHODS)}")
    return METHODS[name]


def method_of(scheduler: object) -> Method | None:
    """Return the method whose scheduler class is exactly that of an object; None if no method has it."""
    return next((method for method in METHODS.values() if method.uses(scheduler)), None)


def register_method(method: Method) -> None:
    """Add a method for this process: `load`, checks and saved pipelines then know it by name.

    A second call with the same name replaces the first one, except for the methods of this package.

    Args:
        method: the row. The name of its scheduler's class must differ from those of mindone.diffusers and of other
            methods.

    Raises:
        UsageError: if the name, or that of the scheduler, is taken.
    """
    if not isinstance(method, Method):
        raise UsageError(f"register_method got {method!r}; expected a Method")
    if method.name in BUILT_IN:
        raise UsageError(f"the method {method.name} belongs to mindone_tcd; give yours another name")
    for other in METHODS.values():
        if other.scheduler_name == method.scheduler_name and other.name != method.name:
            raise UsageError(
                f"the method {other.name} has a scheduler {other.scheduler_name} already; give your class another name"
            )
    if isinstance(method.scheduler, type):  # MindSpore is loaded then
        _check_name(method.scheduler_class())
    _rows[method.name] = method


def _check_name(scheduler: type[FewStepScheduler]) -> None:
    """Check that mindone has no scheduler of this name, because saved pipelines store only the name of the class.

    Raises:
        UsageError: if it has one.
    """
    import mindone.diffusers

    from .base import FewStepScheduler

    present = getattr(mindone.diffusers, scheduler.__name__, scheduler)
    if not isinstance(present, type) or not issubclass(present, FewStepScheduler):
        raise UsageError(
            f"mindone.diffusers already has a {scheduler.__name__}; give your scheduler's class another name"
        )
