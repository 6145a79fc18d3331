"""Weights that lie in memory once while they are loaded.

mindone maps a whole file, copies all of it, and then widens float16 weights to the float32 in which the model was laid
out, before it makes them float16 again: at the peak three times the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...files.safetensors import check_floats, read_header, read_tensors


def one_tensor_at_a_time(original: Callable) -> Callable:
    @functools.wraps(original)
    def load_file(filename: Any) -> dict[str, Any]:
        return _parameters(filename)

    return load_file


def of_a_model(original: Callable) -> Callable:
    """mindone hides the reason of an error, and reads the weights of transformers' models by another reader."""

    @functools.wraps(original)
    def load_state_dict(checkpoint_file: Any, *args: Any, **options: Any) -> dict[str, Any]:
        if not str(checkpoint_file).endswith(".safetensors") or (args and args[0]) or options.get("dduf_entries"):
            return original(checkpoint_file, *args, **options)
        return _parameters(checkpoint_file, weights=True)

    return load_state_dict


def _parameters(filename: Any, weights: bool = False) -> dict[str, Any]:
    """The tensors of a file as parameters; with ``weights``, they have to be of a dtype that weights have."""
    import mindspore as ms

    header = read_header(filename)
    if weights:
        check_floats(header)
    parameters = {}
    for name, values in read_tensors(header):
        tensor = ms.Tensor(values, ms.bfloat16) if header.tensors[name].dtype == "BF16" else values
        parameters[name] = ms.Parameter(tensor, name=name)
    return parameters


def in_requested_dtype(original: Callable) -> Callable:
    @functools.wraps(original)
    def load_state_dict_into_model(
        model_to_load: Any,
        state_dict: dict[str, Any],
        keep_in_fp32_modules: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> list[str]:
        from mindspore import ops

        own = dict(model_to_load.parameters_and_names()) if dtype is not None else {}
        for name, values in state_dict.items():
            parameter = own.get(name)
            if parameter is None or parameter.shape != values.shape or not ops.is_floating_point(values):
                continue
            if values.dtype != dtype:
                values.set_dtype(dtype)
            if parameter.dtype != dtype:
                parameter.set_dtype(dtype)
            # At once: until it has its values, a parameter whose dtype was set holds memory of its own.
            parameter.set_data(values)
        return original(model_to_load, state_dict, keep_in_fp32_modules=keep_in_fp32_modules, dtype=dtype, **options)

    return load_state_dict_into_model
