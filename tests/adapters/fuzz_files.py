"""Valid adapter files of every layout, and how each is loaded. The damaged copies derive from them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases
import ip_cases
import layouts as lay
import numpy as np
import tiny
from fingerprint import differences, fingerprint
from model_modules import UNetConfig

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "fuzzing"))

import adapter_files

NAME = "fuzzed"


@dataclass(frozen=True)
class Source:
    """A valid file.

    Attributes:
        config: the configuration of its pipeline.
        tensors: a function that creates its tensors.
        load: a function that loads the file (the only one in its folder) into a pipeline.
        unload: a function that unloads it after a successful load.
        metadata: the metadata of the file; ``...`` for none.
    """

    config: UNetConfig
    tensors: Callable[[], dict[str, np.ndarray]]
    load: Callable[[Any, Path], None]
    unload: Callable[[Any], None]
    metadata: Any = ...


def _lora(config: UNetConfig, write: Callable, metadata: Any = ...) -> Source:
    def tensors() -> dict[str, np.ndarray]:
        if config is tiny.MOTION:
            return write(cases.motion_lora())
        return write(lay.draw(cases.shapes(config), ("attn1.to_q", "conv1", "q_proj"), 2, 1.0))

    def load(pipe: Any, file: Path) -> None:
        pipe.load_lora_weights(str(file), adapter_name=NAME)

    return Source(config, tensors, load, lambda pipe: pipe.delete_adapters(NAME), metadata)


def _ip_adapter(shapes: Callable) -> Source:
    def load(pipe: Any, file: Path) -> None:
        pipe.load_ip_adapter(str(file), image_encoder_folder=None)

    return Source(tiny.SD, lambda: ip_cases.draw(shapes(tiny.SD), "fuzz"), load, lambda pipe: pipe.unload_ip_adapter())


def _motion_adapter() -> Source:
    def load(pipe: Any, file: Path) -> None:
        from mindone_tcd.exports import get

        options = {"_class_name": "MotionAdapter", "_diffusers_version": "0.35.2"} | tiny.ADAPTER_OPTIONS
        (file.parent / "config.json").write_text(json.dumps(options))
        pipe.unet.load_motion_modules(get("MotionAdapter").from_pretrained(str(file.parent)))

    def tensors() -> dict[str, np.ndarray]:
        from mindone_tcd.exports import get

        adapter = tiny.fill_mindone(get("MotionAdapter")(**tiny.ADAPTER_OPTIONS), "motion_adapter")
        return {name: p.asnumpy() for name, p in adapter.parameters_and_names()}

    def unload(pipe: Any) -> None:
        pipe.unet.load_motion_modules(pipe.motion_adapter)

    return Source(tiny.MOTION, tensors, load, unload, {"format": "pt"})


SOURCES: dict[str, Source] = {
    "kohya": _lora(tiny.SD, lay.kohya),
    "PEFT": _lora(tiny.SD, lay.peft, {"format": "pt"}),
    "diffusers": _lora(tiny.SD, lay.diffusers),
    "IP-Adapter": _ip_adapter(ip_cases.plain),
    "IP-Adapter Plus": _ip_adapter(ip_cases.plus),
    "IP-Adapter Face ID": _ip_adapter(ip_cases.face_id),
    "motion LoRA": _lora(tiny.MOTION, lay.processors),
    "motion adapter": _motion_adapter(),
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a damaged file.

    Attributes:
        source: a key of :data:`SOURCES`.
        mutation: the description of the damage.
        error: the exception; None if the file could be loaded.
        changed: the differences of the pipeline from its state before the error.
    """

    source: str
    mutation: str
    error: BaseException | None
    changed: list[str]


class Fuzzer:
    """Loads damaged files into two pipelines, which also have valid adapters.

    Args:
        folder: the folder for the files.
        seed: the seed of the damages.
        sources: keys of :data:`SOURCES`; None for all.
    """

    def __init__(self, folder: Path, seed: int = 0, sources: list[str] | None = None) -> None:
        self.folder = folder
        self.sources = list(SOURCES) if sources is None else sources
        self.pipes = {}
        for config in dict.fromkeys(SOURCES[name].config for name in self.sources):
            self.pipes[config] = pipe = tiny.mindone_pipeline(config)
            own = lay.kohya(lay.draw(cases.shapes(config), ("attn1.to_q", "q_proj"), 2, 1.0, seed=5))
            pipe.load_lora_weights(own, adapter_name="own")
            pipe.set_adapters("own", 0.5)
        self.streams = {}
        for k, name in enumerate(self.sources):
            source = SOURCES[name]
            rng = np.random.default_rng([seed, k])
            tensors = source.tensors()
            self.streams[name] = adapter_files.mutations(rng, tensors, source.metadata)
            # The valid file loads. After unloading it, the attention processors can differ from those of a new
            # pipeline.
            self._load(source, adapter_files.file_of(tensors, source.metadata).encode())
            self._unload(source)
        self.before = {config: fingerprint(pipe) for config, pipe in self.pipes.items()}

    def next(self, number: int) -> Outcome:
        """Load the next damaged copy of one of the sources, in turn."""
        name = self.sources[number % len(self.sources)]
        source = SOURCES[name]
        pipe = self.pipes[source.config]
        mutation, content = next(self.streams[name])
        try:
            self._load(source, content)
        except Exception as error:
            return Outcome(name, mutation, error, differences(self.before[source.config], fingerprint(pipe)))
        self._unload(source)
        self.before[source.config] = fingerprint(pipe)
        return Outcome(name, mutation, None, [])

    def _load(self, source: Source, content: bytes) -> None:
        file = self.folder / "diffusion_pytorch_model.safetensors"
        file.write_bytes(content)
        source.load(self.pipes[source.config], file)

    def _unload(self, source: Source) -> None:
        pipe = self.pipes[source.config]
        source.unload(pipe)
        for name in set(pipe.unet.peft_config) - {"own"}:  # the LoRA of a Face ID file
            pipe.delete_adapters(name)
        pipe.set_adapters("own", 0.5)

    def outputs(self) -> dict[str, np.ndarray]:
        """The outputs of the UNets and text encoders of all pipelines."""
        found = {}
        for k, (config, pipe) in enumerate(self.pipes.items()):
            found |= {f"{k} {name}": value for name, value in tiny.mindone_outputs(pipe, config).items()}
        return found
