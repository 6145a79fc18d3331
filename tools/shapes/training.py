"""Shared functions of the training scripts: batches of images, learning rates, averages, checkpoints."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, random_scene


def images(scenes: list[Scene], rng: np.random.Generator, size: int = 128) -> torch.Tensor:
    """Draw scenes as a float32 tensor (N, 3, size, size) in [-1, 1]."""
    drawn = np.stack([draw(scene, size, rng) for scene in scenes])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2) * 2 - 1


SHAPE_WEIGHTS = {"star": 3.0, "moon": 2.0, "ring": 2.0, "cross": 2.0}
"""The relative frequency of shapes with thin parts, which the model learns last; 1 for the others."""


def scenes(count: int, rng: np.random.Generator, two: float = 0.2) -> list[Scene]:
    """Random scenes of the training combinations; the shape of the first object follows ``SHAPE_WEIGHTS``."""
    most = max(SHAPE_WEIGHTS.values())
    found: list[Scene] = []
    while len(found) < count:
        scene = random_scene(rng, two)
        if rng.random() < SHAPE_WEIGHTS.get(scene.things[0].shape, 1.0) / most:
            found.append(scene)
    return found


def cosine(step: int, steps: int, peak: float, warm: int = 100, flat: float = 0.0) -> float:
    """Learning rate: a linear start, flat for a share of the run, then a half cosine down to 1 % of the peak."""
    done = max(0.0, (step / steps - flat) / (1 - flat))
    return peak * min(1, (step + 1) / warm) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * done)))


class Average:
    """Exponential moving average of parameters, in float32. With decay 1 it never changes."""

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float) -> None:
        self.parameters = parameters
        self.decay = decay
        self.values = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        if self.decay >= 1:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the averages with the parameters. Call it again to undo this."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            held = value.clone()
            value.copy_(parameter)
            parameter.copy_(held)


class Run:
    """The log and the checkpoints of one training run, which resumes from the last checkpoint."""

    def __init__(self, folder: str | Path, state: dict, every: int = 500) -> None:
        self.path = Path(folder) / "resume.pt"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.state, self.every, self.losses = state, every, []
        self.first = 0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=True)
            self.first = saved.pop("step")
            for name, part in state.items():
                if isinstance(part, Average):
                    part.values = saved[name]
                else:
                    part.load_state_dict(saved[name])
            print(f"going on from step {self.first}", flush=True)
        self.started = time.time()

    def log(self, step: int, loss: float, note: str = "") -> None:
        self.losses.append(loss)
        if (step + 1) % 50 == 0:
            pace = (time.time() - self.started) / (step + 1 - self.first)
            print(f"step {step + 1} loss {np.mean(self.losses):.5f} {pace:.3f} s/step {note}", flush=True)
            self.losses = []
        if (step + 1) % self.every == 0:
            self.save(step + 1)

    def save(self, step: int) -> None:
        parts = {n: p.values if isinstance(p, Average) else p.state_dict() for n, p in self.state.items()}
        torch.save({"step": step, **parts}, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)


def train(
    run: Run,
    steps: int,
    rate: Callable[[int], float],
    loss_of: Callable[[int], torch.Tensor | tuple[torch.Tensor, str]],
    save: Callable[[], None],
    every: int = 200,
) -> None:
    """Train from the last checkpoint to the end.

    Args:
        run: its state contains the ``optimizer`` and the ``average`` of the trained parameters.
        steps: the number of steps.
        rate: the learning rate of a step. A group of parameters with a ``scale`` multiplies it.
        loss_of: the loss of a step; or the loss and a note for the log.
        save: saves the result. It is called with the averaged parameters.
        every: the number of steps between two calls of ``save``.
    """
    optimizer, average = run.state["optimizer"], run.state["average"]

    def save_average() -> None:
        average.swap()
        save()
        average.swap()

    for step in range(run.first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step) * group.get("scale", 1.0)
        found = loss_of(step)
        loss, note = found if isinstance(found, tuple) else (found, "")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(average.parameters, 1.0)
        optimizer.step()
        average.update(step)
        run.log(step, loss.item(), note)
        if (step + 1) % every == 0:
            save_average()
    run.save(steps)
    save_average()
    print("done", flush=True)


def training_options(parser: argparse.ArgumentParser, steps: int, batch: int, rate: float) -> None:
    """Add the options that the scripts for the family of the shipped model share."""
    parser.add_argument("--latents", type=Path, required=True, help="the folder of cache_latents.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--average", type=float, default=0.99, help="decay of the averaged weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="1.3 times faster on a CPU with avx512_bf16")
