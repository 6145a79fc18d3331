"""From prompts to token ids, with the tokenizers of an exported folder. MindSpore is not needed."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np

from ..errors import warn_user
from ..files.model_folder import check_configs
from ..files.tokenizer_files import check_tokenizer


@functools.lru_cache(maxsize=8)
def _tokenizer(folder: Path):  # type: ignore[no-untyped-def]  # transformers' class, which is imported only here
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import CLIPTokenizer

    check_configs(folder, "transformers")
    check_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def token_ids(folder: Path, prompt: str) -> np.ndarray:
    """Return the token ids of a prompt, int64 (1, length), padded or truncated to the encoder's length.

    Args:
        folder: the folder of the tokenizer.
        prompt: any text.

    Warns:
        UsageWarning: if the prompt is too long; the message has the part that is left out.
    """
    tokenizer = _tokenizer(folder)
    most = tokenizer.model_max_length
    ids = tokenizer(prompt, padding="max_length", max_length=most, truncation=True).input_ids
    every = tokenizer(prompt, padding="longest", verbose=False).input_ids
    if len(every) > most:
        rest = tokenizer.decode(every[most - 1 : -1])
        warn_user(f"the prompt has {len(every)} tokens, but the text encoder reads {most}; without effect: {rest!r}")
    return np.array([ids], np.int64)
