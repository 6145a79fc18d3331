"""Few-step image generation on MindSpore: TCD and LCM schedulers for mindone's pipelines.

The import installs the patches of :mod:`mindone_tcd.patches`, so that the pipelines of `mindone.diffusers` work with
these schedulers, in any order of imports. It imports neither MindSpore nor mindone, which takes seconds: each name is
imported at its first use.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import patches
from .exports import MODULES as _FROM_MINDONE
from .schedulers.methods import METHODS as _METHODS
from .version import __version__ as __version__

_HOMES = {
    **{method.scheduler_name: "schedulers" for method in _METHODS.values()},
    "GeneratedImage": "generate.generated_image",
    "SHAPES_FOLDER": "shapes.folder",
    "TextToImage": "generate.text_to_image",
    "UsageError": "errors",
    "compile_pipeline": "compiled.pipeline",
    "load": "generate.loading",
    "uncompile_pipeline": "compiled.pipeline",
}
__all__ = sorted([*_HOMES, *_FROM_MINDONE])


def __getattr__(name: str) -> Any:
    if name in _FROM_MINDONE:
        # Not stored, because `patches.remove()` may change the object.
        return importlib.import_module(".exports", __name__).get(name)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "patches"]


patches.install()
