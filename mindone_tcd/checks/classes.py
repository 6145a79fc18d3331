"""Checks in mindone's loaders: no code of a model's folder is imported or run, and nothing is unpickled.

``allowed_classes`` knows what a file may name. Local folders are checked before mindone is called. What comes from the
hub is checked where mindone reads a configuration, where it looks a class up, and where it would run code.
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
"""Whether a model is being loaded by a class that is checked: transformers runs no code of a folder meanwhile."""

_NEVER = {
    "custom_pipeline": "a class of mindone.diffusers runs the pipeline",
    "trust_remote_code": "no code that comes with a model is run",
    "dduf_file": "mindone reads no DDUF files: unpack it, and give the folder",
}


def check_call(cls: type, source: Any, options: dict[str, Any]) -> None:
    """Refuse options that lead to code or pickles, and a local folder whose files name what may not be loaded.

    Args:
        cls: the class whose ``from_pretrained`` is called.
        source: the folder or hub id.
        options: of the call.

    Raises:
        UsageError: naming the option, or the file and its entry.
    """
    for option, reason in _NEVER.items():
        if options.get(option):
            raise UsageError(f"{cls.__name__}.from_pretrained cannot take {option}; leave it out: {reason}")
    if options.get("use_safetensors") is False:
        raise UsageError("use_safetensors=False asks for a pickle; only safetensors are loaded: leave it out")
    folder = Path(str(source)).expanduser()
    if getattr(cls, "config_name", None) == INDEX:
        if (folder / INDEX).is_file():
            check_classes(folder, any_pipeline=_is_for_any(cls))
    elif (folder / (options.get("subfolder") or "")).is_dir():
        check_configs(folder / (options.get("subfolder") or ""), _library(cls))


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Meanwhile, transformers runs no code that a file names."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)


def only_safetensors(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call, with safetensors asked for, so that mindone does not go on to other files."""
    return {**options, "use_safetensors": True}


def _is_for_any(cls: type) -> bool:
    return cls.__name__ == "DiffusionPipeline"


def _library(cls: type) -> str | None:
    """The package of mindone's pipelines that has a class of its own, as an index names it."""
    package, _, name = cls.__module__.rpartition(".")[0].rpartition(".")
    return name if package == "mindone.diffusers.pipelines" else None


def guarding(original: classmethod) -> classmethod:
    """A ``from_pretrained`` that has no other checks, with these."""
    function = original.__func__
    name = list(inspect.signature(function).parameters)[1]

    @functools.wraps(function)
    def from_pretrained(cls: type, *args: Any, **options: Any) -> Any:
        check_call(cls, args[0] if args else options.get(name), options)
        with loading():
            return function(cls, *args, **only_safetensors(options))

    return classmethod(from_pretrained)


def reading(original: classmethod) -> classmethod:
    """Each configuration that mindone.diffusers reads, from a folder or the hub, comes this way."""

    def _dict_from_json_file(cls: type[ConfigMixin], json_file: Any) -> Any:
        config, path = original.__func__(cls, json_file), Path(json_file)
        if not isinstance(config, dict):
            raise UsageError(f"{path} should hold a JSON object, not a {type(config).__name__}; fetch or save it again")
        if INDEX in (path.name, cls.config_name):
            check_index(path, config, any_pipeline=_is_for_any(cls))
        else:
            check_config(path, config, _library(cls))
        return config

    return classmethod(_dict_from_json_file)


def finding_part(original: Callable) -> Callable:
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
        # Without the folder, it is not searched for a Python file of the library's name.
        return original(library_name, class_name, importable_classes, pipelines, is_pipeline_module)

    return get_class_obj_and_candidates


def finding(original: Callable) -> Callable:
    @functools.wraps(original)
    def find(library_name: Any, class_name: Any, *args: Any, **options: Any) -> Any:
        check_class(library_name, class_name, "the class")
        return original(library_name, class_name, *args, **options)

    return find


def finding_no_file(original: Callable) -> Callable:
    @functools.wraps(original)
    def _resolve_custom_pipeline_and_cls(folder: Any, config: Any, custom_pipeline: Any) -> tuple[None, None]:
        return None, None  # mindone takes a file None.py of the folder for the pipeline

    return _resolve_custom_pipeline_and_cls


def doing_nothing(original: Callable) -> Callable:
    @functools.wraps(original)
    def _maybe_raise_warning_for_inpainting(*args: Any, **options: Any) -> None:
        """It would import diffusers, of torch, for a warning alone."""

    return _maybe_raise_warning_for_inpainting


def finding_weights(original: Callable) -> Callable:
    """The files of a hub's model are known only here, after they are fetched and before the model is built."""

    @functools.wraps(original)
    def find(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        files = found[0] if isinstance(found, tuple) else found
        weights = [Path(file) for file in ([files] if isinstance(files, str) else files or [])]
        source = args[0] if args else options.get("pretrained_model_name_or_path")
        fetched = bool(weights) and not Path(str(source)).is_dir()
        # Beside the file of a LoRA or an embedding, which mindone finds by this function too, is no configuration.
        of_a_model = fetched and (weights[0].parent / "config.json").is_file()
        if of_a_model and all(file.suffix == ".safetensors" for file in weights):
            check_model(weights[0].parent, map(read_header, weights))
        return found

    return find


def refusing(original: Callable) -> Callable:
    @functools.wraps(original)
    def refuse(*args: Any, **options: Any) -> None:
        named = ", ".join(str(arg) for arg in args[:2])
        raise UsageError(
            f"{named} is code that comes with a model; it is not run: load a model without code of its own"
        )

    return refuse


def refusing_meanwhile(original: Callable) -> Callable:
    refuse = refusing(original)

    @functools.wraps(original)
    def run_or_refuse(*args: Any, **options: Any) -> Any:
        return (refuse if _loading.get() else original)(*args, **options)

    return run_or_refuse


def only_safetensors_meanwhile(original: Callable) -> Callable:
    @functools.wraps(original)
    def load_state_dict(checkpoint_file: Any, *args: Any, **options: Any) -> Any:
        if _loading.get() and not isinstance(checkpoint_file, dict) and Path(checkpoint_file).suffix != ".safetensors":
            raise UsageError(
                f"{checkpoint_file} is not a .safetensors file; only safetensors are loaded: fetch or save the model "
                "with safetensors"
            )
        return original(checkpoint_file, *args, **options)

    return load_state_dict
