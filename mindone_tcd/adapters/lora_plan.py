"""Check a LoRA file against the models of a pipeline, before the pipeline changes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import UsageError, shown, some
from ..files.name_patterns import NamePatterns
from .lora_keys import ALPHA, DOWN, UP, Names, UnmatchedKey

METADATA_KEY = "lora_adapter_metadata"
"""The metadata key of a safetensors file under which diffusers stores the LoRA's configuration, such as alpha."""

_WIDTHS = {768: "SD 1.x", 1024: "SD 2.x", 1280: "the SDXL refiner", 2048: "SDXL"}


@dataclass(frozen=True)
class Module:
    """One module's LoRA: ``down`` (rank, in[, kh, kw]), ``up`` (out, rank[, 1, 1]). It adds alpha / rank · up·down."""

    down: np.ndarray
    up: np.ndarray
    alpha: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


@dataclass
class Plan:
    """The LoRA weights to load into each module.

    Attributes:
        modules: the LoRAs by component, then by module path.
        layouts: the key layouts that the file uses.
        left_out: the keys that are not loaded, with the reasons.
    """

    modules: dict[str, dict[str, Module]] = field(default_factory=dict)
    layouts: tuple[str, ...] = ()
    left_out: tuple[UnmatchedKey, ...] = ()


def make_plan(
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]],
    layers_per_block: int | None,
) -> Plan:
    """Match every tensor of a LoRA file with a module. Tensors without a match are listed in ``left_out``.

    The LoRA of a module is loaded completely or not at all. If the file has a magnitude or bias that is not supported
    here, the matrices alone would be a different LoRA from the trained one.

    Alpha is the module's own alpha in the file, else the alpha of the configuration in the metadata. If a file has
    neither, the rule of diffusers applies: the file's most common alpha, or, in a file without any alpha, the rank of
    its first module.

    Args:
        tensors: the file's tensors, in any layout.
        metadata: the safetensors metadata.
        shapes: for each component of the pipeline, the weight shape of each module that can have a LoRA.
        layers_per_block: the UNet's.

    Raises:
        UsageError: if the configuration in the metadata cannot be read.
    """
    names = Names(shapes, layers_per_block)
    keys: dict[tuple[str, str], dict[str, str]] = {}
    unmatched: list[UnmatchedKey] = []
    layouts: dict[str, None] = {}
    for key in tensors:
        matched = names.match(key)
        if isinstance(matched, UnmatchedKey):
            unmatched.append(matched)
            continue
        layouts.setdefault(matched.layout)
        parts = keys.setdefault((matched.component, matched.path), {})
        if matched.part in parts:
            unmatched.append(UnmatchedKey(key, "duplicates, under another spelling, of other keys"))
        else:
            parts[matched.part] = key
    whole: dict[tuple[str, str], dict[str, str]] = {}
    in_part = {item.module for item in unmatched}
    for (component, path), parts in keys.items():
        reason = _fault({part: tensors[key] for part, key in parts.items()}, shapes[component][path])
        if (component, path) in in_part:
            reason = "other keys of the same modules"
        if reason is None:
            whole[component, path] = parts
        else:
            unmatched += [UnmatchedKey(key, reason) for key in parts.values()]
    configurations = _configurations(metadata)
    plan = Plan(layouts=tuple(layouts), left_out=tuple(unmatched))
    for component in dict.fromkeys(component for component, _ in whole):
        own = {path: parts for (owner, path), parts in whole.items() if owner == component}
        alphas = _alphas(own, tensors, configurations.get(component))
        plan.modules[component] = {
            path: Module(tensors[parts[DOWN]], tensors[parts[UP]], alphas[path]) for path, parts in own.items()
        }
    return plan


def _fault(parts: Mapping[str, np.ndarray], weight: tuple[int, ...]) -> str | None:
    """Return why the tensors of one module are not a valid LoRA for it; None if they are valid."""
    if DOWN not in parts or UP not in parts:
        missing = " and ".join(name for name in (DOWN, UP) if name not in parts)
        return f"without the {missing} matrix ({'lora_A' if missing == DOWN else 'lora_B'}) of the same module"
    down, up = parts[DOWN], parts[UP]
    if not (np.issubdtype(down.dtype, np.floating) and np.issubdtype(up.dtype, np.floating)):
        return "not of a floating dtype"
    rank = down.shape[0] if down.ndim else 0
    ones = (1,) * (len(weight) - 2)
    if rank < 1 or down.shape != (rank, *weight[1:]) or up.shape != (weight[0], rank, *ones):
        expected = f"(rank, {', '.join(map(str, weight[1:]))}) and ({', '.join(map(str, (weight[0], 'rank', *ones)))})"
        hint = _base(down, weight)
        return f"of another shape, such as {down.shape} and {up.shape} where the module needs {expected}{hint}"
    if ALPHA in parts and (parts[ALPHA].size != 1 or not np.isfinite(parts[ALPHA].astype(np.float64)).all()):
        return "with an alpha that is not a single finite number"
    return None


def _base(down: np.ndarray, weight: tuple[int, ...]) -> str:
    if down.ndim == 2 and len(weight) == 2 and down.shape[1] in _WIDTHS and weight[1] in _WIDTHS:
        made_for, this = _WIDTHS[down.shape[1]], _WIDTHS[weight[1]]
        return f" (the width of {made_for}; this model has that of {this})"
    return ""


def _configurations(metadata: Mapping[str, str]) -> dict[str, dict]:
    """Return the configuration that diffusers stored in the metadata, by component."""
    if METADATA_KEY not in metadata:
        return {}
    try:
        flat = json.loads(metadata[METADATA_KEY])
        found: dict[str, dict] = {}
        for name, value in flat.items():
            component, _, option = name.partition(".")
            if option:
                found.setdefault(component, {})[option] = value
            else:  # the LoRA was saved from the UNet itself
                found.setdefault("unet", {})[component] = value
        for options in found.values():
            if options.get("lora_alpha") is not None:
                options["lora_alpha"] = _number(options["lora_alpha"])
            patterns = {name: _number(value) for name, value in (options.get("alpha_pattern") or {}).items()}
            options["alpha_pattern"] = NamePatterns(patterns, f"the LoRA's metadata {METADATA_KEY!r}")
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"the LoRA's metadata {METADATA_KEY!r} cannot be read ({error}); save the LoRA again or remove the metadata"
        ) from error
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):  # type: ignore[arg-type]
        raise ValueError(f"{value} is not a valid alpha")
    return number


def _alphas(
    modules: Mapping[str, Mapping[str, str]], tensors: Mapping[str, np.ndarray], configuration: dict | None
) -> dict[str, float]:
    given = {path: float(tensors[keys[ALPHA]].item()) for path, keys in modules.items() if ALPHA in keys}
    ranks = {path: tensors[keys[DOWN]].shape[0] for path, keys in modules.items()}
    if configuration is not None and configuration.get("lora_alpha") is not None:
        alphas = {path: _configured_alpha(path, ranks[path], configuration) for path in modules}
    else:
        usual = Counter(given.values()).most_common(1)[0][0] if given else float(next(iter(ranks.values())))
        alphas = dict.fromkeys(modules, usual)
    return alphas | given


def _configured_alpha(path: str, rank: int, configuration: dict) -> float:
    alpha = configuration["alpha_pattern"].value(path)
    alpha = configuration["lora_alpha"] if alpha is None else alpha
    # Rank-stabilized LoRA scales by alpha / sqrt(rank). This value makes alpha / rank the same number.
    return alpha * math.sqrt(rank) if configuration.get("use_rslora") else alpha


def describe(unmatched: tuple[UnmatchedKey, ...], examples: int = 3) -> str:
    """List the unmatched keys by reason, each with the number of keys and the first examples."""
    reasons: dict[str, list[str]] = {}
    for item in unmatched:
        reasons.setdefault(_kind(item.reason), []).append(item.key)
    details = {_kind(item.reason): item.reason for item in reversed(unmatched)}
    texts = []
    for kind, keys in reasons.items():
        texts.append(f"{len(keys)} {details[kind]}: {some(list(map(shown, keys)), examples)}")
    return "; ".join(texts)


def _kind(reason: str) -> str:
    return reason.partition(", such as")[0]
