"""Fix DPT's image processor, which fails for every image.

It passes `size_divisibility` to a check that does not accept this argument. The patched check accepts it, and uses it
to check padding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...errors import UsageError


def without_padding(original: Callable) -> Callable:
    """Wrap the check of the processor's arguments: check the padding here, and the other arguments in the original."""

    @functools.wraps(original)
    def validate_preprocess_arguments(
        *args: Any, do_pad: bool | None = None, size_divisibility: int | None = None, **kwargs: Any
    ) -> None:
        if do_pad and size_divisibility is None:
            raise UsageError(
                "do_pad=True needs size_divisor; pass the number of which height and width must be multiples"
            )
        original(*args, **kwargs)

    return validate_preprocess_arguments
