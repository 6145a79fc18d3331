"""Measure the memory of a process while its compiled graphs change.

    python benchmarks/graph_memory.py weights [--changes 50]    # another LoRA weight before each call
    python benchmarks/graph_memory.py sizes [--changes 50]      # another size, so another graph, before each call
    python benchmarks/graph_memory.py undo [--changes 5]        # compiled and uncompiled again

The network is the UNet of the shapes model with its TCD-LoRA or, with `--part decoder`, the decoder of its autoencoder.
Two changes, in which pools and buffers grow, precede the measurement. The memory is the resident set of the process.
The script neither reads nor writes graphs on disk unless `--disk` names a folder. It measures no time.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from typing import Any

os.environ.setdefault("GLOG_v", "3")

import numpy as np
from harness import machine

WARM_UP = 2


def resident() -> float:
    """Resident memory of this process, MB."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def calls(pipe: Any, part: str) -> tuple[Any, Callable[[int], Any]]:
    """The network, and a function that calls it with latents of a number of rows."""
    import mindspore as ms

    def ones(*shape: int) -> Any:
        return ms.Tensor(np.ones(shape, np.float32))

    if part == "decoder":
        return pipe.vae.decoder, lambda rows: pipe.vae.decoder(ones(1, 4, rows, 8)).asnumpy()
    unet = pipe.unet
    config = unet.config
    width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    text, added = ones(1, 24, config.cross_attention_dim), {"text_embeds": ones(1, width), "time_ids": ones(1, 6)}
    time = ms.Tensor(np.int64(999))

    def call(rows: int) -> Any:
        return unet(ones(1, 4, rows, 8), time, encoder_hidden_states=text, added_cond_kwargs=added, return_dict=False)[
            0
        ].asnumpy()

    return unet, call


def measured(what: str, part: str, changes: int) -> tuple[list[float], int]:
    """Memory after each change, MB, and how many graphs the measured changes compiled."""
    from mindone_tcd import SHAPES_FOLDER, load
    from mindone_tcd.compiled.graph import Part

    pipe = load(lora="none").pipeline
    if part == "unet":
        pipe.load_lora_weights(str(SHAPES_FOLDER / "tcd_lora"), adapter_name="tcd")
    cell, call = calls(pipe, part)
    graphs = Part(cell, "O0")
    graphs.install()
    memory, compiled = [], 0
    for k in range(WARM_UP + changes):
        if what == "weights":
            pipe.set_adapters("tcd", 1.0 - k / (WARM_UP + changes))
        elif what == "undo":
            graphs.remove()
            graphs.install()
        call(8 + 8 * k if what == "sizes" else 8)
        memory.append(resident())
        print(f"{k + 1 - WARM_UP:4d}  {memory[-1]:6.0f} MB, {graphs.compiled} graphs compiled", flush=True)
        if k + 1 == WARM_UP:
            compiled = graphs.compiled
    graphs.remove()
    print(f"after all is undone {resident():.0f} MB")
    return memory[WARM_UP - 1 :], graphs.compiled - compiled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("weights", "sizes", "undo"))
    parser.add_argument("--part", choices=("unet", "decoder"), default="unet")
    parser.add_argument("--changes", type=int, default=None)
    parser.add_argument("--disk", default="off", metavar="FOLDER")
    options = parser.parse_args()
    os.environ["MINDONE_TCD_CACHE"] = options.disk
    changes = options.changes or (5 if options.what == "undo" else 50)
    memory, compiled = measured(options.what, options.part, changes)
    growth = memory[-1] - memory[0]
    print(f"{changes} changes, {compiled} compilations: {growth:+.0f} MB, {growth / changes:+.1f} MB for each", end="")
    if changes > 1:
        print(f", {statistics.median(np.diff(memory)):+.1f} MB at the median", end="")
    print(f"\n{machine('mindspore', 'mindone')}")


if __name__ == "__main__":
    main()
