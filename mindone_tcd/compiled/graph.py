"""One way of calling a part of a pipeline, compiled.

A call is turned into the source of a small cell that takes nothing but tensors, with everything else written into it as
constants. MindSpore knows a graph by the cell in which it begins, so a new cell is all it takes to compile anew.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
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
from ..patching.rewrite import function_from
from ..schedulers.affine import affine_step  # noqa: F401 - the compiled calls use it
from . import graph_cache
from .numbers import Numbers, as_parameters
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
        snapshot: what the part is like; its digest names the file of the graph, and it says which numbers are read at
            each run.
    """

    def __init__(self, part: nn.Cell, parameters: Sequence[str], body: str, jit_level: str, snapshot: Snapshot) -> None:
        source = f"def construct(self, {', '.join(parameters)}):\n{body}\n"
        self._numbers = snapshot.numbers
        self._cell = _cell_class(source)(part, self._numbers)
        self._jitted = ms.jit(self._cell.construct, jit_level=jit_level)
        self._run = self._with_parameters
        self._name_parts = None if snapshot.digest is None else (snapshot.digest, source, jit_level)
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

    def _with_parameters(self, *tensors: ms.Tensor) -> Any:
        # At each run, because MindSpore may compile anew by itself, as after a hook is registered.
        with as_parameters(self._numbers):
            return self._jitted(*tensors)

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
        """Let go of what MindSpore keeps of the graph; see `give_back`."""
        if self._phases:
            api.JitExecutor_.get_instance().del_net_res(None, self._phases)
            api.ms_compile_cache.difference_update(self._phases)
            self._phases = set()


@cache
def _cell_class(source: str) -> type[nn.Cell]:
    construct = function_from(source, "construct", globals(), "compiled call")
    return type("CompiledCall", (_Call,), {"construct": construct, "__module__": __name__})


class _Call(nn.Cell):
    def __init__(self, part: nn.Cell, every: Sequence[Numbers] = ()) -> None:
        super().__init__(auto_prefix=False)
        self.part = part
        for numbers in every:  # a graph that is read from a file finds its parameters here, by name
            for parameter in numbers.parameters.values():
                self.insert_param_to_cell(parameter.name, parameter)


class Part:
    """A cell of a pipeline whose calls run as graphs; it stands in the place of the cell's ``construct``.

    What cannot be a graph runs as before: training, and arguments that are more than tensors and plain values.

    Attributes:
        cell: the cell.
        capture: while it is a list, a call is not computed but noted in it, and gives back its first argument.
    """

    MOST_GRAPHS = 8
    """How many sizes and ways of calling are kept for a part; the ones unused for longest go first."""

    MOST_STATES = 4
    """How many states of the cell have graphs, such as with a LoRA fused and not; the ones unused for longest go."""

    def __init__(self, cell: nn.Cell, jit_level: str) -> None:
        self.cell, self.jit_level = cell, jit_level
        self.capture: list[tuple[tuple, dict]] | None = None
        self.compiled = 0
        self._graphs: dict[tuple[Snapshot, str, tuple], Graph] = {}
        self._snapshots: list[Snapshot] = []  # of the states that have graphs, the one used last at the end
        self._now: Snapshot | None = None
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
        key = (self._state(), body, signature(tensors))
        graph = self._graphs.pop(key, None) or Graph(self.cell, parameters, body, self.jit_level, key[0])
        self._graphs[key] = graph
        if len(self._graphs) > self.MOST_GRAPHS:
            self._drop([next(iter(self._graphs))])
        self.compiled += not graph.ready
        with self._bare():
            return graph(tensors)

    def refresh(self) -> None:
        """Choose the graphs that were compiled from the cell as it is now; drop those that none will fit again."""
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
            give_back()

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
        self._now = None
        self._keep([])

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


def give_back() -> None:
    """Return the memory of dropped graphs to the system, as far as MindSpore has let go of it.

    Otherwise the C library keeps it for the process. What MindSpore itself holds on to stays until the process ends.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def call_text(args: Sequence[Any], kwargs: Mapping[str, Any], tensors: list[ms.Tensor]) -> str:
    """The arguments of a call as source text; see `written`."""
    words = [written(value, tensors) for value in args]
    words += [f"{name}={written(value, tensors)}" for name, value in kwargs.items()]
    return ", ".join(words)


def _differentiating() -> bool:
    return api._pynative_executor.requires_grad()
