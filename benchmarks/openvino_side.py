"""Convert torch modules to OpenVINO, as the OpenVINO guide does. Needs the [openvino] extra."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import openvino
import torch
from harness import THREADS
from torch.utils import _pytree as trees


class _Flat(torch.nn.Module):
    """A module whose inputs are only the tensors of a call. The other arguments of the call are fixed."""

    def __init__(self, module: torch.nn.Module, forward: Callable, call: Any, places: list[int]) -> None:
        super().__init__()
        self.module, self.call, self.places = module, forward, places
        self.leaves, self.layout = trees.tree_flatten(call)

    def forward(self, *tensors: torch.Tensor) -> Any:
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = trees.tree_unflatten(leaves, self.layout)
        return self.call(*args, **kwargs)


def converted(module: torch.nn.Module, precision: str = "", tuples: bool = True) -> Callable[[], str]:
    """Run the calls of a module in OpenVINO. The first call with a set of shapes converts the module for it.

    Args:
        module: the module. Its `forward` is replaced.
        precision: the precision of OpenVINO, such as `f32`; with "", OpenVINO selects it.
        tuples: whether the module returns a tuple of one tensor, and not the tensor itself.

    Returns:
        a function that returns the precision that OpenVINO used.
    """
    forward, models = module.forward, {}
    options: dict[str, Any] = {"INFERENCE_NUM_THREADS": THREADS}
    if precision:
        options["INFERENCE_PRECISION_HINT"] = precision

    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, _ = trees.tree_flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
        tensors = [leaves[k] for k in places]
        key = tuple(tuple(tensor.shape) for tensor in tensors)
        if key not in models:
            flat = _Flat(module, forward, (args, kwargs), places)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # the shapes are fixed
            made = openvino.convert_model(flat, example_input=tuple(tensors), input=[list(shape) for shape in key])
            models[key] = openvino.Core().compile_model(made, "CPU", options)
        result = torch.from_numpy(models[key]([tensor.numpy() for tensor in tensors])[0])
        return (result,) if tuples else result

    module.forward = run
    return lambda: next(iter(models.values())).get_property("INFERENCE_PRECISION_HINT").get_type_name()
