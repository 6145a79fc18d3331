"""The manifest of an exported folder: its graphs, the files that they need, and how they make a pipeline.

A manifest comes with files of unknown origin, so every field is checked. This needs the standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, shown
from ..files.json_object import read_json

FILE = "manifest.json"
FORMAT = "mindone-tcd export 1"
DTYPES = ("float32", "float16")
FAMILIES = ("SDXL", "SD", "LCM")

MOST_FILES = 1000
MOST_SIDE = 8192
MOST_BATCH = 256
_AGAIN = "export the pipeline again"


@dataclass(frozen=True)
class Value:
    """An input or output of a graph: its name, shape and dtype, as NumPy and MindSpore name it."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class GraphFile:
    """A graph.

    Attributes:
        part: the network, such as ``unet``.
        size: width and height of the image in pixels; None for a graph that does not depend on them.
        file: the MindIR file, relative to the folder.
        weights: the safetensors file of its parameters; None if they are inside the MindIR file.
        inputs: in the order of the graph's arguments.
        outputs: in the order of its results.
    """

    part: str
    size: tuple[int, int] | None
    file: str
    weights: str | None
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


@dataclass(frozen=True)
class Manifest:
    """An exported pipeline.

    Attributes:
        family: ``SDXL``, ``SD`` or ``LCM``: how prompts become inputs of the UNet.
        model: properties of the base model: ``sample_size``, ``vae_scale``, ``cross_attention_dim``,
            ``prediction_type`` and ``guidance_embedded``.
        recipe: ``method``, ``steps``, ``guidance_scale`` and ``eta``.
        record: the fields of an image's record that identify the model, the LoRAs and the parts.
        settings: numbers of the networks: ``scaling_factor``, ``latent_channels``, ``latents_mean``, ``latents_std``,
            ``zero_negative`` (whether an absent negative prompt is zeros) and ``guidance_width`` (of the guidance
            embedding; None without one).
        scheduler: the configuration of the scheduler.
        dtype: of latents and networks.
        vae_dtype: of the VAE.
        batch: the batch size of all graphs.
        sizes: width and height of the images.
        graphs: the graphs.
        files: SHA-256 by file, relative to the folder.
        versions: of the packages that made it.
        sha256: of the manifest's own file; empty before it is written.
    """

    family: str
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    record: Mapping[str, Any]
    settings: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    dtype: str
    vae_dtype: str
    batch: int
    sizes: tuple[tuple[int, int], ...]
    graphs: tuple[GraphFile, ...]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    sha256: str = ""

    def graph(self, part: str, size: tuple[int, int] | None = None) -> GraphFile:
        """Return the graph of a network, for a size if it depends on it."""
        return next(graph for graph in self.graphs if graph.part == part and graph.size in (None, size))

    def parts(self) -> list[str]:
        """Return the names of the networks that have graphs."""
        return list(dict.fromkeys(graph.part for graph in self.graphs))

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder."""
        fields = {"format": FORMAT, **asdict(self)}
        del fields["sha256"]
        text = json.dumps(fields, indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def is_exported(folder: Path) -> bool:
    """Return whether a folder has a manifest."""
    return (folder / FILE).is_file()


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an exported folder, without opening its other files.

    Raises:
        UsageError: if it is not a manifest of this format, or a field is invalid; the message names the file.
    """
    path = folder / FILE
    found = read_json(path)
    if found.get("format") != FORMAT:
        raise UsageError(
            f"{path} has the format {shown(found.get('format'))}; expected {FORMAT!r}: {_AGAIN} with this version"
        )
    try:
        return _manifest(found, folder)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        what = f"the field {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path} is damaged ({what}); {_AGAIN}") from error


def _manifest(found: Mapping[str, Any], folder: Path) -> Manifest:
    files = _object(found["files"], "files")
    if len(files) > MOST_FILES:
        raise ValueError(f"files has {len(files)} entries")
    for name, digest in files.items():
        _check_name(name)
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ValueError(f"the digest of {shown(name)} is {shown(digest)}")
    sizes = tuple(_pair(size, "a size") for size in _list(found["sizes"], "sizes"))
    if not sizes:
        raise ValueError("sizes is empty")
    graphs = tuple(_graph(graph, files, sizes) for graph in _list(found["graphs"], "graphs"))
    settings, model = _object(found["settings"], "settings"), _object(found["model"], "model")
    _settings(settings)
    _model(model)
    manifest = Manifest(
        _one_of(found["family"], FAMILIES, "family"),
        model,
        _object(found["recipe"], "recipe"),
        _object(found["record"], "record"),
        settings,
        _object(found["scheduler"], "scheduler"),
        _one_of(found["dtype"], DTYPES, "dtype"),
        _one_of(found["vae_dtype"], DTYPES, "vae_dtype"),
        _whole(found["batch"], "batch", MOST_BATCH),
        sizes,
        graphs,
        files,
        _object(found["versions"], "versions"),
        hashlib.sha256((folder / FILE).read_bytes()).hexdigest(),
    )
    _check_complete(manifest)
    return manifest


def _check_complete(manifest: Manifest) -> None:
    """Check that each size has the graphs that generate an image."""
    needed = ["text_encoder", "unet", "vae_decoder"]
    if manifest.family == "SDXL":
        needed.append("text_encoder_2")
    for size in manifest.sizes:
        for part in needed:
            try:
                manifest.graph(part, size)
            except StopIteration:
                raise ValueError(f"no graph {part} for {size[0]}x{size[1]}") from None


def _graph(entry: Any, files: Mapping[str, str], sizes: tuple[tuple[int, int], ...]) -> GraphFile:
    entry = _object(entry, "a graph")
    size = None if entry["size"] is None else _pair(entry["size"], "the size of a graph")
    if size is not None and size not in sizes:
        raise ValueError(f"a graph has the size {shown(size)}")
    for key in ("file", "weights"):
        if entry[key] is not None and entry[key] not in files:
            raise ValueError(f"a graph names the file {shown(entry[key])}, which files does not list")
    if not isinstance(entry["file"], str):
        raise ValueError(f"the file of a graph is {shown(entry['file'])}")
    return GraphFile(
        _string(entry["part"], "the part of a graph"),
        size,
        entry["file"],
        entry["weights"],
        tuple(_value(value) for value in _list(entry["inputs"], "inputs")),
        tuple(_value(value) for value in _list(entry["outputs"], "outputs")),
    )


def _value(entry: Any) -> Value:
    entry = _object(entry, "an input or output")
    shape = _list(entry["shape"], "a shape")
    if len(shape) > 8 or not all(type(side) is int and 0 < side <= 1 << 20 for side in shape):
        raise ValueError(f"a shape is {shown(shape)}")
    return Value(
        _string(entry["name"], "the name of an input"),
        tuple(shape),
        _one_of(entry["dtype"], (*DTYPES, "int64"), "the dtype of an input"),
    )


def _settings(settings: Mapping[str, Any]) -> None:
    factor = settings["scaling_factor"]
    if type(factor) not in (int, float) or not 0 < factor < 1e6:
        raise ValueError(f"scaling_factor is {shown(factor)}")
    channels = _whole(settings["latent_channels"], "latent_channels", 1024)
    for name in ("latents_mean", "latents_std"):
        values = settings[name]
        if values is not None and (
            len(_list(values, name)) != channels or not all(type(value) in (int, float) for value in values)
        ):
            raise ValueError(f"{name} is {shown(values)}")
    if not isinstance(settings["zero_negative"], bool):
        raise ValueError(f"zero_negative is {shown(settings['zero_negative'])}")
    if settings["guidance_width"] is not None:
        _whole(settings["guidance_width"], "guidance_width", 1 << 16)


def _model(model: Mapping[str, Any]) -> None:
    if _whole(model["vae_scale"], "vae_scale", 256) & (model["vae_scale"] - 1):
        raise ValueError(f"vae_scale is {model['vae_scale']}")
    for name in ("sample_size", "cross_attention_dim"):
        if model[name] is not None:
            _whole(model[name], name, 1 << 16)
    if model["prediction_type"] is not None:
        _string(model["prediction_type"], "prediction_type")
    if not isinstance(model["guidance_embedded"], bool):
        raise ValueError(f"guidance_embedded is {shown(model['guidance_embedded'])}")


def _check_name(name: Any) -> None:
    parts = name.split("/") if isinstance(name, str) else []
    plain = all(part.strip(".") and part.isprintable() and not set(part) & set('\\:*?"<>|') for part in parts)
    if not parts or not plain or len(name) > 200:
        raise ValueError(f"{shown(name)} is not the name of a file in the folder")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value)}")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_FILES:
        raise ValueError(f"{name} is {shown(value)}")
    return value


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) < 200:
        raise ValueError(f"{name} is {shown(value)}")
    return value


def _one_of(value: Any, choices: tuple[str, ...], name: str) -> str:
    if value not in choices:
        raise ValueError(f"{name} is {shown(value)}")
    return value


def _whole(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise ValueError(f"{name} is {shown(value)}")
    return value


def _pair(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{name} is {shown(value)}")
    return _whole(value[0], name, MOST_SIDE), _whole(value[1], name, MOST_SIDE)
