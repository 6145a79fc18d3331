"""Helper functions from the guides, under diffusers' module name: ``from mindone_tcd.utils import load_image``."""

from __future__ import annotations

from typing import Any

_NAMES = ("export_to_gif", "load_image", "make_image_grid")


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(_NAMES)}")
    import mindone_tcd

    return getattr(mindone_tcd, name)


def __dir__() -> list[str]:
    return list(_NAMES)
