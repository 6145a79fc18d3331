"""DPT's image processor: an image in, `pixel_values` out.

It hands `size_divisibility` to a check that knows no such argument. Padding is the one thing that the check cannot
judge without it, so that is judged here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...errors import UsageError


def without_padding(original: Callable) -> Callable:
    @functools.wraps(original)
    def validate_preprocess_arguments(
        *args: Any, do_pad: bool | None = None, size_divisibility: int | None = None, **kwargs: Any
    ) -> None:
        if do_pad and size_divisibility is None:
            raise UsageError(
                "do_pad=True needs size_divisor, the number that height and width are padded to a multiple of"
            )
        original(*args, **kwargs)

    return validate_preprocess_arguments
