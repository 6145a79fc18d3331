"""Record what a graph captured from a model when it was compiled, and detect when the graph is stale.

A graph captures the weights' memory, the settings and the structure of the model at compile time. Fusing a LoRA,
activating an adapter or replacing weights changes the model, but MindSpore does not detect this and runs the graph with
the old values. A snapshot therefore records everything reachable from the model before compilation, and every use
compares it with the model: some milliseconds for a thousand layers. Numbers that the graph reads at each run
(`numbers.py`) may change.
"""

from __future__ import annotations

import enum
import hashlib
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn
from mindspore.common.dtype import Type as DType

from .numbers import Numbers, is_bookkeeping, numbers_of

_ATOMS = (type(None), bool, int, float, complex, str, bytes, DType, np.generic, enum.Enum, type(Ellipsis))
_BY_NAME = (types.FunctionType, types.BuiltinFunctionType, type, types.ModuleType)
_MISSING = object()
_ANYTHING = object()

_OF_EVERY_CELL = frozenset(vars(nn.Cell()))
_CHANGES_THE_GRAPH = frozenset({"_cells", "_params", "_buffers", "training", "mixed_precision_type"})
_BOOKKEEPING = frozenset(_OF_EVERY_CELL - _CHANGES_THE_GRAPH) | {
    *("_mutable_flags", "__parse_method__", "init_tensor"),
    "construct",
}
"""Attributes that MindSpore itself stores on a cell and no graph reads; and ``construct``, which `Part` replaces."""

_UNORDERED = ("_use_default_values",)
"""Lists that mindone creates from a set, so that their order differs between processes."""

_VERSIONED = ("mindspore", "mindone", "mindone_tcd", "transformers", "numpy", "builtins")
"""Packages for which the digest contains the version instead of the source."""


class Snapshot:
    """The state of a model at the time of creation.

    Args:
        root: the model.

    Attributes:
        digest: a string that is equal in another process if, and only if, the model there compiles to the same graph,
            regardless of the weights' values. None if the model contains an object that cannot be described.
        numbers: the numbers that a graph of the model reads at each run.
    """

    def __init__(self, root: nn.Cell) -> None:
        self._fields: list[tuple[dict, bool, int, tuple[tuple[Any, Any], ...]]] = []
        self._sequences: list[tuple[Any, tuple]] = []
        self._sets: list[tuple[set, frozenset]] = []
        self._tensors: list[tuple[ms.Tensor, int]] = []
        self._arrays: list[tuple[np.ndarray, bytes]] = []
        self._met: dict[int, tuple[int, Any]] = {}
        self._words: list[str] = []
        self._sources: set[str] = set()
        self._described = True
        self.numbers: list[Numbers] = []
        self._note(root)
        self.digest = self._digest()
        del self._words, self._sources

    def holds(self) -> bool:
        """Return whether the model has not changed since."""
        for fields, of_cell, length, noted in self._fields:
            if len(fields) != length and (not of_cell or len(_own(fields)) != len(noted)):
                return False
            for key, old in noted:
                new = fields.get(key, _MISSING)
                if new is not old and not _same(new, old):
                    return False
        for sequence, old_items in self._sequences:
            if len(sequence) != len(old_items):
                return False
            for new, old in zip(sequence, old_items, strict=True):
                if new is not old and not _same(new, old):
                    return False
        return (
            all(items == old for items, old in self._sets)
            and self.same_memory()
            and all(array.tobytes() == old for array, old in self._arrays)
        )

    def same_memory(self) -> bool:
        """Return whether every tensor still has the same address. A tensor that moved never returns to it."""
        return all(tensor.data_ptr() == address for tensor, address in self._tensors)

    def covers(self, other: Snapshot) -> bool:
        """Return whether this snapshot contains every tensor of another one."""
        own = {id(tensor) for tensor, _ in self._tensors}
        return all(id(tensor) in own for tensor, _ in other._tensors)

    def _note(self, value: Any) -> None:
        if value is _ANYTHING:
            return
        if isinstance(value, Numbers):
            self._words.append(value.description)
            return
        if isinstance(value, _ATOMS):
            self._words.append(repr(value))
            return
        seen = self._met.get(id(value))
        if seen is not None:
            self._words.append(f"#{seen[0]}")
            return
        self._met[id(value)] = (len(self._met), value)  # a reference, so that no other object gets this id
        self._words.append(_name_of_type(value))
        for kind, note in self._KINDS:
            if isinstance(value, kind):
                note(self, value)
                return
        self._other(value)

    def _cell(self, cell: nn.Cell) -> None:
        self._sources.add(type(cell).__module__)
        numbers = numbers_of(cell, f"mindone_tcd_numbers_{len(self.numbers)}")
        if numbers is not None:
            self.numbers.append(numbers)
        self._mapping(vars(cell), of=cell, numbers=numbers)

    def _mapping(self, fields: dict, of: nn.Cell | None = None, numbers: Numbers | None = None) -> None:
        noted = tuple(fields.items())
        if of is not None:
            noted = tuple((key, _noted(of, key, value, numbers)) for key, value in _own(fields).items())
        self._fields.append((fields, of is not None, len(fields), noted))
        for key, value in noted:
            if not isinstance(key, _ATOMS):
                self._described = False
            self._words.append(f"{key!r}=")
            self._note(sorted(value) if key in _UNORDERED else value)
        self._words.append("}")

    def _sequence(self, sequence: Any) -> None:
        items = tuple(sequence)
        if isinstance(sequence, list):
            self._sequences.append((sequence, items))
        for item in items:
            self._note(item)
        self._words.append("]")

    def _set(self, items: set) -> None:
        self._sets.append((items, frozenset(items)))
        self._words.append(repr(sorted(map(repr, items))))
        self._described &= all(isinstance(item, _ATOMS) for item in items)

    def _tensor(self, tensor: ms.Tensor) -> None:
        self._tensors.append((tensor, tensor.data_ptr()))
        self._words.append(f"{tensor.shape} {tensor.dtype}")
        if isinstance(tensor, ms.Parameter):
            self._words.append(f"{tensor.name} {tensor.requires_grad}")
        else:
            values = tensor.astype(ms.float32) if tensor.dtype == ms.bfloat16 else tensor
            self._words.append(hashlib.sha256(values.asnumpy().tobytes()).hexdigest())

    def _array(self, array: np.ndarray) -> None:
        values = array.tobytes()
        self._arrays.append((array, values))
        self._described &= array.dtype != object
        self._words.append(f"{array.shape} {array.dtype} {hashlib.sha256(values).hexdigest()}")

    def _named(self, thing: Any) -> None:
        name = getattr(thing, "__qualname__", thing.__name__)
        self._words.append(f"{getattr(thing, '__module__', None)}.{name}")
        self._described &= "<" not in name
        if isinstance(thing, types.FunctionType | type):
            self._sources.add(thing.__module__)

    def _method(self, method: types.MethodType) -> None:
        self._note(method.__func__)
        self._note(method.__self__)

    def _primitive(self, primitive: ms.ops.Primitive) -> None:
        self._words.append(primitive.name)
        self._mapping(vars(primitive))

    def _other(self, thing: Any) -> None:
        fields = getattr(thing, "__dict__", None)
        if not isinstance(fields, dict):
            self._described = False
            return
        self._sources.add(type(thing).__module__)
        self._mapping(fields)
        # The description does not cover slots and C state.
        self._described &= not any(vars(cls).get("__slots__") for cls in type(thing).__mro__)

    _KINDS: tuple[tuple[Any, Callable], ...] = (
        (nn.Cell, _cell),
        (ms.Tensor, _tensor),
        (dict, _mapping),
        (list | tuple, _sequence),
        (set | frozenset, _set),
        (np.ndarray, _array),
        (_BY_NAME, _named),
        (types.MethodType, _method),
        (ms.ops.Primitive, _primitive),
    )

    def _digest(self) -> str | None:
        if not self._described:
            return None
        text = hashlib.sha256("\n".join(self._words).encode())
        for module in sorted(self._sources):
            if module.partition(".")[0] in _VERSIONED:
                continue
            file = getattr(sys.modules.get(module), "__file__", None)
            if file is None or not Path(file).is_file():
                return None
            text.update(Path(file).read_bytes())
        return text.hexdigest()


def _noted(cell: nn.Cell, key: str, value: Any, numbers: Numbers | None) -> Any:
    if numbers is not None and key == numbers.attribute:
        return numbers
    return _ANYTHING if is_bookkeeping(cell, key) else value


def _own(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in _BOOKKEEPING}


def _same(new: Any, old: Any) -> bool:
    """Return whether two distinct objects are equal atoms, or lists or dictionaries of equal atoms."""
    if old is _ANYTHING:
        return True
    if isinstance(old, Numbers):
        return old.fit(new)
    if type(new) is not type(old):
        return False
    if isinstance(old, _ATOMS):
        return new == old or (new != new and old != old)
    if isinstance(old, list | tuple):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(old, dict):
        return list(new) == list(old) and all(map(_same, new.values(), old.values()))
    return False


def _name_of_type(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
