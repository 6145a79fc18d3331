"""Weights that lie in memory once while they are loaded.

mindone maps a whole file, copies all of it, and then widens float16 weights to the float32 in which the model was laid
out, before it makes them float16 again: at the peak three times the weights.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

_DTYPES = {
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BOOL": np.bool_},
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits // 8}") for kind in "IU" for bits in (8, 16, 32, 64)},
}


def _one_after_the_other(original: Callable) -> Callable:
    @functools.wraps(original)
    def load_file(filename: Any) -> dict[str, Any]:
        import mindspore as ms

        with open(filename, "rb") as file:
            try:
                start = 8 + int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(start - 8))
                entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
                places = {name: (_DTYPES[entry["dtype"]], *entry["data_offsets"]) for name, entry in entries.items()}
                end = max((end for *_, end in places.values()), default=0)
                whole = start + end == file.seek(0, 2)
            except (ValueError, KeyError, TypeError, OverflowError, MemoryError):
                whole = False
            if not whole:
                return original(filename)  # what is damaged or in another dtype is refused there
            tensors = {}
            for name, (dtype, begin, end) in places.items():
                file.seek(start + begin)
                values = np.fromfile(file, dtype, (end - begin) // np.dtype(dtype).itemsize)
                tensors[name] = ms.Parameter(values.reshape(entries[name]["shape"]), name=name)
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
