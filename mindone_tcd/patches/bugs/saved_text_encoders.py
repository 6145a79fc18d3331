"""Models of mindone.transformers saved as transformers on torch reads them.

mindone writes MindSpore's names of the parameters ("token_embedding.embedding_table"), which torch does not find, so
that it begins with random numbers there; and the metadata format "np", for which it refuses the file. mindone itself
reads both ways of writing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def torch_names(model: Any) -> dict[str, Any] | None:
    """The model's parameters under the names that they have on torch.

    None for models with one-dimensional convolutions, whose weights have another shape there: those mindone saves as it
    does (no text or image encoder has any).
    """
    from mindone.transformers.modeling_utils import _get_pt2ms_mappings
    from mindspore import nn

    if any(isinstance(cell, nn.Conv1d | nn.Conv1dTranspose) for _, cell in model.cells_and_names()):
        return None
    names = {theirs: torchs for torchs, (theirs, _) in _get_pt2ms_mappings(model).items() if theirs is not None}
    return {names.get(name, name): parameter for name, parameter in model.parameters_and_names()}


def with_torch_names(original: Callable) -> Callable:
    @functools.wraps(original)
    def save_pretrained(
        self: Any,
        save_directory: Any,
        is_main_process: bool = True,
        state_dict: dict | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if state_dict is None:
            state_dict = torch_names(self)
        return original(self, save_directory, is_main_process, state_dict, *args, **kwargs)

    return save_pretrained


def with_torch_format(original: Callable) -> Callable:
    @functools.wraps(original)
    def save_file(tensors: Any, filename: Any, metadata: dict[str, str] | None = None) -> None:
        if metadata is not None and metadata.get("format") == "np":
            metadata = {**metadata, "format": "pt"}
        return original(tensors, filename, metadata=metadata)

    return save_file
