"""Load weights without copies, so that they occupy memory only once.

mindone maps a whole file and copies it. It then converts float16 weights to float32, the dtype in which it builds the
model, and back to float16. At the peak, it needs three times the memory of the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...files.safetensors import check_floats, read_header, read_tensors


def one_tensor_at_a_time(original: Callable) -> Callable:
    """Replace `load_file` by a function that reads one tensor after the other."""

    @functools.wraps(original)
    def load_file(filename: Any) -> dict[str, Any]:
        return _parameters(filename)

    return load_file


def of_a_model(original: Callable) -> Callable:
    """Wrap `load_state_dict`: read safetensors one tensor after the other.

    Errors then name the cause, which mindone hides. The wrapper raises a UsageError if a file is damaged, or if its
    tensors are not floats.
    """

    @functools.wraps(original)
    def load_state_dict(checkpoint_file: Any, *args: Any, **options: Any) -> dict[str, Any]:
        if not str(checkpoint_file).endswith(".safetensors") or (args and args[0]) or options.get("dduf_entries"):
            return original(checkpoint_file, *args, **options)
        return _parameters(checkpoint_file, weights=True)

    return load_state_dict


def _parameters(filename: Any, weights: bool = False) -> dict[str, Any]:
    """Return the tensors of a file as parameters; with ``weights``, check that their dtypes are those of weights."""
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
    """Wrap the function that copies weights into a model: set each parameter to the requested dtype first."""

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
            # Set the data immediately: until then, a parameter whose dtype was set occupies memory of its own.
            parameter.set_data(values)
        return original(model_to_load, state_dict, keep_in_fp32_modules=keep_in_fp32_modules, dtype=dtype, **options)

    return load_state_dict_into_model
