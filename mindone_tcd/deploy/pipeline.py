"""Generate images with the graphs of an exported folder, as the pipelines of mindone.diffusers do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..random import Generators, standard_normal
from .manifest import GraphFile, Manifest
from .runner import Runner
from .sampler import Sampler
from .text import token_ids

MODES = ("text", "image")


class ExportedPipeline:
    """A pipeline of exported graphs. Its calls have the arguments of mindone's pipelines that `LoadedPipeline` uses.

    Args:
        manifest: the manifest.
        folder: its folder.
        mode: ``text``, or ``image`` for image-to-image.
        controls: the names of the ControlNets' graphs that the calls use, one for each control image.

    Attributes:
        scheduler: the sampler; its ``observer`` sees each step.
    """

    def __init__(self, manifest: Manifest, folder: Path, mode: str, controls: Sequence[str] = ()) -> None:
        self.manifest, self.folder, self.mode, self.controls = manifest, folder, mode, tuple(controls)
        self.scheduler = Sampler(manifest.recipe["method"], manifest.scheduler)
        self._run = Runner(folder)
        self._dtype = np.dtype(manifest.dtype)
        self._bar: dict[str, Any] = {}

    def set_progress_bar_config(self, **options: Any) -> None:
        """Set options of the progress bar, as for pipelines of mindone."""
        self._bar = options

    def __call__(
        self,
        prompt: str,
        *,
        num_inference_steps: int,
        guidance_scale: float,
        generator: list[np.random.Generator],
        num_images_per_prompt: int,
        eta: float | None = None,
        negative_prompt: str | None = None,
        width: int | None = None,
        height: int | None = None,
        strength: float = 1.0,
        image: Any = None,
        control_image: Any = None,
        controlnet_conditioning_scale: float | list[float] = 1.0,
        output_type: str = "pil",
    ) -> tuple[Any]:
        """Generate images.

        Args:
            prompt: what the images show.
            num_inference_steps: the number of steps.
            guidance_scale: classifier-free guidance is active above 1, unless the UNet has a guidance embedding.
            generator: one for each image.
            num_images_per_prompt: the number of images.
            eta: of TCD.
            negative_prompt: used with classifier-free guidance.
            width: in pixels; in image-to-image, that of the image.
            height: in pixels, likewise.
            strength: of image-to-image.
            image: in image-to-image the image to start from, RGB; else as `control_image`.
            control_image: the map of each ControlNet, RGB.
            controlnet_conditioning_scale: the weight of each map.
            output_type: ``pil``, or ``np`` for arrays.

        Returns:
            A tuple of the list of images; or of an array, float32 (N, H, W, 3), from 0 to 1.
        """
        start: Image.Image | None = image if self.mode == "image" else None
        maps = control_image if self.mode == "image" else image
        maps = list(maps) if isinstance(maps, list) else [] if maps is None else [maps]
        scales = controlnet_conditioning_scale
        scales = list(scales) if isinstance(scales, list) else [scales] * len(maps)
        size = (width or 0, height or 0) if start is None else start.size
        guided = guidance_scale > 1 and self.manifest.settings["guidance_width"] is None
        conditions = self._conditions(prompt, negative_prompt, guided, guidance_scale, size, num_images_per_prompt)
        conditions |= self._controls(maps, scales)
        shape = (num_images_per_prompt, self.manifest.settings["latent_channels"], *self._latent_size(size))
        timesteps, first = self._timesteps(num_inference_steps, strength if start is not None else 1.0)
        if start is None:
            latents = standard_normal(shape, generator).astype(self._dtype)
        else:
            latents = self._noised(start, size, shape, generator, int(timesteps[first]))

        def predict(x: np.ndarray, timestep: int) -> np.ndarray:
            return self._predict(x, timestep, conditions, size, guidance_scale if guided else None)

        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        steps = self.scheduler.run(latents, timesteps, first, eta, generator, predict)
        for following in tqdm(steps, total=len(timesteps) - first, **self._bar):
            latents = following
        return (self.pixels(latents) if output_type == "np" else self.decode(latents),)

    def decode(self, latents: np.ndarray) -> list[Image.Image]:
        """Decode latents (N, C, H, W) into images."""
        return [Image.fromarray(each) for each in (self.pixels(latents) * 255).round().astype(np.uint8)]

    def pixels(self, latents: np.ndarray) -> np.ndarray:
        """Decode latents (N, C, H, W) into pixels from 0 to 1, float32 (N, H, W, 3)."""
        settings = self.manifest.settings
        scaled = latents / latents.dtype.type(settings["scaling_factor"])
        if settings["latents_mean"] is not None and settings["latents_std"] is not None:
            mean, std = self._statistics(latents.dtype)
            scaled = latents * std / latents.dtype.type(settings["scaling_factor"]) + mean
        scale = self.manifest.model["vae_scale"]
        size = latents.shape[3] * scale, latents.shape[2] * scale
        graph = self.manifest.graph("vae_decoder", size)
        pixels = np.concatenate([out[0] for out in self._batches(graph, {"latents": scaled})])
        return np.clip(pixels.astype(np.float32) * 0.5 + 0.5, 0, 1).transpose(0, 2, 3, 1)

    # ----- prompts ----------------------------------------------------------------------------------------------------

    def _conditions(
        self,
        prompt: str,
        negative_prompt: str | None,
        guided: bool,
        guidance_scale: float,
        size: tuple[int, int],
        count: int,
    ) -> dict[str, np.ndarray]:
        """Return the inputs of the UNet that stay the same in all steps, with a row for each image.

        With guidance, the rows of the negative prompt come first.
        """
        embedded = [self._embeddings(prompt)]
        if guided:
            zero = negative_prompt is None and self.manifest.settings["zero_negative"]
            negative = (
                [np.zeros_like(part) for part in embedded[0]] if zero else self._embeddings(negative_prompt or "")
            )
            embedded.insert(0, negative)
        rows = [np.concatenate([np.repeat(part, count, 0) for part in parts]) for parts in zip(*embedded, strict=True)]
        found = dict(zip(("prompt", "pooled"), rows, strict=False))
        if self.manifest.family == "SDXL":
            width, height = size
            ids = np.array([[height, width, 0, 0, height, width]], self._dtype)
            found["time_ids"] = np.repeat(ids, len(found["prompt"]), 0)
        else:
            found.pop("pooled", None)
        if self.manifest.settings["guidance_width"] is not None:
            embedding = guidance_embedding(guidance_scale - 1, self.manifest.settings["guidance_width"])
            found["guidance"] = np.repeat(embedding[None], count, 0).astype(self._dtype)
        return found

    def _embeddings(self, prompt: str) -> list[np.ndarray]:
        """Return the embeddings of a prompt, (1, length, width), and for SDXL the pooled one, (1, width)."""
        names = ("text_encoder", "text_encoder_2") if self.manifest.family == "SDXL" else ("text_encoder",)
        results = []
        for name in names:
            ids = token_ids(self.folder / name.replace("text_encoder", "tokenizer"), prompt)
            (outputs,) = self._batches(self.manifest.graph(name), {"ids": ids})
            results.append(outputs)
        hidden = np.concatenate([outputs[0] for outputs in results], axis=-1).astype(self._dtype)
        return [hidden, *(outputs.astype(self._dtype) for outputs in results[-1][1:])]

    # ----- steps ------------------------------------------------------------------------------------------------------

    def _timesteps(self, steps: int, strength: float) -> tuple[np.ndarray, int]:
        """Return the timesteps, and the index of the first step."""
        if self.manifest.family == "LCM":
            return self.scheduler.timesteps(steps, strength), 0
        return self.scheduler.timesteps(steps), max(steps - min(int(steps * strength), steps), 0)

    def _predict(
        self, x: np.ndarray, timestep: int, conditions: dict[str, Any], size: tuple[int, int], scale: float | None
    ) -> np.ndarray:
        """Return the model output for latents, with classifier-free guidance if there is a scale."""
        rows = np.concatenate([x, x]) if scale is not None else x
        values = {**conditions, "latents": rows, "timestep": np.full(len(rows), timestep, np.int64)}
        unet = self.manifest.graph("unet_controlled" if self.controls else "unet", size)
        outputs = []
        for batch, count in _split(unet, values, len(rows)):
            if self.controls:
                batch |= self._residuals(batch, unet, size)
            outputs.append(self._run(unet, batch)[0].asnumpy()[:count])
        output = np.concatenate(outputs)
        if scale is None:
            return output
        negative, positive = np.split(output, 2)
        return negative + output.dtype.type(scale) * (positive - negative)

    def _residuals(self, batch: dict[str, Any], unet: GraphFile, size: tuple[int, int]) -> dict[str, Any]:
        """Return what the ControlNets add to the UNet, by the names of the UNet's inputs."""
        names = [value.name for value in unet.inputs if value.name.startswith("residual")]
        total: list[Any] = []
        for k, name in enumerate(self.controls):
            values = {**batch, "map": batch[f"map_{k}"], "scale": batch[f"scale_{k}"]}
            outputs = self._run(self.manifest.graph(name, size), values)
            total = outputs if not total else [a + b for a, b in zip(total, outputs, strict=True)]
        return dict(zip(names, total, strict=True))

    # ----- images -----------------------------------------------------------------------------------------------------

    def _controls(self, maps: list[Image.Image], scales: list[float]) -> dict[str, Any]:
        """Return the maps, (1, 3, H, W) from 0 to 1, and their scales."""
        found: dict[str, Any] = {}
        for k, (image, scale) in enumerate(zip(maps, scales, strict=True)):
            found[f"map_{k}"] = (_channels_first(image) / 255).astype(self._dtype)
            found[f"scale_{k}"] = np.array(scale, self._dtype)
        return found

    def _noised(
        self, image: Image.Image, size: tuple[int, int], shape: tuple[int, ...], generators: Generators, timestep: int
    ) -> np.ndarray:
        """Return the latents of an image with the noise of a timestep."""
        graph = self.manifest.graph("vae_encoder", size)
        pixels = _channels_first(image) / 127.5 - 1
        ((moments,),) = self._batches(graph, {"pixels": pixels})
        mean, logarithm = np.split(moments, 2, axis=1)
        deviation = np.exp(0.5 * np.clip(logarithm, -30, 20))
        latents = (mean + deviation * standard_normal(shape, generators).astype(moments.dtype)).astype(self._dtype)
        factor = self._dtype.type(self.manifest.settings["scaling_factor"])
        if self.manifest.settings["latents_mean"] is not None and self.manifest.settings["latents_std"] is not None:
            middle, std = self._statistics(self._dtype)
            latents = (latents - middle) * factor / std
        else:
            latents = factor * latents
        return self.scheduler.noised(latents, standard_normal(shape, generators).astype(self._dtype), timestep)

    def _statistics(self, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        settings = self.manifest.settings
        mean, std = (np.array(settings[name], dtype).reshape(1, -1, 1, 1) for name in ("latents_mean", "latents_std"))
        return mean, std

    def _latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        scale = self.manifest.model["vae_scale"]
        return size[1] // scale, size[0] // scale

    # ----- batches ----------------------------------------------------------------------------------------------------

    def _batches(self, graph: GraphFile, values: dict[str, np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Run a graph on all rows of its inputs, and yield the outputs of each batch."""
        rows = len(next(iter(values.values())))
        for batch, count in _split(graph, values, rows):
            yield [output.asnumpy()[:count] for output in self._run(graph, batch)]


def _split(graph: GraphFile, values: dict[str, Any], rows: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield batches of the graph's size, and how many rows of each count. The last one is filled up.

    Values with one row are the same for all; scalars stay as they are.
    """
    size = graph.inputs[0].shape[0]
    for start in range(0, rows, size):
        count = min(size, rows - start)
        places = np.minimum(np.arange(start, start + size), rows - 1)
        batch = {
            name: value if value.ndim == 0 else value[places if len(value) == rows else np.zeros(size, int)]
            for name, value in values.items()
        }
        yield batch, count


def guidance_embedding(guidance_scale: float, width: int) -> np.ndarray:
    """Return the embedding of a guidance scale that latent consistency models take, float32 (width,).

    Source: arXiv 2310.04378, section 4.2: the embedding of timesteps, of 1000 times the scale.
    """
    half = width // 2
    frequencies = np.exp(np.arange(half, dtype=np.float32) * np.float32(-np.log(10000.0) / (half - 1)))
    angles = np.float32(guidance_scale * 1000.0) * frequencies
    embedding = np.concatenate([np.sin(angles), np.cos(angles)])
    return np.pad(embedding, (0, width - 2 * half))


def _channels_first(image: Image.Image) -> np.ndarray:
    """Return the pixels of an RGB image, float32 (1, 3, H, W), from 0 to 255."""
    return np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1)[None]
