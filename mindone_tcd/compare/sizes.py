"""The bytes of the files of a side's networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..deploy.manifest import Manifest
from ..generate.setup import Setup
from ..generate.weights import Weights, weights_of_lora, weights_of_model, weights_of_part

_CONTROLLED = ("controlnet_", "unet_controlled")
"""The beginnings of the names of graphs that only calls with a ControlNet use."""

_FUSED = ("controlnet", "style", "motion")
"""The roles of parts that are quantized, or are fused before."""


def sizes_on_disk(setup: Setup, quantized: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the bytes of the files of each network; empty for a hub model that is not in the cache.

    Args:
        setup: what the side consists of.
        quantized: the bytes of files of quantized networks. They replace those of the UNet and the ControlNets, and
            those of the LoRAs, which are a part of them.
    """
    if setup.exported is not None:
        return _sizes_of_graphs(setup.exported, Path(setup.model.location), bool(setup.of("controlnet")))
    model = weights_of_model(setup.model)
    if model is None:
        return {}
    found: dict[str, int] = {}
    for name, path in model.files.items():
        network = name.partition("/")[0]
        found[network] = found.get(network, 0) + path.stat().st_size
    if setup.recipe.lora is not None and not quantized:
        found["LoRA"] = _bytes_of(weights_of_lora(setup.recipe.lora))
    for part in setup.parts:
        if not (quantized and part.role in _FUSED):
            found[part.title] = _bytes_of(weights_of_part(part))
    return {**found, **(quantized or {})}


def _bytes_of(weights: Weights | None) -> int:
    return 0 if weights is None else sum(path.stat().st_size for path in weights.files.values())


def _sizes_of_graphs(manifest: Manifest, folder: Path, controlled: bool) -> dict[str, int]:
    """Return the bytes of the graphs and weights in each subfolder. Several graphs of a network share their weights."""
    used = [graph for graph in manifest.graphs if controlled or not graph.part.startswith(_CONTROLLED)]
    found: dict[str, int] = {}
    for name in sorted({name for graph in used for name in (graph.file, graph.weights) if name is not None}):
        network = name.partition("/")[0]
        found[network] = found.get(network, 0) + (folder / name).stat().st_size
    return found
