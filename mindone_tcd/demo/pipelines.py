"""Load pipelines when they are needed first, one at a time, and keep the last ones in memory."""

from __future__ import annotations

import gc
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from .offers import Key, extras
from .options import Options

if TYPE_CHECKING:
    from ..generate.loaded import LoadedPipeline


class Pipelines:
    """The loaded pipelines. Only the thread of :class:`~mindone_tcd.demo.worker.Worker` uses it.

    Args:
        options: the model, and how many pipelines stay in memory.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loaded: OrderedDict[Key, LoadedPipeline] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._loaded

    def get(self, key: Key) -> LoadedPipeline:
        """Return a pipeline, from memory if it is there. The one that was not used for longest is dropped for it."""
        if key not in self._loaded:
            while len(self._loaded) >= self._options.kept:
                self._loaded.popitem(last=False)
            gc.collect()  # before the next weights are read, so that both are never in memory
            self._loaded[key] = self._load(key)
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def _load(self, key: Key) -> LoadedPipeline:
        from ..generate.loading import load

        options, parts = self._options, extras(self._options, key)
        arguments: dict[str, Any] = {} if key.quantize is None else {"quantize": key.quantize}
        loaded = load(
            key.task,
            options.model,
            method=key.method,
            lora=options.lora,
            control=parts.control,
            motion_adapter=parts.motion_adapter,
            motion=parts.motion,
            dtype=options.dtype,
            **arguments,
        )
        loaded.pipeline.set_progress_bar_config(disable=True)
        return loaded
