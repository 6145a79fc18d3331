"""Add checks to ``from_pretrained`` of mindone's classes.

The checks refuse code and unknown options, require complete weights, and replace mindone's errors by ones that name the
cause and the remedy.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..concurrency import one_at_a_time
from ..errors import UsageError, first_line
from ..files import hub, modelscope_hub
from ..files.json_object import read_json
from . import classes, known_options, matched_keys, missing_weights

_SCHEDULER = "scheduler_config.json"
_HUB_ID = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?")

_strict: ContextVar[bool] = ContextVar("strict", default=True)
"""Whether missing and unexpected keys are an error. It also applies to the models that a pipeline loads."""

Check = Callable[[type, Callable, Any, dict[str, Any]], None]
Load = Callable[[Callable, type, tuple, dict[str, Any]], Any]


def _checking(load: Load, check: Check | None = None) -> Callable[[classmethod], classmethod]:
    """Return a function that adds all checks to a ``from_pretrained``.

    The result takes one more option, ``strict``. With ``strict=False``, missing and unexpected keys cause a warning
    instead of an error.
    """
    return lambda original: classmethod(_checked(original.__func__, load, check))


def _checked(original: Callable, load: Load, check: Check | None) -> Callable:
    name = list(inspect.signature(original).parameters)[1]

    @functools.wraps(original)
    def from_pretrained(cls: type, *args: Any, **options: Any) -> Any:
        strict = options.pop("strict", _strict.get())
        source = args[0] if args else options.get(name)
        classes.check_call(cls, source, options)
        if check is not None:
            check(cls, original, source, options)
        args, options = _from_hub(cls, name, args, options)
        fetched = args[0] if args else options.get(name)
        if fetched != source:  # a folder that was just downloaded, so the checks above have not seen its files
            source = fetched
            classes.check_call(cls, source, options)
        folder = _local_folder(source, options)
        if folder is not None:
            missing_weights.check_existing_files(folder, cls.__name__, given=options)
        token = _strict.set(strict)
        try:
            with one_at_a_time, classes.loading():
                return load(original, cls, args, options)
        except Exception as error:
            _explain(cls, source, options, error)
            if folder is not None and "custom_pipeline" not in options:
                missing_weights.raise_with_component(folder, error)
            raise
        finally:
            _strict.reset(token)

    return from_pretrained


def _local_folder(source: Any, options: dict[str, Any]) -> Path | None:
    """Return the local folder to load; None for a hub id or a DDUF file."""
    if not isinstance(source, str | Path) or "dduf_file" in options:
        return None
    path = Path(source).expanduser() / (options.get("subfolder") or "")
    return path if path.is_dir() else None


def _from_hub(cls: type, name: str, args: tuple, options: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments, changed if their source is a hub id.

    A hub id of ModelScope becomes the folder to which its files are downloaded. With no network, the option
    ``local_files_only`` is added, so that the files come from the cache.
    """
    source = str(args[0] if args else options.get(name))
    if not _HUB_ID.fullmatch(source) or os.path.exists(source) or source == "None":
        return args, options
    if hub.chosen() == "modelscope":
        whole = getattr(cls, "config_name", None) == "model_index.json"
        folder = str(modelscope_hub.fetch_folder(source, options.get("subfolder"), whole, options))
        return ((folder, *args[1:]), options) if args else (args, {**options, name: folder})
    if not options.get("local_files_only") and hub.cache_alone():
        options = {**options, "local_files_only": True}
    return args, options


def _load_as_it_is(original: Callable, cls: type, args: tuple, options: dict[str, Any]) -> Any:
    return original(cls, *args, **options)


def _load_pipeline(original: Callable, cls: type, args: tuple, options: dict[str, Any]) -> Any:
    return original(cls, *args, **classes.only_safetensors(options))


def _load_model(original: Callable, cls: type, args: tuple, options: dict[str, Any]) -> Any:
    # With ignore_mismatched_sizes, mindone lists all wrong shapes; without, it fails at the first one.
    return _load_whole(original, cls, args, options, ignore_mismatched_sizes=True)


def _load_transformers_model(original: Callable, cls: type, args: tuple, options: dict[str, Any]) -> Any:
    # mindone's models of transformers call the option dtype, and log a message for mindspore_dtype.
    renamed = {"dtype" if key == "mindspore_dtype" else key: value for key, value in options.items()}
    return _load_whole(original, cls, args, renamed)


def _load_whole(original: Callable, cls: type, args: tuple, options: dict[str, Any], **own: Any) -> Any:
    where = "/".join(str(part) for part in (*args[:1], options.get("subfolder")) if part)
    own["output_loading_info"] = True
    try:
        model, info = original(cls, *args, **{**classes.only_safetensors(options), **own})
    except RuntimeError as error:
        matched_keys.explain_shapes(error, where, cls.__name__)
        raise
    allowed: dict[str, list] = {"mismatched_keys": []} if options.get("ignore_mismatched_sizes") else {}
    matched_keys.check(model, {**info, **allowed}, where, strict=_strict.get())
    return (model, info) if options.get("output_loading_info") else model


def _explain(cls: type, source: Any, options: dict[str, Any], error: Exception) -> None:
    """Raise a UsageError that names the cause of an error, if the cause can be determined."""
    if source is None:
        return
    path, subfolder = Path(str(source)).expanduser(), options.get("subfolder") or ""
    if (path / subfolder).is_dir():
        _explain_folder(cls, path / subfolder, options)
    elif isinstance(error, UsageError):
        return
    elif path.is_dir():
        raise UsageError(
            f"{path} has no folder {subfolder}; expected the model there: pass another subfolder"
        ) from error
    elif path.is_file():
        raise UsageError(f"{source} is a file; expected the folder of a model, or a hub id (owner/name)") from error
    elif not _HUB_ID.fullmatch(str(source)):
        raise UsageError(f"there is no folder {str(source)!r}; expected one, or a hub id (owner/name)") from error
    elif isinstance(error, OSError):
        raise UsageError(
            f"there is no folder {str(source)!r}, and it cannot be fetched as a hub id ({_reason(error)}); "
            "with no network, download it elsewhere and give its folder"
        ) from error


def _reason(error: BaseException) -> str:
    """Return why nothing was fetched. If the hub cannot be reached, mindone's message says that the file is missing."""
    cause: BaseException | None = error
    while cause is not None:
        # By name, because requests and the hub's client define their own classes of these names.
        if {cls.__name__ for cls in type(cause).__mro__} & {"ConnectionError", "LocalEntryNotFoundError"}:
            return "the hub cannot be reached or is disabled, and the cache does not contain it"
        cause = cause.__cause__ or cause.__context__
    return first_line(error)


def _explain_folder(cls: type, folder: Path, options: dict[str, Any]) -> None:
    index = folder / "model_index.json"
    if not hasattr(cls, "config_name") and not hasattr(cls, "config_class"):  # an image processor, which has no weights
        return
    wanted = getattr(cls, "config_name", "config.json")
    if wanted == _SCHEDULER:
        _explain_scheduler(folder)
        return
    if wanted == index.name and not index.is_file():
        raise UsageError(f"{folder} has no {wanted}; expected a folder that a pipeline saved")
    if wanted != index.name and index.is_file():
        raise UsageError(f"{folder} contains a whole pipeline; expected one model: pass its folder's name as subfolder")
    # mindone loads components in no fixed order. explain() uses the order of the index, so its message does not vary.
    missing_weights.explain(folder, options.get("variant"), given=options)


def _explain_scheduler(folder: Path) -> None:
    if (folder / _SCHEDULER).is_file():
        read_json(folder / _SCHEDULER)
    elif (folder / "scheduler" / _SCHEDULER).is_file():
        raise UsageError(f'{folder} contains a whole pipeline; expected a scheduler: pass subfolder="scheduler"')
    else:
        raise UsageError(f"{folder} has no {_SCHEDULER}; expected a scheduler: fetch the file, or pass another folder")


of_pipelines = _checking(_load_pipeline, known_options.check_pipeline)
of_models = _checking(_load_model, known_options.check_model)
of_transformers_models = _checking(_load_transformers_model, known_options.check_transformers_model)
of_others = _checking(_load_as_it_is)
