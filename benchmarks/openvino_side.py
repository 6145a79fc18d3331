"""Convert torch modules to OpenVINO, and quantize them with NNCF, as the OpenVINO guides do.

Needs the [openvino] extra.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from harness import THREADS
from torch.utils import _pytree as trees


class _Flat(torch.nn.Module):
    """A module whose inputs and outputs are only tensors. The other arguments of its calls are fixed."""

    def __init__(self, module: torch.nn.Module, forward: Callable, call: Any, places: list[int]) -> None:
        super().__init__()
        self.module, self.call, self.places = module, forward, places
        self.leaves, self.layout = trees.tree_flatten(call)

    def forward(self, *tensors: torch.Tensor) -> Any:
        leaves = list(self.leaves)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = trees.tree_unflatten(leaves, self.layout)
        found, _ = trees.tree_flatten(self.call(*args, **kwargs))
        return tuple(found)


def tensors_of(call: Any) -> tuple[list[int], list[torch.Tensor]]:
    """The places of the tensors among the values of a call, a pair of positional and named arguments; the tensors."""
    leaves, _ = trees.tree_flatten(call)
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    return places, [leaves[k] for k in places]


def to_model(module: torch.nn.Module, forward: Callable, call: Any) -> openvino.Model:
    """Convert a module for calls with the shapes of one call."""
    places, tensors = tensors_of(call)
    flat = _Flat(module, forward, call, places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # the shapes are fixed
        return openvino.convert_model(
            flat, example_input=tuple(tensors), input=[list(tensor.shape) for tensor in tensors]
        )


def options_of(precision: str) -> dict[str, Any]:
    """The options to compile a model with; with "", OpenVINO selects the precision."""
    options: dict[str, Any] = {"INFERENCE_NUM_THREADS": THREADS}
    if precision:
        options["INFERENCE_PRECISION_HINT"] = precision
    return options


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

    def run(*args: Any, **kwargs: Any) -> Any:
        _, tensors = tensors_of((args, kwargs))
        key = tuple(tuple(tensor.shape) for tensor in tensors)
        if key not in models:
            made = to_model(module, forward, (args, kwargs))
            models[key] = openvino.Core().compile_model(made, "CPU", options_of(precision))
        result = torch.from_numpy(models[key]([tensor.numpy() for tensor in tensors])[0])
        return (result,) if tuples else result

    module.forward = run
    return lambda: next(iter(models.values())).get_property("INFERENCE_PRECISION_HINT").get_type_name()


@contextlib.contextmanager
def recorded(module: torch.nn.Module) -> Iterator[list[Any]]:
    """A list that receives the arguments of all calls of a module: pairs of positional and named ones."""
    forward, calls = module.forward, []

    def run(*args: Any, **kwargs: Any) -> Any:
        calls.append(
            trees.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, (args, kwargs))
        )
        return forward(*args, **kwargs)

    module.forward = run
    try:
        yield calls
    finally:
        module.forward = forward


def store(module: torch.nn.Module, calls: Sequence[Any], path: Path) -> None:
    """Write a module as an OpenVINO model, its weights in float16, and beside it the same model in int8.

    NNCF quantizes weights and activations, with the calls as the calibration data and the settings of the guides.

    Args:
        module: the module.
        calls: calls with tensors of the same shapes.
        path: the file to write, with the suffix .xml; that of the int8 model ends in -int8.xml.
    """
    import nncf

    with torch.no_grad():
        model = to_model(module, module.forward, calls[0])
    openvino.save_model(model, path)
    samples = [[tensor.numpy() for tensor in tensors_of(call)[1]] for call in calls]
    narrow = nncf.quantize(
        model,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )
    openvino.save_model(narrow, path.with_name(f"{path.stem}-int8.xml"))


def stored(path: Path, precision: str) -> tuple[Callable[[Sequence[np.ndarray]], list[np.ndarray]], Callable[[], str]]:
    """A function that runs a stored model, and a function that returns the precision that OpenVINO uses."""
    model = openvino.Core().compile_model(str(path), "CPU", options_of(precision))

    def run(tensors: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = model(list(tensors))
        return [found[k] for k in range(len(model.outputs))]

    return run, lambda: model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
