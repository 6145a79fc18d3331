"""The bytes of the files that a side reads its networks from."""

from __future__ import annotations

from pathlib import Path

from ..generate.setup import Setup
from ..generate.weights import Weights, weights_of_lora, weights_of_model, weights_of_part
from .sides import Side

_NETWORK_FILES = (".mindir", ".safetensors", ".ckpt", ".bin")
"""The endings of files that hold a network or its weights, in an exported folder."""


def sizes_on_disk(side: Side, setup: Setup) -> dict[str, int]:
    """Return the bytes of the files of each network; empty for a hub model that is not in the cache.

    Args:
        side: the side.
        setup: what it consists of.
    """
    if side.exported:
        return _sizes_of_folder(Path(side.model))
    model = weights_of_model(setup.model)
    if model is None:
        return {}
    found: dict[str, int] = {}
    for name, path in model.files.items():
        network = name.partition("/")[0]
        found[network] = found.get(network, 0) + path.stat().st_size
    if setup.recipe.lora is not None:
        found["LoRA"] = _bytes_of(weights_of_lora(setup.recipe.lora))
    for part in setup.parts:
        found[part.title] = _bytes_of(weights_of_part(part))
    return found


def _bytes_of(weights: Weights | None) -> int:
    return 0 if weights is None else sum(path.stat().st_size for path in weights.files.values())


def _sizes_of_folder(folder: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _NETWORK_FILES:
            name = path.relative_to(folder).with_suffix("").as_posix()
            found[name] = found.get(name, 0) + path.stat().st_size
    return found
