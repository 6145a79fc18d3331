"""Write a pipeline as MindIR graphs into a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..concurrency import one_at_a_time
from ..cpu import native
from ..environment import versions
from ..errors import UsageError, first_line
from ..files.digests import file_sha256
from ..files.narrowing import narrowed
from ..lora_layers import layers_of, models_of
from ..storage.atomic_files import whole_folder
from ..transaction import temporary_changes
from . import parts
from .manifest import GraphFile, Manifest, Value
from .mindir import check_graph, name_inputs
from .parts import Call

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline


@dataclass(frozen=True)
class About:
    """What the manifest says about a pipeline beside its networks; see `Manifest`."""

    family: str
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    record: Mapping[str, Any]
    controls: Sequence[str] = ()
    """The names of the graphs of the ControlNets, in their order."""


@one_at_a_time
def write(
    pipe: DiffusionPipeline,
    folder: Path,
    about: About,
    sizes: Sequence[tuple[int, int]],
    batch: int = 1,
    *,
    whole: bool = False,
) -> Manifest:
    """Write the networks of a pipeline, its tokenizers and its scheduler's configuration into a new folder.

    LoRAs are fused into the weights. The pipeline does not change. After an error, the folder does not exist.

    Args:
        pipe: a pipeline of `mindone.diffusers`, not compiled.
        folder: the folder to create.
        about: what the manifest says about it.
        sizes: width and height of the images in pixels; one set of graphs for each.
        batch: how many images a graph computes at once.
        whole: whether the weights are inside of the MindIR files, as converters for other runtimes need them. Each
            graph then has a copy. Otherwise, the graphs of a network share one safetensors file.

    Raises:
        UsageError: if the folder exists or cannot be created, or MindSpore cannot export a network.
    """
    target = Path(os.path.abspath(folder))
    if target.exists():
        raise UsageError(f"{folder} exists; expected a folder to create: choose another name, or remove it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(target) as work:
            with _frozen(pipe):
                manifest = _Writer(pipe, work, about, whole).all(sizes, batch)
            manifest.write(work)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror or first_line(error)}); choose another place"
        ) from error
    return manifest


@contextmanager
def _frozen(pipe: DiffusionPipeline) -> Iterator[None]:
    """Fuse the LoRAs of a pipeline and use stock kernels within this context."""
    with native.stock(), temporary_changes(pipe):
        if any(layers_of(model) for model in models_of(pipe).values()):
            pipe.fuse_lora(components=[name for name, model in models_of(pipe).items() if layers_of(model)])
            pipe.unload_lora_weights()
        yield


class _Writer:
    """Writes the files of one pipeline, and collects what the manifest says about them."""

    def __init__(self, pipe: DiffusionPipeline, folder: Path, about: About, whole: bool) -> None:
        self._pipe, self._folder, self._about, self._whole = pipe, folder, about, whole
        self._dtype = str(pipe.unet.dtype).lower()
        self._graphs: list[GraphFile] = []
        self._needed: dict[str, dict[str, Any]] = {}

    def all(self, sizes: Sequence[tuple[int, int]], batch: int) -> Manifest:
        pipe, about = self._pipe, self._about
        vae_dtype = "float32" if pipe.vae.config.force_upcast else self._dtype
        for call in parts.text_encoders(pipe, about.family):
            self._graph(call, None)
        networks = getattr(pipe, "controlnet", None)
        networks = list(getattr(networks, "nets", None) or [networks]) if about.controls else []
        for size in sizes:
            self._graph(parts.unet(pipe, about.family, size, batch, self._dtype, False), size)
            if networks:
                self._graph(parts.unet(pipe, about.family, size, batch, self._dtype, True), size)
            for name, network in zip(about.controls, networks, strict=True):
                self._graph(parts.controlnet(pipe, network, name, about.family, size, batch, self._dtype), size)
        with _in_dtype(pipe.vae, vae_dtype):
            for size in sizes:
                for call in parts.vae(pipe, size, batch, vae_dtype, about.model["vae_scale"]):
                    self._graph(call, size)
            self._write_weights()
        self._copy_configurations()
        config = pipe.vae.config
        settings = {
            "scaling_factor": config.scaling_factor,
            "latent_channels": config.latent_channels,
            "latents_mean": _numbers(getattr(config, "latents_mean", None)),
            "latents_std": _numbers(getattr(config, "latents_std", None)),
            "zero_negative": bool(about.family == "SDXL" and pipe.config.force_zeros_for_empty_prompt),
            "guidance_width": pipe.unet.config.time_cond_proj_dim,
        }
        scheduler = {name: value for name, value in pipe.scheduler.config.items() if _is_plain(value)}
        files = {
            path.relative_to(self._folder).as_posix(): file_sha256(path)
            for path in sorted(self._folder.rglob("*"))
            if path.is_file()
        }
        return Manifest(
            about.family,
            about.model,
            about.recipe,
            about.record,
            settings,
            scheduler,
            self._dtype,
            vae_dtype,
            batch,
            tuple(sizes),
            tuple(self._graphs),
            files,
            versions(),
        )

    def _graph(self, call: Call, size: tuple[int, int] | None) -> None:
        name = call.part if size is None else f"{call.part}-{size[0]}x{size[1]}"
        folder = call.weights.partition("/")[0]
        file = f"{folder}/{name}.mindir"
        (self._folder / folder).mkdir(exist_ok=True)
        outputs = export_graph(call, self._folder / file, self._whole)
        needed = self._needed.setdefault(call.weights, {})
        if not self._whole:
            own = {parameter.name: parameter for _, parameter in call.network.parameters_and_names()}
            needed.update({name: own[name] for name in outputs.parameters})
        inputs = tuple(Value(key, shape, dtype) for key, (shape, dtype) in call.inputs.items())
        weights = None if self._whole else call.weights
        self._graphs.append(GraphFile(call.part, size, file, weights, inputs, outputs.values))

    def _write_weights(self) -> None:
        from safetensors.numpy import save_file

        for file, parameters in self._needed.items():
            if parameters:
                values = {name: narrowed(each.asnumpy()) for name, each in sorted(parameters.items())}
                save_file(values, self._folder / file)
                (self._folder / file).chmod(0o644)

    def _copy_configurations(self) -> None:
        for name in ("tokenizer", "tokenizer_2"):
            tokenizer = getattr(self._pipe, name, None)
            if tokenizer is not None:
                tokenizer.save_pretrained(self._folder / name)
        self._pipe.scheduler.save_pretrained(self._folder / "scheduler")


@dataclass(frozen=True)
class _Exported:
    values: tuple[Value, ...]
    parameters: tuple[str, ...]


def export_graph(call: Call, path: Path, whole: bool) -> _Exported:
    """Write the graph of a call as a MindIR file.

    Args:
        call: the call.
        path: the file.
        whole: whether it contains the weights.

    Returns:
        The outputs, and the names of the parameters.

    Raises:
        UsageError: if MindSpore cannot export it.
    """
    import mindspore as ms

    from ..compiled.graph import call_cell

    cell = call_cell(call.network, call.source)
    cell.set_train(False)
    inputs = [ms.Tensor(np.zeros(shape, dtype)) for shape, dtype in call.inputs.values()]
    outputs: list[Value] = []
    names: list[str] = []

    def take(proto: Any) -> None:
        check_graph(proto, path)
        name_inputs(proto, list(call.inputs))
        names.extend(parameter.name.partition(":")[2] for parameter in proto.graph.parameter)
        outputs.extend(_outputs(proto))
        if not whole:
            path.write_bytes(proto.SerializeToString())
            del proto.graph.parameter[:]  # MindSpore then writes a small file, which is removed

    written = path if whole else path.with_name(f"{path.stem}-empty.mindir")
    try:
        ms.export(cell, *inputs, file_name=str(written.with_suffix("")), file_format="MINDIR", custom_func=take)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"MindSpore cannot export the {call.part} ({first_line(error)})") from error
    if whole:
        written.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH)
    else:
        written.unlink()
    return _Exported(tuple(outputs), tuple(names))


_DTYPES = {1: "float32", 10: "float16", 7: "int64"}
"""The dtypes of a MindIR tensor."""


def _outputs(proto: Any) -> list[Value]:
    (output,) = proto.graph.output
    tensors = list(output.tensor) or [each.tensors[0] for each in output.attr_info.values]
    return [Value(f"output_{k}", tuple(tensor.dims), _DTYPES[tensor.data_type]) for k, tensor in enumerate(tensors)]


@contextmanager
def _in_dtype(vae: Any, dtype: str) -> Iterator[None]:
    """Widen a float16 VAE to float32 within this context; the values do not change."""
    import mindspore as ms

    before = vae.dtype
    vae.to(getattr(ms, dtype))
    try:
        yield
    finally:
        vae.to(before)


def _numbers(values: Any) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | list | tuple)
