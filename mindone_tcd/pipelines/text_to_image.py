"""Prompt in, pictures out: a mindone pipeline with its recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..concurrency import one_at_a_time
from ..environment import versions
from ..random import generator
from .folder import Model
from .picture import Picture
from .recipes import Recipe
from .request import Request, heeds_negative_prompt, make_request, text_for, whole_number
from .sources import lora_fields, model_fields
from .weights import weights_of_lora, weights_of_model


class TextToImage:
    """A loaded pipeline that is called with a prompt; made by :func:`mindone_tcd.load`.

    Attributes:
        pipeline: the mindone pipeline itself, for all that this short form leaves out.
        model: which model it is.
        recipe: the method with its defaults for steps, guidance scale and eta.
        dtype: the name of the dtype that it computes in.
        record_paths: whether the records hold the paths of the model's and the LoRA's folder.
    """

    def __init__(
        self,
        pipeline: Any,
        model: Model,
        recipe: Recipe,
        dtype: str,
        *,
        lora_file: Path | None = None,
        record_paths: bool = False,
    ) -> None:
        self.pipeline, self.model, self.recipe, self.dtype = pipeline, model, recipe, dtype
        self.record_paths = record_paths
        self._weights = weights_of_model(model)
        lora = lora_file or recipe.lora
        self._lora_weights = None if lora is None else weights_of_lora(lora)

    def __call__(
        self,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        seed: int = 0,
        count: int = 1,
        steps: int | None = None,
        guidance_scale: float | None = None,
        eta: float | None = None,
        size: int | tuple[int, int] | None = None,
        batch_size: int = 4,
    ) -> list[Picture]:
        """Make pictures.

        Args:
            prompt: what they are to show.
            negative_prompt: what they are not to show; heeded with a guidance scale above 1 only, and not by UNets that
                take the guidance scale themselves.
            seed: of the first picture, 0 or more; the next ones have the numbers that follow.
            count: how many.
            steps: number of inference steps, from 1 to the method's ``max_steps``; None for the recipe's.
            guidance_scale: None for the recipe's; above 1 the UNet sees a batch twice as large.
            eta: the share of fresh noise in each step, 0 to 1; None for the recipe's.
            size: pixels, or (width, height); None for the model's.
            batch_size: how many pictures are computed at once. Each has its own stream of noise, so that a picture
                made alone and in a batch differ only by rounding.

        Returns:
            ``count`` pictures with their records.

        Raises:
            UsageError: for a value that cannot work, before any work is done.
        """
        request = make_request(
            self.model,
            self.recipe,
            prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            count=count,
            steps=steps,
            guidance_scale=guidance_scale,
            eta=eta,
            size=size,
        )
        return [picture for batch in self.batches(request, batch_size) for picture in batch]

    def batches(self, request: Request, batch_size: int = 4) -> Iterator[list[Picture]]:
        """The pictures of a checked request as they get ready, ``batch_size`` at a time."""
        batch_size = whole_number(batch_size, "batch_size", 1)
        for start in range(0, len(request.seeds), batch_size):
            yield self.make_batch(request, request.seeds[start : start + batch_size])

    @one_at_a_time
    def make_batch(self, request: Request, seeds: tuple[int, ...]) -> list[Picture]:
        """The pictures of these seeds, computed together."""
        options: dict[str, Any] = {} if request.eta is None else {"eta": request.eta}
        if request.negative_prompt and heeds_negative_prompt(self.model, request.guidance_scale):
            options["negative_prompt"] = text_for(self.model, request.negative_prompt)
        images = self.pipeline(
            prompt=text_for(self.model, request.prompt),
            num_images_per_prompt=len(seeds),
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            generator=[generator(seed) for seed in seeds],
            width=request.width,
            height=request.height,
            **options,
        )[0]
        return [Picture(image, self._record(request, seeds, k)) for k, image in enumerate(images)]

    def _record(self, request: Request, seeds: tuple[int, ...], index: int) -> dict:
        from .. import compiled, cpu

        graphs = compiled.compiled_form(self.pipeline)
        return {
            **request.as_record(),
            "seed": seeds[index],
            "batch_seeds": list(seeds),
            **self.sources(),
            "dtype": self.dtype,
            "compile": False if graphs is None else graphs.form,
            "device": cpu.device(),
            "kernels": "native" if cpu.enabled() and cpu.native_kernels() else "stock",
            "versions": versions(),
        }

    def sources(self) -> dict[str, Any]:
        """The fields of a record that say which method, model and LoRA this is, with digests of the weights."""
        return {
            **model_fields(self.model, self._weights, self.record_paths),
            "method": self.recipe.method,
            **lora_fields(self.model, self.recipe, self._lora_weights, self.record_paths),
        }
