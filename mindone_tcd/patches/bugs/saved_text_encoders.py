"""Save models of mindone.transformers so that transformers on torch can load them.

mindone writes MindSpore's parameter names ("token_embedding.embedding_table"), which torch does not find, so these
parameters keep random values. It also writes the metadata format "np", for which transformers refuses the file. mindone
itself can read both forms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def torch_names(model: Any) -> dict[str, Any] | None:
    """Return the model's parameters by their names in torch.

    The result is None for models with one-dimensional convolutions, whose weights have another shape in torch. mindone
    saves these models unchanged. Text and image encoders have no such convolutions.
    """
    from mindone.transformers.modeling_utils import _get_pt2ms_mappings
    from mindspore import nn

    if any(isinstance(cell, nn.Conv1d | nn.Conv1dTranspose) for _, cell in model.cells_and_names()):
        return None
    names = {theirs: torchs for torchs, (theirs, _) in _get_pt2ms_mappings(model).items() if theirs is not None}
    return {names.get(name, name): parameter for name, parameter in model.parameters_and_names()}


def with_torch_names(original: Callable) -> Callable:
    """Wrap `save_pretrained`: save the parameters by their names in torch, unless the caller passes a state_dict."""

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
    """Wrap `save_file`: write the metadata format "pt" instead of "np"."""

    @functools.wraps(original)
    def save_file(tensors: Any, filename: Any, metadata: dict[str, str] | None = None) -> None:
        if metadata is not None and metadata.get("format") == "np":
            metadata = {**metadata, "format": "pt"}
        return original(tensors, filename, metadata=metadata)

    return save_file
