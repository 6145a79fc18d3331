"""Apply changes to a pipeline's adapters completely or not at all.

:func:`transaction` records the state of a pipeline's UNet and text encoders and restores it after any exception:
cells, attention processors, parameters with their names, configurations, scales and LoRA records. The state consists
of references, not copies: when a parameter gets new data, the old data stays in memory. Code that writes into a
parameter's memory calls :func:`keep` first, which copies that one parameter.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .concurrency import one_at_a_time

if TYPE_CHECKING:
    import mindspore as ms
    from mindone.diffusers import DiffusionPipeline

_ATOMS = (type(None), bool, int, float, str, bytes)
_CHILDREN = ("_cells", "_params", "_buffers", "_params_list")
"""The attributes in which a Cell stores its children."""


@contextmanager
def transaction(owner: DiffusionPipeline | ms.nn.Cell) -> Iterator[None]:
    """Restore the owner's adapters if the body raises any exception, including KeyboardInterrupt.

    Other threads wait until the body ends. Within an open transaction on the same pipeline or model, this transaction
    does nothing, because the outer one restores an earlier state.

    Args:
        owner: a pipeline, of which the attributes, the UNet and the text encoders are recorded; or a single model.
    """
    with one_at_a_time:
        outer = _open.get()
        if any(state.covers(owner) for state in outer):
            yield
            return
        state = _State(owner)
        token = _open.set((*outer, state))
        try:
            yield
            state.finish()
        except BaseException:
            state.restore()
            raise
        finally:
            _open.reset(token)


class _Undo(Exception):
    """Ends a transaction whose changes are not wanted."""


@contextmanager
def temporary_changes(owner: DiffusionPipeline | ms.nn.Cell) -> Iterator[None]:
    """Restore the owner's adapters at the end of the body, also if it raises nothing; see :func:`transaction`."""
    with suppress(_Undo), transaction(owner):
        yield
        raise _Undo


def keep(parameter: ms.Parameter) -> None:
    """Copy a parameter before its memory is overwritten, once in each open transaction that recorded it.

    Args:
        parameter: a parameter of any shape and dtype.
    """
    for state in _open.get():
        state.keep(parameter)


def all_or_nothing(method: Callable) -> Callable:
    """Wrap a method of a pipeline or model so that it runs in a transaction."""

    @functools.wraps(method)
    def operation(self: Any, *args: Any, **options: Any) -> Any:
        with transaction(self):
            return method(self, *args, **options)

    return operation


class _State:
    """The recorded state of an owner at the time of creation."""

    def __init__(self, owner: Any) -> None:
        self._met: dict[int, Any] = {}  # references, so that no id is reused
        self._mappings: list[tuple[dict, dict]] = []
        self._lists: list[tuple[list, list]] = []
        self._sets: list[tuple[set, set]] = []
        self._parameters: list[tuple[Any, str, bool]] = []
        self._tensors: list[tuple[Any, Any]] = []
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._record_all(owner)

    def covers(self, owner: Any) -> bool:
        return id(owner) in self._met

    def keep(self, parameter: Any) -> None:
        if id(parameter) in self._met and id(parameter) not in self._copies:
            self._copies[id(parameter)] = (parameter, parameter.value().copy())

    def finish(self) -> None:
        """Wait for pending operations, so that their errors occur while the copies exist."""
        if self._copies:
            from mindspore.common.api import _pynative_executor

            _pynative_executor.sync()

    def restore(self) -> None:
        while True:
            try:
                self._restore()
                return
            except KeyboardInterrupt:  # an interrupted restore can run again
                continue

    # ----- recording --------------------------------------------------------------------------------------------------

    def _record_all(self, owner: Any) -> None:
        from mindspore import Parameter, Tensor, nn

        self._types = Parameter, Tensor, nn.Cell
        self._of_every_cell = frozenset(vars(nn.Cell()))
        if isinstance(owner, nn.Cell):
            self._record(owner)
            return
        self._met[id(owner)] = owner
        self._mappings.append((vars(owner), dict(vars(owner))))
        self._record(getattr(owner, "_internal_dict", None))
        names = (getattr(owner, "unet_name", "unet"), *getattr(owner, "_lora_loadable_modules", ()))
        for name in names:
            self._record(getattr(owner, name, None))

    def _record(self, value: Any) -> None:
        if isinstance(value, _ATOMS) or id(value) in self._met:
            return
        parameter, tensor, cell = self._types
        self._met[id(value)] = value
        if isinstance(value, parameter):
            self._parameters.append((value, value.name, value.requires_grad))
            if not value.has_init:
                self._tensors.append((value, tensor(value)))
        elif isinstance(value, tensor):
            self._tensors.append((value, tensor(value)))
        elif isinstance(value, cell):
            fields = self._record_fields(value)
            for key in (*(fields.keys() - self._of_every_cell), *_CHILDREN):
                self._record(fields.get(key))
        elif isinstance(value, dict):
            self._mappings.append((value, dict(value)))
            if hasattr(value, "__dict__"):
                self._record_fields(value)
            for item in list(value.values()):
                self._record(item)
        elif isinstance(value, (list, tuple)):
            if isinstance(value, list):
                self._lists.append((value, list(value)))
            for item in list(value):
                self._record(item)
        elif isinstance(value, set):
            self._sets.append((value, set(value)))
        elif type(value).__module__.startswith("mindone.") and hasattr(value, "__dict__"):
            for item in list(self._record_fields(value).values()):  # such as a processor or a LoRA configuration
                self._record(item)

    def _record_fields(self, value: Any) -> dict[str, Any]:
        fields = vars(value)
        self._mappings.append((fields, dict(fields)))
        return fields

    # ----- restoring --------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        for mapping, old in self._mappings:
            if not _same(mapping, old):
                # The methods of mindone's configurations do not allow changes.
                kind = OrderedDict if isinstance(mapping, OrderedDict) else dict
                kind.clear(mapping)
                for key, value in old.items():
                    kind.__setitem__(mapping, key, value)
        for items, old_items in self._lists:
            items[:] = old_items
        for members, old_members in self._sets:
            members.clear()
            members |= old_members
        for parameter, name, requires_grad in self._parameters:
            if parameter.name != name:
                parameter.name = name
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad = requires_grad
        for tensor, old_tensor in self._tensors:
            if tensor.dtype != old_tensor.dtype or tensor.data_ptr() != old_tensor.data_ptr():
                tensor.assign_value(old_tensor)
        if self._copies:
            from mindspore import ops

            for parameter, copy in self._copies.values():
                ops.assign(parameter, copy)


def _same(mapping: dict, old: dict) -> bool:
    """Return whether the same objects have the same keys in the same order."""
    return len(mapping) == len(old) and all(
        key == old_key and value is old_value
        for (key, value), (old_key, old_value) in zip(mapping.items(), old.items(), strict=True)
    )


_open: ContextVar[tuple[_State, ...]] = ContextVar("open transactions", default=())
