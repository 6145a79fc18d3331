"""Parse LoRA keys of every layout, key by key, into a component, a module path, and the tensor's role.

| layout | example |
|---|---|
| kohya | ``lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight``, ``lora_te1_….alpha`` |
| kohya, sgm block names | ``lora_unet_input_blocks_4_1_proj_in.lora_up.weight`` |
| PEFT | ``unet.….to_q.lora_A.weight``, ``text_encoder.….q_proj.lora_B.weight`` |
| diffusers | ``unet.….to_q.lora.down.weight``, ``text_encoder.….q_proj.lora_linear_layer.up.weight`` |
| attention processors | ``unet.….attn1.processor.to_q_lora.down.weight``, ``text_encoder.….to_q_lora.up.weight`` |

Each key is parsed independently, so a file may mix layouts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import UsageError, shown
from ..files.safetensors import LONGEST_KEY
from .module_names import flat_names

DOWN, UP, ALPHA = "down", "up", "alpha"

_KOHYA = {"lora_unet_": "unet", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2", "lora_te_": "text_encoder"}
_COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
_SIDE = {"down": DOWN, "up": UP, "A": DOWN, "B": UP}
_TENSOR = re.compile(
    r"(?P<stem>.+?)"
    r"(?:\.lora_(?P<kohya>down|up)\.weight"
    r"|\.lora_(?P<peft>[AB])(?:\.[^.]+)?\.weight"
    r"|(?P<processor>_lora)\.(?P<old>down|up)\.weight"
    r"|\.lora(?:_linear_layer)?\.(?P<diffusers>down|up)\.weight"
    r"|(?P<processor_alpha>_lora)?\.(?P<alpha>alpha))"
)
_ATTENTION = {
    "unet": {"to_q": "to_q", "to_k": "to_k", "to_v": "to_v", "to_out": "to_out.0"},
    "text_encoder": {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"},
}
_OTHER_METHODS = (
    (re.compile(r"dora_scale|lora_magnitude_vector"), "DoRA (a magnitude beside the two matrices), not plain LoRA"),
    (re.compile(r"\.hada_|\.lokr_|\.oft_|\.lora_mid\.|\.(on_input|ia3)"), "LyCORIS (LoHa, LoKr, OFT, …), not LoRA"),
    (re.compile(r"\.diff(_b)?$|\.set_weight$"), "the difference of a full weight, not LoRA"),
    (
        re.compile(r"(lora_(A|B|down|up)|lora(_linear_layer)?\.(down|up))(\.[^.]+)?\.bias$"),
        "a bias trained with the LoRA, which is not supported",
    ),
)


@dataclass(frozen=True)
class MatchedKey:
    """The module that a key matches: the tensor ``part`` ("down", "up" or "alpha") of a module of a component."""

    component: str
    path: str
    part: str
    layout: str


@dataclass(frozen=True)
class UnmatchedKey:
    """A key that matches no module, and the reason.

    Attributes:
        module: component and path of the module whose name the key contains; None if the module is not known.
    """

    key: str
    reason: str
    module: tuple[str, str] | None = None


class Names:
    """The names, in every spelling, of the modules that can have a LoRA.

    Args:
        modules: for each component of the pipeline ("unet", "text_encoder", "text_encoder_2") the module paths.
        layers_per_block: the UNet's; None if its blocks differ, in which case sgm names are not recognized.
    """

    def __init__(self, modules: Mapping[str, Iterable[str]], layers_per_block: int | None) -> None:
        self.paths = {component: set(paths) for component, paths in modules.items()}
        self._flat = {
            component: flat_names(sorted(paths), layers_per_block if component == "unet" else None)
            for component, paths in self.paths.items()
        }
        self._deepest = {
            component: max((path.count(".") for path in paths), default=0) for component, paths in self.paths.items()
        }

    def match(self, key: str) -> MatchedKey | UnmatchedKey:
        """Return the module that a key of a LoRA file matches, or why none does.

        Raises:
            UsageError: if the key is longer than any module name.
        """
        if len(key) > LONGEST_KEY:
            raise UsageError(f"the key {shown(key)} has {len(key)} characters; expected at most {LONGEST_KEY}")
        for pattern, method in _OTHER_METHODS:
            if pattern.search(key):
                return UnmatchedKey(key, f"keys of {method}", self._owner(key))
        match = _TENSOR.fullmatch(key)
        if match is None:
            return UnmatchedKey(key, "keys of no LoRA layout", self._owner(key))
        found = match.groupdict()
        part = ALPHA if found["alpha"] else _SIDE[found["kohya"] or found["peft"] or found["old"] or found["diffusers"]]
        stem = found["stem"]
        for prefix, component in _KOHYA.items():
            if stem.startswith(prefix):
                flat = stem.removeprefix(prefix)
                sgm = flat.startswith(("input_blocks", "middle_block", "output_blocks"))
                layout = "kohya with sgm block names" if sgm else "kohya"
                return self._known(key, component, self._flat.get(component, {}).get(flat), part, layout)
        if stem.startswith("base_model.model."):
            return UnmatchedKey(
                key, "keys in the format of PEFT's own save_pretrained, which stores alpha in another file"
            )
        component, path = self._split(stem)
        processor = bool(found["processor"] or found["processor_alpha"])
        layout = "attention processors" if processor else "PEFT" if found["peft"] else "diffusers"
        return self._known(key, component, self._path(component, path, processor), part, layout)

    def _known(self, key: str, component: str, path: str | None, part: str, layout: str) -> MatchedKey | UnmatchedKey:
        if component not in self.paths:
            return UnmatchedKey(key, f"keys for the {component}, which this pipeline does not have")
        if path is None:
            if "motion_modules" in key:
                return UnmatchedKey(key, "motion modules, which only an AnimateDiff pipeline has")
            return UnmatchedKey(key, f"unknown modules of the {component}")
        return MatchedKey(component, path, part, layout)

    def _owner(self, key: str) -> tuple[str, str] | None:
        """Return the module whose name the key contains, regardless of the rest of the key."""
        for prefix, component in _KOHYA.items():
            if key.startswith(prefix):
                path = self._flat.get(component, {}).get(key.removeprefix(prefix).partition(".")[0])
                return (component, path) if path is not None else None
        component, inner = self._split(key)
        # No module path is longer, except by one name, "processor".
        most = self._deepest.get(component, -2) + 2
        names = inner.split(".", most + 1)
        for count in range(min(len(names) - 1, most), 0, -1):
            stem = ".".join(names[:count])
            path = self._path(component, stem.removesuffix("_lora"), stem.endswith("_lora"))
            if path is not None:
                return component, path
        return None

    def _split(self, stem: str) -> tuple[str, str]:
        first, _, rest = stem.partition(".")
        # The first LoRAs of diffusers contained only a UNet and had no component prefix.
        return (first, rest) if first in _COMPONENTS else ("unet", stem)

    def _path(self, component: str, path: str, processor: bool) -> str | None:
        path = path.replace(".processor.", ".")
        if processor:
            module, _, name = path.rpartition(".")
            kind = "unet" if component == "unet" else "text_encoder"
            name = _ATTENTION[kind].get(name, name)
            path = f"{module}.{name}" if module else name
        return path if path in self.paths.get(component, ()) else None
