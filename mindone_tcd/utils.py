"""Helper functions from the guides, under diffusers' module name: ``from mindone_tcd.utils import load_image``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_NAMES = ("export_to_gif", "load_image", "make_image_grid")

if TYPE_CHECKING:
    from mindone.diffusers.utils import export_to_gif as export_to_gif
    from mindone.diffusers.utils import load_image as load_image
    from mindone.diffusers.utils import make_image_grid as make_image_grid
else:  # hidden from type checkers, so that they report misspelled names

    def __getattr__(name: str) -> Any:
        if name not in _NAMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(_NAMES)}")
        import mindone_tcd

        return getattr(mindone_tcd, name)


def __dir__() -> list[str]:
    return list(_NAMES)
