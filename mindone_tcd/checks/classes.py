"""Checks in mindone's loaders: they import and run no code from a model's folder, and they unpickle nothing.

``allowed_classes`` defines the classes that a file may name. Local folders are checked before mindone is called. Files
from the hub are checked where mindone reads a configuration, where it looks up a class, and where it would run code.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files.allowed_classes import check_class, check_config, check_index
from ..files.model_folder import INDEX, check_classes, check_configs
from ..files.model_parts import check_model
from ..files.safetensors import read_header

if TYPE_CHECKING:
    from mindone.diffusers.configuration_utils import ConfigMixin

_loading: ContextVar[bool] = ContextVar("loading", default=False)
"""Whether a checked class is loading a model. While it is, transformers must not run code from a folder."""

_NEVER = {
    "custom_pipeline": "only pipeline classes of mindone.diffusers are allowed",
    "trust_remote_code": "code that comes with a model never runs",
    "dduf_file": "mindone cannot read DDUF files: unpack the file, and pass the folder",
}


def check_call(cls: type, source: Any, options: dict[str, Any]) -> None:
    """Refuse options that would load code or pickles, and a local folder whose files name a class that is not allowed.

    Args:
        cls: the class whose ``from_pretrained`` is called.
        source: the folder or hub id.
        options: the keyword arguments of the call.

    Raises:
        UsageError: if an option or a class is not allowed; the message names the option, or the file and its entry.
    """
    for option, reason in _NEVER.items():
        if options.get(option):
            raise UsageError(f"{cls.__name__}.from_pretrained does not accept {option}; leave it out: {reason}")
    if options.get("use_safetensors") is False:
        raise UsageError("use_safetensors=False requests a pickle; only safetensors are loaded: leave it out")
    folder = Path(str(source)).expanduser()
    if getattr(cls, "config_name", None) == INDEX:
        if (folder / INDEX).is_file():
            check_classes(folder, any_pipeline=_is_for_any(cls))
    elif (folder / (options.get("subfolder") or "")).is_dir():
        check_configs(folder / (options.get("subfolder") or ""), _library(cls))


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Keep transformers from running code that a file names, as long as the context is open."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)


def only_safetensors(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call with ``use_safetensors=True``, so that mindone does not fall back to other files."""
    return {**options, "use_safetensors": True}


def _is_for_any(cls: type) -> bool:
    return cls.__name__ == "DiffusionPipeline"


def _library(cls: type) -> str | None:
    """Return the package in mindone.diffusers.pipelines that defines the class, by its name in an index, or None."""
    package, _, name = cls.__module__.rpartition(".")[0].rpartition(".")
    return name if package == "mindone.diffusers.pipelines" else None


def checking_from_pretrained(original: classmethod) -> classmethod:
    """Wrap a ``from_pretrained`` that has no other checks: run :func:`check_call`, and load only safetensors."""
    function = original.__func__
    name = list(inspect.signature(function).parameters)[1]

    @functools.wraps(function)
    def from_pretrained(cls: type, *args: Any, **options: Any) -> Any:
        check_call(cls, args[0] if args else options.get(name), options)
        with loading():
            return function(cls, *args, **only_safetensors(options))

    return classmethod(from_pretrained)


def checking_configs(original: classmethod) -> classmethod:
    """Wrap the function that reads each configuration of mindone.diffusers, from a folder or the hub.

    The wrapper raises a UsageError if the file names a class that is not allowed, or if it is not a JSON object.
    """

    def _dict_from_json_file(cls: type[ConfigMixin], json_file: Any) -> Any:
        config, path = original.__func__(cls, json_file), Path(json_file)
        if not isinstance(config, dict):
            raise UsageError(
                f"{path} must contain a JSON object, not a {type(config).__name__}; fetch or save it again"
            )
        if INDEX in (path.name, cls.config_name):
            check_index(path, config, any_pipeline=_is_for_any(cls))
        else:
            check_config(path, config, _library(cls))
        return config

    return classmethod(_dict_from_json_file)


def checking_component_class(original: Callable) -> Callable:
    """Wrap the lookup of a component's class.

    The wrapper raises a UsageError if the class, or a class that the component's configurations name, is not allowed.
    """

    @functools.wraps(original)
    def get_class_obj_and_candidates(
        library_name: Any,
        class_name: Any,
        importable_classes: Any,
        pipelines: Any,
        is_pipeline_module: bool,
        component_name: str | None = None,
        cache_dir: Any = None,
    ) -> Any:
        where = f"{Path(cache_dir) / INDEX}: {component_name}" if component_name and cache_dir else "the class"
        check_class(library_name, class_name, where)
        if component_name and cache_dir:
            part = Path(cache_dir) / component_name
            check_configs(part if part.is_dir() else Path(cache_dir), library_name)
        # mindone would search cache_dir for a Python file with the library's name, so the call leaves cache_dir out.
        return original(library_name, class_name, importable_classes, pipelines, is_pipeline_module)

    return get_class_obj_and_candidates


def checking_class(original: Callable) -> Callable:
    """Wrap a lookup of a class by library and name: raise a UsageError if the class is not allowed."""

    @functools.wraps(original)
    def find(library_name: Any, class_name: Any, *args: Any, **options: Any) -> Any:
        check_class(library_name, class_name, "the class")
        return original(library_name, class_name, *args, **options)

    return find


def without_custom_pipelines(original: Callable) -> Callable:
    """Replace the search for a pipeline's Python file by a function that finds none."""

    @functools.wraps(original)
    def _resolve_custom_pipeline_and_cls(folder: Any, config: Any, custom_pipeline: Any) -> tuple[None, None]:
        return None, None  # otherwise, mindone would run a file None.py in the folder as the pipeline

    return _resolve_custom_pipeline_and_cls


def without_inpainting_warning(original: Callable) -> Callable:
    """Replace the function by one that does nothing: mindone's would import diffusers and torch only for a warning."""

    @functools.wraps(original)
    def _maybe_raise_warning_for_inpainting(*args: Any, **options: Any) -> None:
        pass

    return _maybe_raise_warning_for_inpainting


def checking_weights(original: Callable) -> Callable:
    """Wrap the functions that find the weights of a model: check a model from the hub before it is built.

    Its files are known only after these functions have fetched them.
    """

    @functools.wraps(original)
    def find(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        files = found[0] if isinstance(found, tuple) else found
        weights = [Path(file) for file in ([files] if isinstance(files, str) else files or [])]
        source = args[0] if args else options.get("pretrained_model_name_or_path")
        fetched = bool(weights) and not Path(str(source)).is_dir()
        # mindone also calls this function for a LoRA or an embedding, whose folder contains no configuration.
        of_a_model = fetched and (weights[0].parent / "config.json").is_file()
        if of_a_model and all(file.suffix == ".safetensors" for file in weights):
            check_model(weights[0].parent, map(read_header, weights))
        return found

    return find


def refusing_code(original: Callable) -> Callable:
    """Replace a function that loads code from a model by one that raises a UsageError."""

    @functools.wraps(original)
    def refuse(*args: Any, **options: Any) -> None:
        named = ", ".join(str(arg) for arg in args[:2])
        raise UsageError(
            f"{named} is code that comes with a model, and such code never runs; load a model without code"
        )

    return refuse


def refusing_code_while_loading(original: Callable) -> Callable:
    """Wrap a function of transformers that loads code: raise a UsageError if a checked class is loading a model."""
    refuse = refusing_code(original)

    @functools.wraps(original)
    def run_or_refuse(*args: Any, **options: Any) -> Any:
        return (refuse if _loading.get() else original)(*args, **options)

    return run_or_refuse


def only_safetensors_while_loading(original: Callable) -> Callable:
    """Wrap ``load_state_dict``: while a checked class loads a model, raise a UsageError for other files."""

    @functools.wraps(original)
    def load_state_dict(checkpoint_file: Any, *args: Any, **options: Any) -> Any:
        if _loading.get() and not isinstance(checkpoint_file, dict) and Path(checkpoint_file).suffix != ".safetensors":
            raise UsageError(
                f"{checkpoint_file} is not a .safetensors file; only safetensors are loaded: fetch or save the model "
                "with safetensors"
            )
        return original(checkpoint_file, *args, **options)

    return load_state_dict
