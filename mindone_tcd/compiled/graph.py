"""Compile one way of calling a component of a pipeline.

The call becomes the source of a small cell whose only inputs are tensors. Everything else is a constant in the source.
MindSpore identifies a graph by its root cell, so a new cell is sufficient to compile again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import mindspore as ms
import numpy as np
from mindspore import (
    mint,  # noqa: F401 - the compiled calls use it
    nn,
)
from mindspore.common import api

from ..cpu.runtime import return_memory
from ..errors import first_line, warn_user
from ..patching.rewrite import function_from
from ..schedulers.affine import affine_step  # noqa: F401 - the compiled calls use it
from . import graph_cache
from .numbers import Numbers, as_parameters
from .snapshot import Snapshot


class NotForGraphs(TypeError):
    """An argument type that a compiled graph cannot have."""


def source_text(value: Any, tensors: list[ms.Tensor]) -> str:
    """Return the source text of an argument. Its tensors are appended to ``tensors`` and named x0, x1 and so on.

    Raises:
        NotForGraphs: if the argument is not a tensor, number, string or None, or a tuple, list or dictionary of these.
    """
    if isinstance(value, ms.Tensor):
        tensors.append(value)
        return f"x{len(tensors) - 1}"
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and np.isfinite(value)):
        return repr(value)
    if isinstance(value, list | tuple):
        inner = "".join(f"{source_text(item, tensors)}, " for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return "{" + ", ".join(f"{key!r}: {source_text(item, tensors)}" for key, item in value.items()) + "}"
    raise NotForGraphs(f"a graph cannot have an argument of type {type(value).__name__}")


def signature(tensors: Sequence[ms.Tensor]) -> tuple:
    """Return the shapes and dtypes of tensors. A graph is compiled for one signature."""
    return tuple((tensor.shape, str(tensor.dtype)) for tensor in tensors)


class Graph:
    """One compiled call.

    Args:
        part: the cell that is called.
        parameters: names of the call's tensor arguments, in order.
        body: statements that call ``self.part`` and return, indented by four spaces.
        jit_level: MindSpore's optimization level, ``O0``, ``O1`` or ``O2``.
        snapshot: the state of the part. Its digest is part of the name of the graph's file, and it lists the numbers
            that the graph reads at each run.
    """

    def __init__(self, part: nn.Cell, parameters: Sequence[str], body: str, jit_level: str, snapshot: Snapshot) -> None:
        source = f"def construct(self, {', '.join(parameters)}):\n{body}\n"
        self._numbers = snapshot.numbers
        self._cell = call_cell(part, source, self._numbers)
        self._jitted = ms.jit(self._cell.construct, jit_level=jit_level)
        self._run = self._with_parameters
        self._name_parts = None if snapshot.digest is None else (snapshot.digest, source, jit_level)
        self._phases: set[str] = set()
        self.ready = False

    def __call__(self, tensors: Sequence[ms.Tensor]) -> Any:
        """Run the call. The first run compiles it. If MindSpore cannot compile it, it runs eagerly, with a warning."""
        if self.ready:
            return self._run(*tensors)
        try:
            result = self._compile(tensors)
        except Exception as error:
            result = self._cell.construct(*tensors)  # reports wrong arguments with a clearer error
            warn_user(
                f"a {type(self._cell.part).__name__} runs without a graph (slower): MindSpore cannot compile this call "
                f"({first_line(error)})",
            )
            self._run = self._cell.construct
        self.ready = True
        return result

    def _with_parameters(self, *tensors: ms.Tensor) -> Any:
        # Needed at each run, because MindSpore may recompile on its own, for example after a hook is registered.
        with as_parameters(self._numbers):
            return self._jitted(*tensors)

    def _compile(self, tensors: Sequence[ms.Tensor]) -> Any:
        name = None
        if self._name_parts is not None:
            name = graph_cache.name_of(*self._name_parts, repr(signature(tensors)))
        before = set(api.ms_compile_cache)
        try:
            with graph_cache.cached(name):
                return self._run(*tensors)
        finally:
            self._phases = set(api.ms_compile_cache) - before

    def drop(self) -> None:
        """Delete MindSpore's compiled graph. Its memory is returned by `release_memory`."""
        if self._phases:
            api.JitExecutor_.get_instance().del_net_res(None, self._phases)
            api.ms_compile_cache.difference_update(self._phases)
            self._phases = set()


def call_cell(part: nn.Cell, source: str, numbers: Sequence[Numbers] = ()) -> nn.Cell:
    """Return a cell whose ``construct`` is a source text that calls ``self.part``.

    Args:
        part: the cell that is called.
        source: the definition of ``construct(self, …)``.
        numbers: the numbers that a graph of the cell reads at each run.
    """
    return _cell_class(source)(part, numbers)


@cache
def _cell_class(source: str) -> type[nn.Cell]:
    construct = function_from(source, "construct", globals(), "compiled call")
    return type("CompiledCall", (_Call,), {"construct": construct, "__module__": __name__})


class _Call(nn.Cell):
    def __init__(self, part: nn.Cell, every: Sequence[Numbers] = ()) -> None:
        super().__init__(auto_prefix=False)
        self.part = part
        for numbers in every:  # a graph that is read from a file resolves its parameters here, by name
            for parameter in numbers.parameters.values():
                self.insert_param_to_cell(parameter.name, parameter)


class Part:
    """A cell of a pipeline whose calls run as graphs. It replaces the cell's ``construct``.

    Some calls run eagerly: training, and calls with arguments other than tensors and plain values.

    Attributes:
        cell: the cell.
        capture: if it is a list, a call is not computed. Instead, its arguments are appended to the list, and it
            returns its first argument.
    """

    MOST_GRAPHS = 8
    """Maximum number of graphs per part, one per input size and way of calling. The least recently used are dropped."""

    MOST_STATES = 4
    """Maximum number of cell states with graphs, such as with and without a fused LoRA. The oldest are dropped."""

    def __init__(self, cell: nn.Cell, jit_level: str) -> None:
        self.cell, self.jit_level = cell, jit_level
        self.capture: list[tuple[tuple, dict]] | None = None
        self.compiled = 0
        self._graphs: dict[tuple[Snapshot, str, tuple], Graph] = {}
        self._snapshots: list[Snapshot] = []  # of the states that have graphs, most recently used last
        self._now: Snapshot | None = None
        self._checks: Literal["always", "once", "no more"] = "always"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.capture is not None:
            self.capture.append((args, kwargs))
            return (args[0],)
        if self.cell.training or _differentiating():
            return self.eager(*args, **kwargs)
        tensors: list[ms.Tensor] = []
        try:
            text = call_text(args, kwargs, tensors)
        except NotForGraphs:
            return self.eager(*args, **kwargs)
        return self.run([f"x{k}" for k in range(len(tensors))], f"    return self.part({text})", tensors)

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Run the call without a graph."""
        return type(self.cell).construct(self.cell, *args, **kwargs)

    def run(self, parameters: Sequence[str], body: str, tensors: Sequence[ms.Tensor]) -> Any:
        """Run statements that call ``self.part``, with a graph that matches the current state of the cell.

        Args:
            parameters: names of the statements' tensor inputs.
            body: statements, indented by four spaces.
            tensors: the values of the parameters.
        """
        if self._checks != "no more":
            self.refresh()
            self._checks = "no more" if self._checks == "once" else self._checks
        key = (self._state(), body, signature(tensors))
        graph = self._graphs.pop(key, None) or Graph(self.cell, parameters, body, self.jit_level, key[0])
        self._graphs[key] = graph
        if len(self._graphs) > self.MOST_GRAPHS:
            self._drop([next(iter(self._graphs))])
        self.compiled += not graph.ready
        with self._original_construct():
            return graph(tensors)

    def refresh(self) -> None:
        """Select the graphs compiled from the cell's current state, and drop graphs that can never match again."""
        if self._now is None or not self._now.holds():
            self._keep([snapshot for snapshot in self._snapshots if snapshot.same_memory()])
            self._now = next((snapshot for snapshot in reversed(self._snapshots) if snapshot.holds()), None)
        if self._now is not None:
            for numbers in self._now.numbers:
                numbers.assign()

    def _state(self) -> Snapshot:
        if self._now is None:
            self._now = Snapshot(self.cell)
            self._snapshots = [snapshot for snapshot in self._snapshots if self._now.covers(snapshot)]
        else:
            self._snapshots.remove(self._now)
        self._keep([*self._snapshots[-self.MOST_STATES + 1 :], self._now])
        return self._now

    def _keep(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots
        self._drop([key for key in self._graphs if key[0] not in snapshots])

    def _drop(self, keys: Sequence[tuple]) -> None:
        for key in keys:
            self._graphs.pop(key).drop()
        if keys:
            release_memory()

    @contextmanager
    def checked_once(self) -> Iterator[None]:
        """Check the cell's state only before the first call in this context, where nothing else may change the cell."""
        self._checks = "once"
        try:
            yield
        finally:
            self._checks = "always"

    def clear(self) -> None:
        """Drop all graphs."""
        self._now = None
        self._keep([])

    def install(self) -> None:
        """Replace the cell's ``construct`` with this object."""
        object.__setattr__(self.cell, "construct", self)

    def remove(self) -> None:
        """Drop all graphs and restore the cell's ``construct``."""
        self.clear()
        vars(self.cell).pop("construct", None)

    @contextmanager
    def _original_construct(self) -> Iterator[None]:
        """Restore the cell's own ``construct`` within this context, so that it can be compiled or run."""
        del vars(self.cell)["construct"]
        try:
            yield
        finally:
            self.install()


def release_memory() -> None:
    """Return the memory of dropped graphs to the system, as far as MindSpore has freed it.

    Memory that MindSpore itself keeps stays allocated until the process ends.
    """
    gc.collect()
    return_memory()


def call_text(args: Sequence[Any], kwargs: Mapping[str, Any], tensors: list[ms.Tensor]) -> str:
    """Return the arguments of a call as source text; see `source_text`."""
    arguments = [source_text(value, tensors) for value in args]
    arguments += [f"{name}={source_text(value, tensors)}" for name, value in kwargs.items()]
    return ", ".join(arguments)


def _differentiating() -> bool:
    return api._pynative_executor.requires_grad()
