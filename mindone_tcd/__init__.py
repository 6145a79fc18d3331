"""Few-step image generation on MindSpore: TCD and LCM schedulers for mindone's pipelines.

Names load when they are first used, because MindSpore and mindone take seconds to import.
"""

from __future__ import annotations

import importlib
from typing import Any

from .pipelines.mindone_parts import MODULES as _FROM_MINDONE
from .schedulers.methods import METHODS as _METHODS

__version__ = "0.1.0"

_HOMES = {
    **{method.scheduler_name: "schedulers" for method in _METHODS.values()},
    "Picture": "pipelines.picture",
    "SHAPES_FOLDER": "pipelines.recipes",
    "TextToImage": "pipelines.text_to_image",
    "UsageError": "errors",
    "compile_pipeline": "compiled",
    "load": "pipelines.loading",
    "uncompile_pipeline": "compiled",
}
__all__ = sorted([*_HOMES, *_FROM_MINDONE])


def __getattr__(name: str) -> Any:
    if name in _FROM_MINDONE:
        value = importlib.import_module(".pipelines.mindone_parts", __name__).get(name)
    elif name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        if _HOMES[name] == "schedulers":
            importlib.import_module(".pipelines.from_pretrained", __name__).install_on_schedulers()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
