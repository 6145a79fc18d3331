"""``load_lora_weights(…, hotswap=True)``: replace the weights of a loaded adapter without changing its layers.

mindone's own hotswap has three bugs. It matches every parameter whose name contains the adapter's name ("a" is in
nearly all names), it detects a mismatch only after it has changed some weights, and it keeps the old alpha for the next
``set_adapters``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError, some
from ..patches.bugs import lora_fusing
from .lora_plan import Module, Plan
from .records import adapter_names

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline
    from mindone.peft.tuners.lora import LoraLayer

_INSTEAD = "delete_adapters() and load it again instead"


def check_replaced_name(pipe: DiffusionPipeline, name: str | None) -> str:
    """Check that the pipeline has an adapter of this name that can be replaced, and return the name.

    Raises:
        UsageError: if no adapter has this name, or the adapter is fused: unfusing it later would subtract the new
            weights.
    """
    used = adapter_names(pipe)
    if name not in used:
        there = ", ".join(sorted(used)) or "none"
        raise UsageError(f"hotswap replaces a loaded adapter, but {name!r} is not loaded (loaded: {there}); name one")
    if name in lora_fusing.fused_adapters(pipe):
        raise UsageError(
            f"hotswap replaces an adapter that is not fused, but {name!r} is fused into the weights; "
            "call unfuse_lora() first"
        )
    return str(name)


def check_replaced_modules(models: Mapping[str, ms.nn.Cell], plan: Plan, name: str) -> None:
    """Check that the new LoRA has exactly the modules and ranks of the adapter.

    Args:
        models: the pipeline's models, by component.
        plan: the new LoRA.
        name: the adapter's name.

    Raises:
        UsageError: if they differ, or if a LoRA has text encoder modules; the message names the differences.
    """
    encoders = " and ".join(component for component in plan.modules if component != "unet")
    if encoders:
        raise UsageError(f"hotswap replaces only a UNet's LoRA, but this one also has the {encoders}; {_INSTEAD}")
    loaded = {component: _layers(model, name) for component, model in models.items()}
    own = loaded.pop("unet")
    encoders = " and ".join(component for component, layers in loaded.items() if layers)
    if encoders:
        raise UsageError(
            f"hotswap replaces only a UNet's LoRA, but adapter {name!r} is also in the {encoders}; {_INSTEAD}"
        )
    if any(layer.lora_bias.get(name) or layer.use_dora.get(name) for layer in own.values()):
        raise UsageError(f"hotswap replaces only plain LoRAs, but adapter {name!r} has biases or is a DoRA; {_INSTEAD}")
    new = plan.modules["unet"]
    # enable_lora_hotswap(target_rank=…) has padded the matrices with zeros, so LoRAs of lower rank fit too.
    padded = "_prepare_lora_hotswap_kwargs" in vars(models["unet"])
    faults = {
        "only in the new one": [path for path in new if path not in own],
        "only in the loaded one": [path for path in own if path not in new],
        "of another rank": [
            f"{path} ({new[path].rank} where {loaded_rank} is loaded)"
            for path, layer in own.items()
            if path in new
            and new[path].rank != (loaded_rank := _rank(layer, name))
            and not (padded and new[path].rank < loaded_rank)
        ],
    }
    found = [f"{len(paths)} {kind}: {some(paths)}" for kind, paths in faults.items() if paths]
    if found:
        raise UsageError(
            f"hotswap needs the same UNet modules and ranks as those of adapter {name!r}, but they differ: "
            f"{'; '.join(found)}; {_INSTEAD}"
        )


def swap(unet: ms.nn.Cell, modules: Mapping[str, Module], name: str) -> dict[str, Module]:
    """Assign the new weights and alphas, with adapter weight 1. The LoRA has been checked.

    Args:
        unet: the model.
        modules: the new LoRA, by module path.
        name: the adapter's name.

    Returns:
        The LoRA as the UNet has it now: padded with zeros if the layers have a higher rank.
    """
    import mindspore as ms

    layers = _layers(unet, name)
    padded = {path: _padded(module, _rank(layers[path], name)) for path, module in modules.items()}
    changes = []
    for path, layer in layers.items():
        for matrix, values in ((layer.lora_A[name], padded[path].down), (layer.lora_B[name], padded[path].up)):
            values = ms.Tensor(np.ascontiguousarray(values, np.float32)).to(matrix.weight.dtype)
            changes.append((matrix.weight, values))
    for weight, values in changes:
        weight.set_data(values)
    for path, layer in layers.items():
        layer.r[name], layer.lora_alpha[name] = padded[path].rank, padded[path].alpha
        scale = padded[path].alpha / padded[path].rank
        if isinstance(layer.scaling[name], ms.Tensor):  # a compiled graph refers to this tensor
            layer.scaling[name].assign_value(ms.Tensor(scale, layer.scaling[name].dtype))
        else:
            layer.scaling[name] = scale
    return padded


def _padded(module: Module, rank: int) -> Module:
    """Pad a LoRA with zeros to another rank."""
    extra = rank - module.rank
    down = np.pad(module.down, [(0, extra)] + [(0, 0)] * (module.down.ndim - 1))
    up = np.pad(module.up, [(0, 0), (0, extra)] + [(0, 0)] * (module.up.ndim - 2))
    return Module(down, up, module.alpha * rank / module.rank)


def _layers(model: ms.nn.Cell, name: str) -> dict[str, LoraLayer]:
    """Return the layers of a model that have the adapter, by module path."""
    from mindone.peft.tuners.lora import LoraLayer

    return {path: cell for path, cell in model.cells_and_names() if isinstance(cell, LoraLayer) and name in cell.lora_A}


def _rank(layer: LoraLayer, name: str) -> int:
    return layer.lora_A[name].weight.shape[0]
