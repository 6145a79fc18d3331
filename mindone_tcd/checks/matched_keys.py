"""Check that every key of a weights file matches a parameter of the model, and every parameter a key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, some, warn_user

if TYPE_CHECKING:
    from mindone.diffusers import ModelMixin
    from mindone.transformers import PreTrainedModel

_BUFFERS = re.compile(r"(?:^|\.)(?:position_ids|num_batches_tracked|pos_embed\.pe)$")
"""Keys that torch writes to the file, but whose values mindone's models compute."""

_UNUSED = {"DPTForDepthEstimation": re.compile(r"neck\.fusion_stage\.layers\.0\.residual_layer1\.")}
"""Unused parameters, by class: the published DPT files have no residual in the first layer."""

_WRONG_SHAPE = re.compile(r"size mismatch for (\S+): .*?shape (\(.*?\)) from checkpoint, .*? is (\(.*?\))")
_OWN_NAMES = {"embedding_table": "weight", "gamma": "weight", "beta": "bias"}
_OF_A_LORA = re.compile(r"\.(?:base_layer|lora_A|lora_B)\.")
_SHOWN = 5

WITHOUT_LORA = (
    "create the pipeline again and save it after unload_lora_weights(), or, to keep the LoRA's effect, after "
    "fuse_lora() and then unload_lora_weights()"
)
"""What to do about a folder that was saved while a LoRA was loaded."""


def without_positions(keys: list[str] | None) -> list[str]:
    """Return the patterns of the keys of a file that a motion module ignores without a warning.

    Args:
        keys: mindone's patterns. If there are none, the result matches ``pos_embed.pe``, which the module computes.
    """
    return keys or [r"pos_embed\.pe$"]


def check(model: ModelMixin | PreTrainedModel, info: dict[str, list], where: str, strict: bool) -> None:
    """Check that a model has all its weights, and that no key was left over.

    A model of transformers may be one tower of the file's model. In that case, the keys of the other towers are
    ignored.

    Args:
        model: the loaded model.
        info: mindone's ``loading_info``.
        where: the folder or hub id, for the message.
        strict: False for a warning if keys are missing or unexpected. A wrong shape is always an error.

    Raises:
        UsageError: if keys are missing, unexpected or of another shape; the message lists them.
    """
    kind = type(model).__name__
    unused = _UNUSED.get(kind)
    missing = [key for key in info["missing_keys"] if not (unused and unused.match(key))]
    unexpected = [key for key in info["unexpected_keys"] if not _BUFFERS.search(key)]
    if kind not in (getattr(model.config, "architectures", [kind]) or []):
        towers = {name.partition(".")[0] for name, _ in model.parameters_and_names()}
        unexpected = [key for key in unexpected if key.partition(".")[0] in towers]
    shapes = [_shape(*entry) for entry in info["mismatched_keys"]]
    if not (missing or unexpected or shapes):
        return
    if strict and any(_OF_A_LORA.search(key) for key in unexpected):
        raise UsageError(f"the weights of {where} were saved with a LoRA loaded; {WITHOUT_LORA}")
    message = _message(where, kind, map(_in_the_file, missing), unexpected, shapes)
    if strict or shapes:
        raise UsageError(message + _remedy(bool(shapes)))
    warn_user(message + "; missing weights keep random values")


def explain_shapes(error: RuntimeError, where: str, kind: str) -> None:
    """Convert mindone's error for wrong shapes to a UsageError. Other errors are ignored.

    Raises:
        UsageError: if the error lists parameters of another shape.
    """
    shapes = [_shape(*found) for found in _WRONG_SHAPE.findall(str(error))]
    if shapes:
        raise UsageError(_message(where, kind, [], [], shapes) + _remedy(True)) from error


def _remedy(shapes: bool) -> str:
    choice = "ignore_mismatched_sizes=True to keep random values there" if shapes else "strict=False for a warning"
    return f"; fetch the weights and config.json again, both from the same model, or pass {choice}"


def _message(where: str, kind: str, missing: Iterable[str], unexpected: Iterable[str], shapes: Iterable[str]) -> str:
    parts = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    lists = [_listed(what, sorted(keys)) for what, keys in parts]
    return f"the weights of {where} do not fit {kind}: {', '.join(text for text in lists if text)}"


def _listed(what: str, keys: list[str]) -> str:
    return f"{len(keys)} {what} ({some(keys, _SHOWN)})" if keys else ""


def _shape(key: str, found: Any, wanted: Any) -> str:
    found, wanted = (str(value if isinstance(value, str) else tuple(value)) for value in (found, wanted))
    return f"{_in_the_file(key)} is {found} instead of {wanted}"


def _in_the_file(key: str) -> str:
    """Return a parameter's name in torch's spelling."""
    owner, dot, last = key.rpartition(".")
    return f"{owner}{dot}{_OWN_NAMES.get(last, last)}"
