"""One way of calling a part of a pipeline, compiled.

A call is turned into the source of a small cell that takes nothing but tensors, with everything else written into it as
constants. MindSpore knows a graph by the cell in which it begins, so a new cell is all it takes to compile anew.
"""

from __future__ import annotations

import warnings
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

from ..errors import first_line
from ..made_functions import function_from
from ..schedulers.affine import affine_step  # noqa: F401 - the compiled calls use it
from . import graph_cache
from .snapshot import Snapshot


class NotForGraphs(TypeError):
    """An argument that cannot be handed to a graph."""


def written(value: Any, tensors: list[ms.Tensor]) -> str:
    """The source text of an argument; its tensors are appended to ``tensors`` and named x0, x1 and so on.

    Raises:
        NotForGraphs: for anything but tensors, numbers, texts, None, and tuples, lists and dictionaries of them.
    """
    if isinstance(value, ms.Tensor):
        tensors.append(value)
        return f"x{len(tensors) - 1}"
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and np.isfinite(value)):
        return repr(value)
    if isinstance(value, list | tuple):
        inner = "".join(f"{written(item, tensors)}, " for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return "{" + ", ".join(f"{key!r}: {written(item, tensors)}" for key, item in value.items()) + "}"
    raise NotForGraphs(f"an argument of type {type(value).__name__} cannot be handed to a graph")


def signature(tensors: Sequence[ms.Tensor]) -> tuple:
    """Shapes and dtypes, for which a graph is made."""
    return tuple((tensor.shape, str(tensor.dtype)) for tensor in tensors)


class Graph:
    """A compiled call.

    Args:
        part: the cell that is called.
        parameters: names of the tensors that the call takes, in order.
        body: statements that call ``self.part`` and return, indented by four spaces.
        jit_level: MindSpore's, ``O0``, ``O1`` or ``O2``.
        known: what the part is like, from which a file of the graph is named; None keeps none.
    """

    def __init__(self, part: nn.Cell, parameters: Sequence[str], body: str, jit_level: str, known: str | None) -> None:
        source = f"def construct(self, {', '.join(parameters)}):\n{body}\n"
        self._cell = _cell_class(source)(part)
        self._run = ms.jit(self._cell.construct, jit_level=jit_level)
        self._name_parts = None if known is None else (known, source, jit_level)
        self._phases: set[str] = set()
        self.ready = False

    def __call__(self, tensors: Sequence[ms.Tensor]) -> Any:
        """Run it; the first time compiles. What MindSpore cannot compile runs as before, with a warning."""
        if self.ready:
            return self._run(*tensors)
        try:
            result = self._compile(tensors)
        except Exception as error:
            result = self._cell.construct(*tensors)  # if the arguments are wrong, this says so in a better way
            warnings.warn(
                f"a {type(self._cell.part).__name__} runs without a graph, slower: MindSpore cannot compile this call "
                f"({first_line(error)})",
                stacklevel=2,
            )
            self._run = self._cell.construct
        self.ready = True
        return result

    def _compile(self, tensors: Sequence[ms.Tensor]) -> Any:
        name = None
        if self._name_parts is not None:
            name = graph_cache.name_of(*self._name_parts, repr(signature(tensors)))
        before = set(api.ms_compile_cache)
        try:
            with graph_cache.kept(name):
                return self._run(*tensors)
        finally:
            self._phases = set(api.ms_compile_cache) - before

    def drop(self) -> None:
        """Give the graph's memory back."""
        if self._phases:
            api.JitExecutor_.get_instance().del_net_res(None, self._phases)
            api.ms_compile_cache.difference_update(self._phases)
            self._phases = set()


@cache
def _cell_class(source: str) -> type[nn.Cell]:
    construct = function_from(source, "construct", globals(), "compiled call")
    return type("CompiledCall", (_Call,), {"construct": construct, "__module__": __name__})


class _Call(nn.Cell):
    def __init__(self, part: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.part = part


class Part:
    """A cell of a pipeline whose calls run as graphs; it stands in the place of the cell's ``construct``.

    What cannot be a graph runs as before: training, and arguments that are more than tensors and plain values.

    Attributes:
        cell: the cell.
        capture: while it is a list, a call is not computed but noted in it, and gives back its first argument.
    """

    MOST_GRAPHS = 8
    """How many sizes and ways of calling are kept for a part; the ones unused for longest go first."""

    def __init__(self, cell: nn.Cell, jit_level: str) -> None:
        self.cell, self.jit_level = cell, jit_level
        self.capture: list[tuple[tuple, dict]] | None = None
        self.compiled = 0
        self._graphs: dict[tuple, Graph] = {}
        self._snapshot: Snapshot | None = None
        self._looks: Literal["always", "once", "no more"] = "always"

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
        """The call as it would be without graphs."""
        return type(self.cell).construct(self.cell, *args, **kwargs)

    def run(self, parameters: Sequence[str], body: str, tensors: Sequence[ms.Tensor]) -> Any:
        """Run a body that calls ``self.part``, with a graph that fits the cell as it is now.

        Args:
            parameters: names of the tensors that the body sees.
            body: statements, indented by four spaces.
            tensors: for the parameters.
        """
        if self._looks != "no more":
            self.refresh()
            self._looks = "no more" if self._looks == "once" else self._looks
        key = (body, signature(tensors))
        graph = self._graphs.pop(key, None) or self._new(parameters, body)
        self._graphs[key] = graph
        if len(self._graphs) > self.MOST_GRAPHS:
            self._graphs.pop(next(iter(self._graphs))).drop()
        self.compiled += not graph.ready
        with self._bare():
            return graph(tensors)

    def _new(self, parameters: Sequence[str], body: str) -> Graph:
        self._snapshot = self._snapshot or Snapshot(self.cell)
        return Graph(self.cell, parameters, body, self.jit_level, self._snapshot.digest)

    def refresh(self) -> None:
        """Forget the graphs if the cell is no longer what they were compiled from."""
        if self._snapshot is not None and not self._snapshot.holds():
            self.forget()

    @contextmanager
    def looking_once(self) -> Iterator[None]:
        """Within, nobody but the calls themselves touches the cell: it is looked at before the first one only."""
        self._looks = "once"
        try:
            yield
        finally:
            self._looks = "always"

    def forget(self) -> None:
        """Forget all graphs."""
        for graph in self._graphs.values():
            graph.drop()
        self._graphs.clear()
        self._snapshot = None

    def install(self) -> None:
        """Let the cell's calls come here."""
        object.__setattr__(self.cell, "construct", self)

    def remove(self) -> None:
        """Let the cell's calls be as they were."""
        self.forget()
        vars(self.cell).pop("construct", None)

    @contextmanager
    def _bare(self) -> Iterator[None]:
        """Within, the cell has its own ``construct``, which is what is to be compiled or run."""
        del vars(self.cell)["construct"]
        try:
            yield
        finally:
            self.install()


def call_text(args: Sequence[Any], kwargs: Mapping[str, Any], tensors: list[ms.Tensor]) -> str:
    """The arguments of a call as source text; see `written`."""
    words = [written(value, tensors) for value in args]
    words += [f"{name}={written(value, tensors)}" for name, value in kwargs.items()]
    return ", ".join(words)


def _differentiating() -> bool:
    return api._pynative_executor.requires_grad()
