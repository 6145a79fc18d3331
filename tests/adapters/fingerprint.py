"""Everything that adapters can change in a pipeline, as plain values for comparisons; weights are compared exactly.

Objects are compared by id, so compare only fingerprints of one pipeline while its previous objects still exist.
"""

from __future__ import annotations

import zlib
from typing import Any

_MODELS = ("unet", "text_encoder", "text_encoder_2")


def fingerprint(pipe: Any) -> dict[str, Any]:
    """The state of the pipeline, by descriptive names.

    Args:
        pipe: a pipeline with a UNet.
    """
    from mindone_tcd.adapters import loaded_loras

    found: dict[str, Any] = {
        "records": loaded_loras(pipe),
        "pipeline config": _plain(pipe.config),
        "pipeline attributes": {key: _identity(value) for key, value in vars(pipe).items() if key != "_internal_dict"},
        "fused names": set(pipe._merged_adapters),
    }
    for name in _MODELS:
        if (model := getattr(pipe, name, None)) is not None:
            found |= {f"{name} {key}": value for key, value in _of_model(model).items()}
    found["unet processors"] = {
        name: (id(processor), type(processor).__name__, list(getattr(processor, "scale", None) or ()))
        for name, processor in pipe.unet.attn_processors.items()
    }
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of the values that differ, each with the first few differing parts."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        detail = ""
        if isinstance(one, dict) and isinstance(other, dict):
            parts = [key for key in [*one, *(k for k in other if k not in one)] if one.get(key) != other.get(key)]
            detail = f": {len(parts)} parts" + "".join(f"; {k}: {one.get(k)} → {other.get(k)}" for k in parts[:3])
            detail = detail if parts else ": another order"
        found.append(name + detail)
    return found


def _of_model(model: Any) -> dict[str, Any]:
    from mindone.peft.tuners.lora import LoraLayer
    from mindspore import nn

    usual = vars(nn.Cell()).keys()
    cells = dict(model.cells_and_names())
    found: dict[str, Any] = {
        "cells": {path: (id(cell), type(cell).__name__, cell.training) for path, cell in cells.items()},
        "weights": {
            path: (id(p), p.name, str(p.dtype), p.shape, p.requires_grad, zlib.crc32(p.asnumpy().tobytes()))
            for path, p in model.parameters_and_names()
        },
        "order": list(cells),
        "attributes": {
            path: {key: _identity(value) for key, value in vars(cell).items() if key not in usual}
            for path, cell in cells.items()
        },
        "config": _plain(model.config) if isinstance(model.config, dict) else model.config.to_dict(),
        "adapters": {name: config.to_dict() for name, config in (getattr(model, "peft_config", None) or {}).items()},
        "fused and unloaded": getattr(model, "_mindone_tcd_fused_loras", ()),
    }
    if isinstance(model.config, dict):
        found["config attributes"] = _plain(vars(model.config))
    for path, cell in cells.items():
        if isinstance(cell, LoraLayer):
            found[f"layer {path}"] = {
                "active": list(cell.active_adapters),
                "disabled": cell.disable_adapters,
                "fused": list(cell.merged_adapters),
                "ranks": dict(cell.r),
                "alphas": dict(cell.lora_alpha),
                "scales": {name: float(value) for name, value in cell.scaling.items()},
                "kept": {name: float(value) for name, value in cell._caches.items()},
            }
    return found


def _plain(config: Any) -> dict[str, str]:
    return {key: repr(value) for key, value in dict(config).items()}


def _identity(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else id(value)
