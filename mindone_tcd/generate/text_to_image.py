"""Text to image: a mindone pipeline with its recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..concurrency import one_at_a_time
from ..environment import versions
from ..files.model_folder import Model
from ..random import generator
from .generated_image import GeneratedImage
from .recipes import Recipe
from .request import Request, heeds_negative_prompt, make_request, text_for, whole_number
from .sources import lora_fields, model_fields
from .weights import weights_of_lora, weights_of_model

if TYPE_CHECKING:
    from mindone.diffusers import DiffusionPipeline


class TextToImage:
    """A loaded pipeline; created by :func:`mindone_tcd.load`, and called with a prompt.

    Attributes:
        pipeline: the mindone pipeline itself, for everything that this class does not cover.
        model: the model.
        recipe: the method with its defaults for steps, guidance scale and eta.
        dtype: the name of the computation dtype.
        record_paths: whether the records contain the paths of the model's and the LoRA's folder.
    """

    def __init__(
        self,
        pipeline: DiffusionPipeline,
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
    ) -> list[GeneratedImage]:
        """Generate images.

        Args:
            prompt: what the images should show.
            negative_prompt: what they should not show; only used with a guidance scale above 1, and not used by UNets
                with guidance embedding.
            seed: the seed of the first image, 0 or more; the following images have the following numbers.
            count: the number of images.
            steps: number of inference steps, from 1 to the method's ``max_steps``; None for the recipe's.
            guidance_scale: None for the recipe's; above 1, the UNet processes a batch of twice the size.
            eta: the stochasticity parameter, 0 to 1; None for the recipe's.
            size: pixels, or (width, height); None for the model's.
            batch_size: how many images are computed at once. Each image has its own noise stream, so an image generated
                alone and in a batch differs only by rounding.

        Returns:
            ``count`` images with their records.

        Raises:
            UsageError: if a value is invalid, before any work.
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
        return [each for batch in self.batches(request, batch_size) for each in batch]

    def batches(self, request: Request, batch_size: int = 4) -> Iterator[list[GeneratedImage]]:
        """Yield the images of a checked request as they are finished, ``batch_size`` at a time."""
        batch_size = whole_number(batch_size, "batch_size", 1)
        for start in range(0, len(request.seeds), batch_size):
            yield self.make_batch(request, request.seeds[start : start + batch_size])

    @one_at_a_time
    def make_batch(self, request: Request, seeds: tuple[int, ...]) -> list[GeneratedImage]:
        """Generate the images of these seeds in one batch."""
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
        return [GeneratedImage(image, self._record(request, seeds, k)) for k, image in enumerate(images)]

    def _record(self, request: Request, seeds: tuple[int, ...], index: int) -> dict[str, Any]:
        from .. import cpu
        from ..compiled.pipeline import compiled_form

        graphs = compiled_form(self.pipeline)
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
        """Return the record fields for the method, model and LoRA, with digests of the weights."""
        return {
            **model_fields(self.model, self._weights, self.record_paths),
            "method": self.recipe.method,
            **lora_fields(self.model, self.recipe, self._lora_weights, self.record_paths),
        }
