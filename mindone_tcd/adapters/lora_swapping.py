"""``load_lora_weights(…, hotswap=True)``: other weights for an adapter that is loaded, its layers left in place.

mindone's own hotswap takes every parameter whose name contains the adapter's for one of its own ("a" is in nearly all
of them), notices what does not fit half way, and keeps the old alpha for the next ``set_adapters``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UsageError, some
from ..patches.bugs import lora_fusing
from .lora_plan import Module, Plan
from .records import adapter_names

_INSTEAD = "delete_adapters() and load it again instead"


def check_name(pipe: Any, name: str | None) -> str:
    """The name of the adapter whose weights are to be replaced.

    Raises:
        UsageError: if there is none of this name, or it is fused: taking it out would subtract the new weights.
    """
    taken = adapter_names(pipe)
    if name not in taken:
        there = ", ".join(sorted(taken)) or "none"
        raise UsageError(f"hotswap replaces a loaded adapter, and {name!r} is none (loaded: {there}); name one")
    if name in lora_fusing.fused_adapters(pipe):
        raise UsageError(
            f"hotswap replaces an adapter that is not fused, and {name!r} is fused into the weights; "
            "call unfuse_lora() first"
        )
    return str(name)


def check(models: Mapping[str, Any], plan: Plan, name: str) -> None:
    """Whether the new LoRA has exactly the modules and ranks of the adapter.

    Args:
        models: the pipeline's, by component.
        plan: the new LoRA.
        name: the adapter's.

    Raises:
        UsageError: if not, or for a LoRA of text encoders; it names what differs.
    """
    encoders = " and ".join(component for component in plan.modules if component != "unet")
    if encoders:
        raise UsageError(f"hotswap replaces a UNet's LoRA only, and this one is for the {encoders} too; {_INSTEAD}")
    loaded = {component: _layers(model, name) for component, model in models.items()}
    own = loaded.pop("unet")
    encoders = " and ".join(component for component, layers in loaded.items() if layers)
    if encoders:
        raise UsageError(
            f"hotswap replaces a UNet's LoRA only, and adapter {name!r} is in the {encoders} too; {_INSTEAD}"
        )
    if any(layer.lora_bias.get(name) or layer.use_dora.get(name) for layer in own.values()):
        raise UsageError(f"hotswap replaces plain LoRAs only, and adapter {name!r} has biases or is a DoRA; {_INSTEAD}")
    new = plan.modules["unet"]
    # enable_lora_hotswap(target_rank=…) has filled the matrices up with zeros, so that LoRAs of lower rank fit too.
    padded = "_prepare_lora_hotswap_kwargs" in vars(models["unet"])
    faults = {
        "only in the new one": [path for path in new if path not in own],
        "only in the loaded one": [path for path in own if path not in new],
        "of another rank": [
            f"{path} ({new[path].rank} where {room} is loaded)"
            for path, layer in own.items()
            if path in new and new[path].rank != (room := _room(layer, name)) and not (padded and new[path].rank < room)
        ],
    }
    found = [f"{len(paths)} {kind}: {some(paths)}" for kind, paths in faults.items() if paths]
    if found:
        raise UsageError(
            f"hotswap needs the same UNet modules and ranks as those of adapter {name!r}, and they differ: "
            f"{'; '.join(found)}; {_INSTEAD}"
        )


def swap(unet: Any, modules: Mapping[str, Module], name: str) -> dict[str, Module]:
    """Put the new weights and alphas in place, with weight 1; they have been checked.

    Args:
        unet: the model.
        modules: the new LoRA, by module path.
        name: the adapter's.

    Returns:
        The LoRA as it is in the UNet now: filled up with zeros where there is room for a higher rank.
    """
    import mindspore as ms

    layers = _layers(unet, name)
    filled = {path: _filled(module, _room(layers[path], name)) for path, module in modules.items()}
    changes = []
    for path, layer in layers.items():
        for matrix, values in ((layer.lora_A[name], filled[path].down), (layer.lora_B[name], filled[path].up)):
            values = ms.Tensor(np.ascontiguousarray(values, np.float32)).to(matrix.weight.dtype)
            changes.append((matrix.weight, values))
    for weight, values in changes:
        weight.set_data(values)
    for path, layer in layers.items():
        layer.r[name], layer.lora_alpha[name] = filled[path].rank, filled[path].alpha
        scale = filled[path].alpha / filled[path].rank
        if isinstance(layer.scaling[name], ms.Tensor):  # a compiled UNet holds on to it
            layer.scaling[name].assign_value(ms.Tensor(scale, layer.scaling[name].dtype))
        else:
            layer.scaling[name] = scale
    return filled


def _filled(module: Module, room: int) -> Module:
    """The same LoRA with matrices of another rank, the rest of which is zero."""
    more = room - module.rank
    down = np.pad(module.down, [(0, more)] + [(0, 0)] * (module.down.ndim - 1))
    up = np.pad(module.up, [(0, 0), (0, more)] + [(0, 0)] * (module.up.ndim - 2))
    return Module(down, up, module.alpha * room / module.rank)


def _layers(model: Any, name: str) -> dict[str, Any]:
    """The layers of a model that carry the adapter, by module path."""
    from mindone.peft.tuners.lora import LoraLayer

    return {path: cell for path, cell in model.cells_and_names() if isinstance(cell, LoraLayer) and name in cell.lora_A}


def _room(layer: Any, name: str) -> int:
    return layer.lora_A[name].weight.shape[0]
