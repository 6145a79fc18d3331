"""Weights that lie in memory once while they are loaded.

mindone maps a whole file, copies all of it, and then widens float16 weights to the float32 in which the model was laid
out, before it makes them float16 again: at the peak three times the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..pipelines.folder import check_safetensors

_DTYPES = {
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BOOL": np.bool_},
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits // 8}") for kind in "IU" for bits in (8, 16, 32, 64)},
}


def _one_after_the_other(original: Callable) -> Callable:
    @functools.wraps(original)
    def load_file(filename: Any) -> dict[str, Any]:
        import mindspore as ms

        try:
            start, header = check_safetensors(Path(filename))
            header.pop("__metadata__", None)
            dtypes = {name: np.dtype(_DTYPES[entry["dtype"]]) for name, entry in header.items()}
        except (UsageError, KeyError):
            return original(filename)  # what is damaged or in another dtype is refused there
        tensors = {}
        with open(filename, "rb") as file:
            for name, entry in header.items():
                begin, end = entry["data_offsets"]
                file.seek(start + begin)
                values = np.fromfile(file, dtypes[name], (end - begin) // dtypes[name].itemsize)
                tensors[name] = ms.Parameter(values.reshape(entry["shape"]), name=name)
        return tensors

    return load_file


def _in_the_dtype_asked_for(original: Callable) -> Callable:
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


REPLACED: dict[str, Callable] = {
    "mindone.safetensors.mindspore:load_file": _one_after_the_other,
    "mindone.diffusers.models.model_loading_utils:_load_state_dict_into_model": _in_the_dtype_asked_for,
}
