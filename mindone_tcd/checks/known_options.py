"""Reject unknown options of ``from_pretrained``, which mindone ignores with only a log message.

The known options come from mindone itself: the names that its functions read from their keyword arguments, and the
arguments of the class to build. If they cannot be determined, no option is rejected.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files.json_object import read_json

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline, ModelMixin
    from mindone.transformers import PreTrainedModel

_READ_OPTION = re.compile(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']""")
_INSTEAD = {"torch_dtype": "mindspore_dtype", "dtype": "mindspore_dtype"}


def check_pipeline(cls: type[DiffusionPipeline], original: Callable, source: Any, options: Iterable[str]) -> None:
    """Reject the options that a pipeline would ignore. Component names are known options.

    Args:
        cls: the class whose ``from_pretrained`` is called.
        original: mindone's ``from_pretrained``.
        source: the folder or hub id. If ``cls`` is a generic class, its index names the class to build.
        options: the names of the options.

    Raises:
        UsageError: if an option is unknown; the message names the first one and the closest known one.
    """
    from mindone import diffusers

    target: Any = cls
    if cls is diffusers.DiffusionPipeline:
        index = Path(str(source)).expanduser() / "model_index.json"
        target = getattr(diffusers, str(read_json(index).get("_class_name")), None) if index.is_file() else None
    own = _option_names(original)
    # Without the class (a hub id), or if the call also loads connected pipelines, the components are not known.
    if not own or getattr(target, "_load_connected_pipes", False):
        return
    if target is None:
        options = [option for option in options if option in _INSTEAD]
    else:
        own |= _option_names(cls.load_config) | _option_names(cls.download) | _arguments(target)
    _refuse_unknown(cls, options, own)


def check_model(cls: type[ModelMixin], original: Callable, source: Any, options: Iterable[str]) -> None:
    """Reject the options that a model of mindone.diffusers would ignore.

    Raises:
        UsageError: if an option is unknown; the message names the first one and the closest known one.
    """
    own = _option_names(original)
    if own:
        deprecated = set(getattr(cls, "_deprecated_kwargs", ()))
        _refuse_unknown(cls, options, own | _option_names(cls.load_config) | _arguments(cls) | deprecated)


def check_transformers_model(
    cls: type[PreTrainedModel], original: Callable, source: Any, options: Iterable[str]
) -> None:
    """Reject the options of a model of mindone.transformers that are meant for torch, or misspelled.

    An option that resembles no known option is passed on to the configuration and the model, which report unknown
    options.

    Raises:
        UsageError: if there is such an option; the message names the first one and the intended one.
    """
    own = _option_names(original)
    if not own:
        return
    own |= set(inspect.signature(original).parameters)
    config = cls.config_class()
    suspects = [o for o in options if o == "torch_dtype" or not hasattr(config, o)]
    _refuse_unknown(cls, [o for o in suspects if o in own or _closest(o, own)], own)


def _refuse_unknown(cls: type, options: Iterable[str], known: set[str]) -> None:
    for option in options:
        if option not in known:
            closest = _closest(option, known)
            remedy = f"use {closest}" if closest else "leave it out"
            raise UsageError(f"{cls.__name__}.from_pretrained has no option {option!r} and would ignore it; {remedy}")


def _closest(option: str, known: set[str]) -> str | None:
    near = difflib.get_close_matches(option, sorted(known), n=1, cutoff=0.7)
    return _INSTEAD.get(option) or (near[0] if near else None)


@functools.cache
def _options_read_by(function: Callable) -> frozenset[str]:
    try:
        return frozenset(_READ_OPTION.findall(inspect.getsource(inspect.unwrap(function))))
    except OSError:  # the source is not available
        return frozenset()


def _option_names(function: Callable) -> set[str]:
    """Return the keyword arguments that a function reads by name; empty if they cannot be determined."""
    return set(_options_read_by(getattr(function, "__func__", function)))


def _arguments(cls: type[Any]) -> set[str]:
    return set(inspect.signature(cls.__init__).parameters) - {"self", "args", "kwargs"}
