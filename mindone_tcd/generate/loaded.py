"""A loaded pipeline with its recipe: from a prompt and inputs to images with records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..concurrency import one_at_a_time
from ..environment import versions
from ..errors import UsageError
from ..files.model_folder import Model
from ..random import generator
from .generated_clip import GeneratedClip
from .generated_image import GeneratedImage
from .inputs import Inputs
from .recipes import Recipe
from .request import Request, heeds_negative_prompt, request_for, text_for, whole_number
from .setup import Setup
from .sources import exported_fields, lora_fields, model_fields, part_fields
from .tasks.controls import control_maps
from .weights import weights_of_lora, weights_of_model, weights_of_part

if TYPE_CHECKING:
    from PIL import Image

Generated = GeneratedImage | GeneratedClip


class LoadedPipeline:
    """A loaded pipeline; created by :func:`mindone_tcd.load`, and called with a prompt.

    Attributes:
        pipeline: the mindone pipeline itself, for everything that this class does not cover; for an exported folder, an
            :class:`~mindone_tcd.deploy.pipeline.ExportedPipeline`.
        setup: the task, the model, its recipe and the parts beside it.
        dtype: the name of the computation dtype.
        record_paths: whether the records contain paths of folders and files.
        quantize: the kind of quantization, ``int8``; None for none.
    """

    def __init__(
        self,
        pipeline: Any,
        setup: Setup,
        dtype: str,
        *,
        lora_file: Path | None = None,
        record_paths: bool = False,
        quantize: str | None = None,
    ) -> None:
        self.pipeline, self.setup, self.dtype, self.record_paths = pipeline, setup, dtype, record_paths
        self.quantize = quantize
        if setup.exported is None:
            self._weights = weights_of_model(setup.model)
            lora = lora_file or setup.recipe.lora
            self._lora_weights = None if lora is None else weights_of_lora(lora)
            self._part_weights = [weights_of_part(part) for part in setup.parts]

    @property
    def model(self) -> Model:
        """The base model."""
        return self.setup.model

    @property
    def recipe(self) -> Recipe:
        """The method with its defaults for steps, guidance scale and eta."""
        return self.setup.recipe

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
        **inputs: Any,
    ) -> list[Any]:
        """Generate images, or clips for the task ``animate``.

        Args:
            prompt: what the images should show.
            negative_prompt: what they should not show; only used with a guidance scale above 1, and not used by UNets
                with guidance embedding.
            seed: the seed of the first image, 0 or more; the following images have the following numbers.
            count: the number of images.
            steps: number of inference steps, from 1 to the method's ``max_steps``; None for the recipe's.
            guidance_scale: None for the recipe's; above 1, the UNet processes a batch of twice the size.
            eta: the stochasticity parameter, 0 to 1; None for the recipe's.
            size: pixels, or (width, height); None for the model's. With an input image, None keeps its proportions.
            batch_size: how many images are computed at once. Each image has its own noise stream, so an image generated
                alone and in a batch differs only by rounding.
            inputs: what the task takes. Images are paths, URLs, PIL images or arrays.

                - ``image``: the image to start from (image-to-image) or to change (inpainting).
                - ``mask``: white where the image changes (inpainting).
                - ``strength``: share of the noise schedule that is applied, above 0 and at most 1.
                - ``control``: the image whose map the ControlNet or T2I-Adapter follows; a list for several networks.
                - ``control_scale``: the weight of the map, 0 or more; a list for several networks.
                - ``reference``: the image that the IP-Adapter follows.
                - ``reference_scale``: the weight of the reference, from 0 (ignored) to about 1.
                - ``frames``: the number of frames of a clip.

        Returns:
            ``count`` images, :class:`~mindone_tcd.generate.generated_image.GeneratedImage`, with their records; for
            the task ``animate``, as many :class:`~mindone_tcd.generate.generated_clip.GeneratedClip`.

        Raises:
            UsageError: if a value is invalid, before any work.
        """
        request = request_for(
            self.setup,
            prompt,
            negative_prompt=negative_prompt,
            seed=seed,
            count=count,
            steps=steps,
            guidance_scale=guidance_scale,
            eta=eta,
            size=size,
            inputs=read_inputs(self.setup, inputs),
        )
        return [each for batch in self.batches(request, batch_size) for each in batch]

    def batches(
        self, request: Request, batch_size: int = 4, on_step: Callable[[int, Any], object] | None = None
    ) -> Iterator[list[Any]]:
        """Yield the images of a checked request as they are finished, ``batch_size`` at a time; clips one at a time.

        Args:
            request: the request.
            batch_size: 1 or more.
            on_step: called after each step with its index, from 0, and the denoised latents of the batch.
        """
        batch_size = 1 if self.setup.animated else whole_number(batch_size, "batch_size", 1)
        for start in range(0, len(request.seeds), batch_size):
            yield self.make_batch(request, request.seeds[start : start + batch_size], on_step)

    @one_at_a_time
    def make_batch(
        self, request: Request, seeds: tuple[int, ...], on_step: Callable[[int, Any], object] | None = None
    ) -> list[Any]:
        """Generate the images of these seeds in one batch.

        Args:
            request: the request.
            seeds: some of its seeds.
            on_step: called after each step with its index, from 0, and the denoised latents.
        """
        options: dict[str, Any] = {} if request.eta is None else {"eta": request.eta}
        if request.negative_prompt and heeds_negative_prompt(self.model, request.guidance_scale):
            options["negative_prompt"] = text_for(self.model, request.negative_prompt)
        for feature in self.setup.features:
            options.update(feature.arguments(request, self.setup, len(seeds)))
        if self.setup.of("ip-adapter"):
            self.pipeline.set_ip_adapter_scale(request.inputs.one("reference").scale)
        animated = self.setup.animated
        if not any("strength" in feature.takes and "mask" not in feature.takes for feature in self.setup.features):
            options.update(width=request.width, height=request.height)
        options["num_videos_per_prompt" if animated else "num_images_per_prompt"] = len(seeds)
        self.pipeline.scheduler.observer = on_step
        try:
            made = self.pipeline(
                prompt=text_for(self.model, request.prompt),
                num_inference_steps=request.steps,
                guidance_scale=request.guidance_scale,
                generator=[generator(seed) for seed in seeds],
                **options,
            )[0]
        finally:
            self.pipeline.scheduler.observer = None
        records = [self._record(request, seeds, k) for k in range(len(seeds))]
        kind = GeneratedClip if animated else GeneratedImage
        return [kind(content, record) for content, record in zip(made, records, strict=True)]

    @one_at_a_time
    def control_maps(self, request: Request) -> list[Image.Image]:
        """Return the map of each control image of a request, RGB, in its size."""
        return control_maps(request, self.setup)

    def _record(self, request: Request, seeds: tuple[int, ...], index: int) -> dict[str, Any]:
        from .. import cpu

        form: bool | str = False
        kernels = "stock"
        exported: dict[str, Any] = {}
        if self.setup.exported is not None:
            exported = {"exported": self.setup.exported.sha256}
        else:
            from ..compiled.pipeline import compiled_form

            graphs = compiled_form(self.pipeline)
            form = False if graphs is None else graphs.form
            kernels = "native" if cpu.enabled() and cpu.native_kernels() else "stock"
        return {
            "task": self.setup.task,
            **request.as_record(self.record_paths),
            "seed": seeds[index],
            "batch_seeds": list(seeds),
            **self.sources(),
            "dtype": self.dtype,
            **({} if self.quantize is None else {"quantize": self.quantize}),
            "compile": form,
            **exported,
            "device": cpu.device(),
            "kernels": kernels,
            "versions": versions(),
        }

    def sources(self) -> dict[str, Any]:
        """Return the record fields for the method, model, LoRA and parts, with digests of the weights."""
        if self.setup.exported is not None:
            return exported_fields(self.setup)
        return {
            **model_fields(self.model, self._weights, self.record_paths),
            "method": self.recipe.method,
            **lora_fields(self.model, self.recipe, self._lora_weights, self.record_paths),
            **part_fields(self.setup, self._part_weights, self.record_paths),
        }


def read_inputs(setup: Setup, given: dict[str, Any]) -> Inputs:
    """Check the arguments of a call that depend on the task, before anything slow.

    Args:
        setup: what is loaded, or will be.
        given: the arguments by name; None is the same as a missing one.

    Raises:
        UsageError: if one is unknown, is not for this task, is missing or invalid.
    """
    present = {name: value for name, value in given.items() if value is not None}
    takes = [name for feature in setup.features for name in feature.takes]
    for name in present:
        if name not in takes:
            offer = f"it takes: {', '.join(takes)}" if takes else "it takes no inputs besides the prompt"
            raise UsageError(f"the task {setup.task} with these parts does not take {name}; {offer}")
    read = [
        feature.read({name: present[name] for name in feature.takes if name in present}, setup)
        for feature in setup.features
    ]
    return Inputs(
        tuple(source for inputs in read for source in inputs.sources),
        {name: value for inputs in read for name, value in inputs.numbers.items()},
    )
