"""A comparison case as plain data, and how either framework runs it: mindone by our package, or diffusers on torch.

A case's arguments may name things that are created when it runs: the folder of a tiny random model, an image, a tensor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

PIXELS = 64


@dataclass(frozen=True)
class Folder:
    """The folder of a tiny random model."""

    name: str
    seed: int = 0


@dataclass(frozen=True)
class Model:
    """A model loaded from a tiny random model: by the class of that name, with these options."""

    loader: str
    source: Folder
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Several:
    """Models that the class of that name makes one of."""

    maker: str
    models: tuple[Model, ...]


@dataclass(frozen=True)
class Photo:
    """An RGB image with smooth and sharp parts."""

    seed: int
    size: int = PIXELS

    def image(self) -> Image.Image:
        y, x = np.mgrid[: self.size, : self.size] / self.size
        tilt, *colours = np.random.Generator(np.random.PCG64(self.seed)).uniform(0.2, 0.8, 7)
        back, front = np.array(colours).reshape(2, 3)
        disc = (np.hypot(x - tilt, y - 0.5) < 0.25)[..., None]
        pixels = np.where(disc, front, back) * (0.6 + 0.4 * np.sin(7 * (x + tilt * y)))[..., None]
        return Image.fromarray((pixels * 255).astype(np.uint8))

    def heights(self) -> np.ndarray:
        """The image's brightness taken as nearness, smoothed; in [0, 1]."""
        # Of bytes, the smoothing is exact on every machine, as are the stored references then.
        near = cv2.GaussianBlur(np.asarray(Photo.image(self).convert("L")), (5, 5), 0).astype(np.float64)
        return (near - near.min()) / np.ptp(near)


class Canny(Photo):
    """A photo's edges, white on black."""

    def image(self) -> Image.Image:
        return _grey(cv2.Canny(np.asarray(super().image()), 50, 100))


class Depth(Photo):
    """A depth map: white is near."""

    def image(self) -> Image.Image:
        return _grey((self.heights() * 255).astype(np.uint8))


class Normals(Photo):
    """A normal map of the surface of those depths: red faces left, green up, blue the viewer."""

    def image(self) -> Image.Image:
        down, right = np.gradient(self.heights() * self.size / 4)
        normals = np.stack([right, down, np.ones_like(down)], axis=-1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        return Image.fromarray(((normals + 1) * 127.5).astype(np.uint8))


def _grey(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.stack([pixels] * 3, axis=-1))


@dataclass(frozen=True)
class Mask:
    """White where an image is to be painted anew: its lower right part."""

    size: int = PIXELS

    def image(self) -> Image.Image:
        pixels = np.zeros((self.size, self.size), np.uint8)
        pixels[self.size // 4 :, self.size // 2 :] = 255
        return Image.fromarray(pixels)


@dataclass(frozen=True)
class Numbers:
    """A float32 tensor of standard normals, such as prompt embeddings."""

    seed: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One way to use one pipeline.

    Attributes:
        use: the cell of docs/pipelines.md that it belongs to.
        method: what makes it fast: TCD-LoRA, LCM-LoRA, guidance embedding.
        pipeline: name of the class.
        base: the tiny random model that it is loaded from.
        scheduler: name of the class put in; None keeps the folder's own.
        parts: models that are loaded first and given to ``from_pretrained``; a list for several.
        setup: calls on the loaded pipeline: name of the method, arguments, keyword arguments.
        call: keyword arguments of the pipeline; num_inference_steps and output_type="np" are defaults.
        left_out: keyword arguments that our package's users may leave out and diffusers must be given.
        seeds: of the noise streams, one for each image; or one number for a single stream.
        keep: of an image every so many pixels are stored.
        made_from: name of the class that is loaded and set up first, and handed to ``from_pipe`` of ``pipeline``.
    """

    use: str
    method: str
    pipeline: str
    base: str | Folder
    scheduler: str | None = "TCDScheduler"
    parts: dict[str, Any] = field(default_factory=dict)
    setup: tuple[tuple[str, tuple, dict], ...] = ()
    call: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] | int = (3,)
    keep: int = 4
    made_from: str | None = None

    @property
    def loading(self) -> str:
        """Equal for cases that can share a loaded pipeline."""
        return repr((self.pipeline, self.base, self.scheduler, self.parts, self.setup, self.made_from))

    @property
    def in_bytes(self) -> bool:
        """Whether it gives images of whole numbers."""
        return self.call.get("output_type") == "pil"


class Framework(Protocol):
    """What a case asks of mindone or diffusers.

    Attributes:
        told_all: whether its pipelines must be given what our package fills in by itself.
    """

    told_all: bool

    def get(self, name: str) -> Any: ...
    def tensor(self, array: np.ndarray) -> Any: ...
    def array(self, tensor: Any) -> np.ndarray: ...
    def noise(self) -> contextlib.AbstractContextManager: ...


class Mindone:
    """mindone's pipelines as users get them: from our package."""

    told_all = False

    def get(self, name: str) -> Any:
        import mindone_tcd

        return getattr(mindone_tcd, name)

    def tensor(self, array: np.ndarray) -> Any:
        import mindspore as ms

        return ms.Tensor(array)

    def array(self, tensor: Any) -> np.ndarray:
        return tensor if isinstance(tensor, np.ndarray) else tensor.asnumpy()

    def noise(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()


Folders = Callable[[str, int], Path]


class Runner:
    """Runs cases in one framework; keeps the last pipeline for a next case that is loaded alike."""

    def __init__(self, framework: Framework, folders: Folders) -> None:
        self.framework, self.folders = framework, folders
        self._loaded: tuple[str, Any] = ("", None)

    def __call__(self, case: Case) -> np.ndarray:
        """What the case's pipeline gives, with its noise drawn from PCG64 streams: float32, pixels in [0, 1]."""
        pipe = self.loaded(case)
        given = case.call | (case.left_out if self.framework.told_all else {})
        call = {"num_inference_steps": 3, "output_type": "np"} | _resolve(given, self.framework, self.folders)
        with self.framework.noise():
            out = pipe(generator=streams(case.seeds), **call)[0]
        if case.in_bytes:
            return np.stack([np.asarray(picture) for picture in out]).astype(np.float32) / 255
        return np.asarray(self.framework.array(out), np.float32)

    def loaded(self, case: Case) -> Any:
        """The pipeline of a case, the last one where that was loaded alike."""
        if self._loaded[0] != case.loading:
            self._loaded = (case.loading, self.load(case))
        return self._loaded[1]

    def load(self, case: Case) -> Any:
        """The pipeline of a case, with its scheduler and all that ``setup`` asks for."""
        base = case.base if isinstance(case.base, Folder) else Folder(case.base)
        parts = _resolve(case.parts, self.framework, self.folders)
        first = self.framework.get(case.made_from or case.pipeline)
        pipe = first.from_pretrained(str(self.folders(base.name, base.seed)), **parts)
        if case.scheduler is not None:
            pipe.scheduler = self.framework.get(case.scheduler).from_config(pipe.scheduler.config)
        for method, args, options in _resolve(case.setup, self.framework, self.folders):
            getattr(pipe, method)(*args, **options)
        if case.made_from is not None:
            pipe = self.framework.get(case.pipeline).from_pipe(pipe)
        pipe.set_progress_bar_config(disable=True)
        return pipe


DEPTHS = {"dpt": 32, "dpt-hybrid": 64}
"""The tiny random models of DPT, and the size of their images."""


def depth(framework: Framework, folders: Folders, name: str, seed: int = 9) -> np.ndarray:
    """The depth of two images of noise by one of the DPT tiny random models: (2, size, size), float32."""
    model = _resolve(Model("DPTForDepthEstimation", Folder(name)), framework, folders)
    pixels = _resolve(Numbers(seed, (2, 3, DEPTHS[name], DEPTHS[name])), framework, folders)
    return framework.array(model(pixel_values=pixels, return_dict=True).predicted_depth)


def streams(seeds: tuple[int, ...] | int) -> Any:
    """The generators that a pipeline is called with."""
    if isinstance(seeds, int):
        return np.random.Generator(np.random.PCG64(seeds))
    return [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]


def kept(case: Case, pictures: np.ndarray) -> np.ndarray:
    """The part that is stored: of images (..., height, width, 3) every so many pixels, of latents all."""
    return pictures if pictures.shape[-1] != 3 else pictures[..., 1 :: case.keep, 1 :: case.keep, :]


def _resolve(value: Any, framework: Framework, folders: Folders) -> Any:
    def inner(v: Any) -> Any:
        return _resolve(v, framework, folders)

    if isinstance(value, Folder):
        return str(folders(value.name, value.seed))
    if isinstance(value, Model):
        return framework.get(value.loader).from_pretrained(inner(value.source), **inner(value.options))
    if isinstance(value, Several):
        return framework.get(value.maker)(list(inner(value.models)))
    if isinstance(value, Photo | Mask):
        return value.image()
    if isinstance(value, Numbers):
        numbers = np.random.Generator(np.random.PCG64(value.seed)).standard_normal(value.shape)
        return framework.tensor(numbers.astype(np.float32))
    if isinstance(value, dict):
        return {key: inner(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(inner(v) for v in value)
    return value
