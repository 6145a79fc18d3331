"""Find a LoRA's file in a local folder without a request to the hub."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def look_into_folder(original: Callable) -> Callable:
    """Wrap the search for a LoRA's file name: offline, find it in the local folder.

    Offline, the wrapper raises a UsageError if a local folder does not contain one LoRA file.
    """

    @functools.wraps(original)
    def best_guess_weight_name(
        location: Any, file_extension: str = ".safetensors", local_files_only: bool | None = False
    ) -> str | None:
        from mindone.diffusers.loaders import lora_base

        from ...files.model_folder import lora_file

        offline = local_files_only or lora_base.HF_HUB_OFFLINE
        if offline and file_extension == ".safetensors" and os.path.isfile(location):
            return None  # mindone then loads the location itself
        if offline and file_extension == ".safetensors" and os.path.isdir(location):
            return lora_file(Path(location)).name
        return original(location, file_extension=file_extension, local_files_only=local_files_only)

    return best_guess_weight_name
