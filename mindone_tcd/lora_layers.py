"""The models of a pipeline that can have LoRAs, and the layers that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline
    from mindone.peft.tuners.tuners_utils import BaseTunerLayer


def models_of(pipe: DiffusionPipeline) -> dict[str, ms.nn.Cell]:
    """Return the models of a pipeline that can have LoRAs, by component."""
    models = {name: getattr(pipe, name, None) for name in pipe._lora_loadable_modules}
    return {name: model for name, model in models.items() if model is not None}


def layers_of(model: ms.nn.Cell) -> list[BaseTunerLayer]:
    """Return the layers of a model that have adapters."""
    from mindone.peft.tuners.tuners_utils import BaseTunerLayer

    return [cell for _, cell in model.cells_and_names() if isinstance(cell, BaseTunerLayer)]
