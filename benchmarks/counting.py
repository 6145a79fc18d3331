"""Count device operations: outermost calls of tensor methods, operators, primitives, and functions of `ops`, `mint`.

A CPU replacement counts as the one function that it replaces.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import mindspore as ms
from mindspore import mint, ops

from mindone_tcd.patching.copies import exchange_copies

CASTS = {"astype", "to", "type", "cast", "float", "half", "int", "long"}
WAITS = {"asnumpy", "item", "tolist", "__bool__", "__int__", "__float__", "__index__"}
HOST = {
    *("dim", "ndimension", "element_size", "numel", "size", "is_contiguous", "contiguous", "from_numpy", "value"),
    *("set_dtype", "data_ptr", "requires_grad_", "register_hook", "init_data", "flush_from_cache", "is_complex"),
    *("Shape", "shape", "is_tensor", "numpy", "ProxyOp", "CompileOp"),
    *("is_floating_point", "is_signed", "stride", "storage_offset", "nelement", "check_initialized", "tensor"),
}
OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
DUNDERS = {f"__{side}{name}__" for name in OPERATORS for side in ("", "r", "i")} | {
    f"__{name}__" for name in ("neg", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge", "getitem", "setitem")
}


_COPIED = ("mindone.", "mindone_tcd.", "mindspore.mint")
"""Modules that imported functions with `from … import`."""


@contextlib.contextmanager
def counted(more: Mapping[str, tuple[object, str]] | None = None) -> Iterator[Counter]:
    """Counts operations inside the block, under the keys `operations`, `casts` and `waits`, and by name.

    Args:
        more: further functions to count, by key: the object that has the function, and its name there. Calls inside
            these functions are not counted.
    """
    counts: Counter = Counter()
    depth = 0
    undo: list[tuple[object, str, object, bool]] = []

    def wrap(function: Callable, name: str, kind: str | None = None) -> Callable:
        kind = kind or ("casts" if name in CASTS else "waits" if name in WAITS else "operations")

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            nonlocal depth
            if depth == 0 or kind == "waits":
                counts[kind] += 1
                counts[f"{kind}: {name}"] += 1
            depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                depth -= 1

        return wrapper

    for name in dir(ms.Tensor):
        method = getattr(ms.Tensor, name)
        public = not name.startswith("_") and name not in HOST and not isinstance(method, property | type)
        if (
            callable(method)
            and (public or name in DUNDERS | WAITS)
            and not isinstance(method, types.GetSetDescriptorType)
        ):
            undo.append((ms.Tensor, name, vars(ms.Tensor).get(name), name in vars(ms.Tensor)))
            setattr(ms.Tensor, name, wrap(method, name))
    for module in (ops, mint, mint.nn.functional):
        for name, function in list(vars(module).items()):
            plain = isinstance(function, types.FunctionType | types.BuiltinFunctionType)
            if plain and not name.startswith("_") and name not in HOST:
                undo.append((module, name, function, True))
                setattr(module, name, wrap(function, name))
    for primitive in _with_subclasses(ops.Primitive):
        if "__call__" in vars(primitive) and primitive.__name__ not in HOST:
            undo.append((primitive, "__call__", vars(primitive)["__call__"], True))
            primitive.__call__ = wrap(vars(primitive)["__call__"], primitive.__name__)
    for kind, (owner, name) in (more or {}).items():
        undo.append((owner, name, getattr(owner, name), True))
        setattr(owner, name, wrap(getattr(owner, name), name, kind))
    exchange_copies([(name, original, getattr(owner, name)) for owner, name, original, own in undo if own], _COPIED)
    try:
        yield counts
    finally:
        exchange_copies([(name, getattr(owner, name), original) for owner, name, original, own in undo if own], _COPIED)
        for owner, name, original, own in reversed(undo):
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)


def _with_subclasses(cls: type) -> set[type]:
    return {cls}.union(*map(_with_subclasses, cls.__subclasses__()))
