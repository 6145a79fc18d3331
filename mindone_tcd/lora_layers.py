"""The models of a pipeline that can have LoRAs, and the layers that have them."""

from __future__ import annotations

from typing import Any


def models_of(pipe: Any) -> dict[str, Any]:
    """Return the models of a pipeline that can have LoRAs, by component."""
    models = {name: getattr(pipe, name, None) for name in pipe._lora_loadable_modules}
    return {name: model for name, model in models.items() if model is not None}


def layers_of(model: Any) -> list[Any]:
    """Return the layers of a model that have adapters."""
    from mindone.peft.tuners.tuners_utils import BaseTunerLayer

    return [cell for _, cell in model.cells_and_names() if isinstance(cell, BaseTunerLayer)]
