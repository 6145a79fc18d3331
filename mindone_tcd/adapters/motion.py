"""Motion adapters whose configuration has the keys of diffusers 0.22 to 0.27, as the published ones do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UsageError

LEGACY = {"motion_activation_fn": "geglu", "motion_attention_bias": False, "motion_cross_attention_dim": None}
"""Options that MotionAdapter no longer has, and the values that it is built with now."""


def extract_init_dict(original: Callable) -> classmethod:
    """A replacement of ``MotionAdapter.extract_init_dict`` that accepts the legacy keys, in silence.

    The replacement raises a UsageError if one of them asks for what MotionAdapter cannot be built with any more.
    """

    def accept(cls: type, config_dict: dict[str, Any], **options: Any) -> Any:
        for key, value in LEGACY.items():
            if config_dict.get(key, value) != value:
                raise UsageError(
                    f"the motion adapter's configuration has {key}={config_dict[key]!r}; expected {value!r}, which is "
                    "what MotionAdapter is built with: take one in the layout of animatediff-motion-adapter-v1-5-2"
                )
        kept = {key: value for key, value in config_dict.items() if key not in LEGACY}
        return original.__func__(cls, kept, **options)

    return classmethod(accept)
