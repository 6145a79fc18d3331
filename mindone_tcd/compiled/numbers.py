"""Numbers of a model that a graph reads at each run instead of compiling them as constants.

MindSpore compiles a Python number into the graph as a constant, so another LoRA weight or IP-Adapter scale would need
another graph. This module replaces the number with a parameter while MindSpore compiles and runs, and assigns the
number to the parameter before the run. Graphs read assigned values. The model keeps its plain numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import mindspore as ms
from mindspore import nn

from ..patches import ENGINE
from ..patching.rewrite import rewrite


class Numbers:
    """The numbers in one dictionary or list of a cell.

    Args:
        cell: the cell.
        attribute: the cell's attribute that is the dictionary or list.
        dtypes: the parameter dtype for each entry that graphs read at each run. The other entries are constants.
        name: the prefix of the parameters' names, unique in the model.

    Attributes:
        attribute: the argument of the same name.
        parameters: the parameters by key or index, each a scalar.
        description: a string that is equal for all numbers that compile to the same graph.
    """

    def __init__(self, cell: nn.Cell, attribute: str, dtypes: dict[Any, Any], name: str) -> None:
        self._cell, self.attribute = cell, attribute
        entries = self._entries()
        self._keys = tuple(_keys(entries))
        self._type = type(entries)
        self._constants = {key: entries[key] for key in self._keys if key not in dtypes}
        self.parameters = {
            key: ms.Parameter(ms.Tensor(entries[key], dtype), name=f"{name}_{k}", requires_grad=False)
            for k, (key, dtype) in enumerate(dtypes.items())
        }
        self._assigned = {key: float(entries[key]) for key in dtypes}
        types = {key: str(dtype) for key, dtype in dtypes.items()}
        self.description = f"numbers {self._type.__name__} {self._keys!r} {types!r} {self._constants!r}"

    def fit(self, entries: Any) -> bool:
        """Return whether the same graph is valid for these entries."""
        if type(entries) is not self._type or tuple(_keys(entries)) != self._keys:
            return False
        return all(
            _is_number(entries[key]) and (key in self.parameters or entries[key] == self._constants[key])
            for key in self._keys
        )

    def assign(self) -> None:
        """Assign the cell's current numbers to the parameters."""
        entries = self._entries()
        for key, parameter in self.parameters.items():
            number = float(entries[key])
            if number != self._assigned[key]:
                ms.ops.assign(parameter, ms.Tensor(number, parameter.dtype))
                self._assigned[key] = number

    def replace(self) -> Any:
        """Replace the cell's numbers with the parameters; return the previous entries."""
        entries = self._entries()
        changed = entries.copy()
        for key, parameter in self.parameters.items():
            changed[key] = parameter
        vars(self._cell)[self.attribute] = changed
        return entries

    def restore(self, entries: Any) -> None:
        """Restore the entries that `replace` returned."""
        vars(self._cell)[self.attribute] = entries

    def _entries(self) -> Any:
        return vars(self._cell)[self.attribute]


@contextmanager
def as_parameters(every: Iterable[Numbers]) -> Iterator[None]:
    """Replace the numbers of the cells with parameters within this context."""
    replaced: list[tuple[Numbers, Any]] = []
    try:
        for numbers in every:
            replaced.append((numbers, numbers.replace()))
        yield
    finally:
        for numbers, entries in replaced:
            numbers.restore(entries)


def numbers_of(cell: nn.Cell, name: str) -> Numbers | None:
    """Return the numbers that a graph reads at each run from a cell.

    These are a LoRA layer's weights, or the scales of an IP-Adapter's processor. A scale of 0 stays a constant, so that
    the processor skips the image prompt; a change between 0 and another value needs another graph. Scales for masks,
    which are nested lists, are constants too.

    Args:
        cell: any cell.
        name: see `Numbers`.

    Returns:
        None for every other cell, and for a layer whose entries are not all plain numbers.
    """
    if _is(cell, "mindone.peft.tuners.lora.layer", ("Linear", "_ConvNd")):
        entries, attribute = vars(cell).get("scaling"), "scaling"
        usual = isinstance(entries, dict) and not any(cell.use_dora.values())
        dtypes = {key: cell.lora_A[key].weight.dtype for key in entries if key in cell.lora_A} if usual else {}
    elif _is(cell, _ATTENTION, _PROCESSORS) and ENGINE.is_active("scales in graphs"):
        entries, attribute = vars(cell).get("scale"), "scale"
        dtype = cell.to_k_ip[0].weight.dtype
        dtypes = {key: dtype for key, scale in enumerate(entries) if scale != 0} if isinstance(entries, list) else {}
    else:
        return None
    if not dtypes or not all(_is_number(entries[key]) for key in _keys(entries)):
        return None
    return Numbers(cell, attribute, dtypes, name)


def is_bookkeeping(cell: nn.Cell, attribute: str) -> bool:
    """Return whether a cell's attribute is used only for fusing and unfusing, so that no graph reads it."""
    return attribute == "_caches" and _is(cell, "mindone.peft.tuners.lora.layer", ("LoraLayer",))


_ATTENTION = "mindone.diffusers.models.attention_processor"
_PROCESSORS = ("IPAdapterAttnProcessor", "IPAdapterAttnProcessor2_0")


def _is(cell: nn.Cell, module: str, names: tuple[str, ...]) -> bool:
    """Return whether a cell is an instance of one of these classes; False if their module is not loaded."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(cell, tuple(getattr(loaded, name) for name in names))


def taking_tensors(original: Callable) -> Callable:
    """Let an IP-Adapter processor's ``construct`` accept tensors as scales, which a graph must not compare with 0."""
    return rewrite(original, r"elif scale == 0:", "elif not isinstance(scale, ms.Tensor) and scale == 0:", "scaled")


def _keys(entries: dict | list) -> Iterable[Any]:
    return entries if isinstance(entries, dict) else range(len(entries))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
