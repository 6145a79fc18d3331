"""Support motion adapter configurations with the keys of diffusers 0.22 to 0.27, which the published ones have."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError

LEGACY = {"motion_activation_fn": "geglu", "motion_attention_bias": False, "motion_cross_attention_dim": None}
"""Options that MotionAdapter no longer has, and the values that it now always uses."""


def extract_init_dict(original: classmethod) -> classmethod:
    """Return a replacement of ``MotionAdapter.extract_init_dict`` that accepts the legacy keys without a warning.

    The replacement raises a UsageError if a legacy key has a value that MotionAdapter no longer supports.
    """

    def accept(cls: type, /, config_dict: dict[str, Any], **options: Any) -> Any:
        for key, value in LEGACY.items():
            if config_dict.get(key, value) != value:
                raise UsageError(
                    f"the motion adapter's configuration has {key}={config_dict[key]!r}; MotionAdapter expects "
                    f"{value!r}: use an adapter in the layout of animatediff-motion-adapter-v1-5-2"
                )
        current = {key: value for key, value in config_dict.items() if key not in LEGACY}
        return original.__func__(cls, current, **options)

    return classmethod(accept)
