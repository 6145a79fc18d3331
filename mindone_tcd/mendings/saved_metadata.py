"""The format that a saved model names in its safetensors metadata.

transformers on torch loads "pt" and a few more, and refuses "np". The tensors are the same either way, and mindone
reads both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def _as_torch_writes_it(original: Callable) -> Callable:
    @functools.wraps(original)
    def save_file(tensors: Any, filename: Any, metadata: dict[str, str] | None = None) -> None:
        if metadata is not None and metadata.get("format") == "np":
            metadata = {**metadata, "format": "pt"}
        return original(tensors, filename, metadata=metadata)

    return save_file


REPLACED: dict[str, Callable] = {
    "mindone.transformers.modeling_utils:safe_save_file": _as_torch_writes_it,
}
