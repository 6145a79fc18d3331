"""A comparison case as plain data, and code that runs it in either framework: mindone_tcd, or diffusers on torch.

The arguments of a case can contain objects that are created when it runs: a tiny random model, an image, a tensor.
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

from mindone_tcd import shapes
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse

PIXELS = 64


@dataclass(frozen=True)
class Folder:
    """The folder of a tiny random model."""

    name: str
    seed: int = 0


@dataclass(frozen=True)
class Shipped:
    """The folder of a trained model of the package."""

    name: str


@dataclass(frozen=True)
class Drawing:
    """A drawing of a caption, 128×128, or one of its maps: "edges", "depth" or "normals"."""

    caption: str
    kind: str | None = None

    def image(self) -> Image.Image:
        drawn = (draw(parse(self.caption), 128) * 255).round().astype(np.uint8)
        return Image.fromarray(drawn if self.kind is None else getattr(maps, self.kind)(drawn))


@dataclass(frozen=True)
class DrawingMask:
    """A mask of 128×128: white around the middle."""

    def image(self) -> Image.Image:
        pixels = np.zeros((128, 128), np.uint8)
        pixels[24:104, 24:104] = 255
        return Image.fromarray(pixels)


@dataclass(frozen=True)
class Model:
    """A tiny random or trained model, loaded with the class of that name and these options."""

    loader: str
    source: Folder | Shipped
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Several:
    """Several models, combined by the class of that name."""

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
        """The smoothed brightness of the image, interpreted as nearness; in [0, 1]."""
        # Smoothing bytes is exact on every machine, and so are the stored references.
        near = cv2.GaussianBlur(np.asarray(Photo.image(self).convert("L")), (5, 5), 0).astype(np.float64)
        return (near - near.min()) / np.ptp(near)


class Canny(Photo):
    """The edges of a photo, white on black."""

    def image(self) -> Image.Image:
        return _grey(cv2.Canny(np.asarray(super().image()), 50, 100))


class Depth(Photo):
    """A depth map: white is near."""

    def image(self) -> Image.Image:
        return _grey((self.heights() * 255).astype(np.uint8))


class Normals(Photo):
    """A normal map of the depth map: red points left, green up, blue to the viewer."""

    def image(self) -> Image.Image:
        down, right = np.gradient(self.heights() * self.size / 4)
        normals = np.stack([right, down, np.ones_like(down)], axis=-1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        return Image.fromarray(((normals + 1) * 127.5).astype(np.uint8))


def _grey(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.stack([pixels] * 3, axis=-1))


@dataclass(frozen=True)
class Mask:
    """A mask for inpainting: white in the lower right part."""

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
        use: its cell in the table of docs/pipelines.md.
        method: the distillation: TCD-LoRA, LCM-LoRA, guidance embedding.
        pipeline: the name of the class.
        base: the tiny random model, or the trained one.
        scheduler: the name of the scheduler class; None for the scheduler of the folder.
        parts: models that are loaded first and passed to ``from_pretrained``; a list for several.
        setup: calls of the loaded pipeline: name of the method, arguments, keyword arguments.
        call: keyword arguments of the pipeline; num_inference_steps and output_type="np" are defaults.
        left_out: keyword arguments that mindone_tcd fills in and diffusers needs.
        seeds: the seeds of the generators, one for each image; or one number for a single generator.
        keep: the interval of the stored pixels of an image.
        made_from: the name of a class that is loaded and set up first, and passed to ``from_pipe`` of ``pipeline``.
    """

    use: str
    method: str
    pipeline: str
    base: str | Folder | Shipped
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
        """A key that is equal for cases that can share a loaded pipeline."""
        return repr((self.pipeline, self.base, self.scheduler, self.parts, self.setup, self.made_from))

    @property
    def in_bytes(self) -> bool:
        """Whether the pixels of its images are integers."""
        return self.call.get("output_type") == "pil"


class Framework(Protocol):
    """The functions of mindone or diffusers that a case needs.

    Attributes:
        told_all: whether its pipelines need the arguments that mindone_tcd fills in.
    """

    told_all: bool

    def get(self, name: str) -> Any: ...
    def tensor(self, array: np.ndarray) -> Any: ...
    def array(self, tensor: Any) -> np.ndarray: ...
    def noise(self) -> contextlib.AbstractContextManager: ...
    def set_up(self, pipe: Any, method: str, args: tuple, options: dict) -> None: ...


class Mindone:
    """mindone's pipelines, imported from mindone_tcd."""

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

    def set_up(self, pipe: Any, method: str, args: tuple, options: dict) -> None:
        getattr(pipe, method)(*args, **options)


Folders = Callable[[str, int], Path]


class Runner:
    """Runs cases in one framework. Caches the last pipeline for a next case that loads the same one."""

    def __init__(self, framework: Framework, folders: Folders) -> None:
        self.framework, self.folders = framework, folders
        self._loaded: tuple[str, Any] = ("", None)

    def __call__(self, case: Case) -> np.ndarray:
        """The result of the case's pipeline, with noise from PCG64 generators: float32, pixels in [0, 1]."""
        pipe = self.loaded(case)
        given = case.call | (case.left_out if self.framework.told_all else {})
        call = {"num_inference_steps": 3, "output_type": "np"} | _resolve(given, self.framework, self.folders)
        with self.framework.noise():
            out = pipe(generator=streams(case.seeds), **call)[0]
        if case.in_bytes:
            return np.stack([np.asarray(image) for image in out]).astype(np.float32) / 255
        return np.asarray(self.framework.array(out), np.float32)

    def loaded(self, case: Case) -> Any:
        """The pipeline of a case: the cached one if it was loaded in the same way."""
        if self._loaded[0] != case.loading:
            self._loaded = (case.loading, self.load(case))
        return self._loaded[1]

    def load(self, case: Case) -> Any:
        """The pipeline of a case, with its scheduler and the calls of ``setup``."""
        base = _resolve(Folder(case.base) if isinstance(case.base, str) else case.base, self.framework, self.folders)
        parts = _resolve(case.parts, self.framework, self.folders)
        first = self.framework.get(case.made_from or case.pipeline)
        pipe = first.from_pretrained(base, **parts)
        if case.scheduler is not None:
            pipe.scheduler = self.framework.get(case.scheduler).from_config(pipe.scheduler.config)
        for method, args, options in _resolve(case.setup, self.framework, self.folders):
            self.framework.set_up(pipe, method, args, options)
        if case.made_from is not None:
            pipe = self.framework.get(case.pipeline).from_pipe(pipe)
        pipe.set_progress_bar_config(disable=True)
        return pipe


DEPTHS = {"dpt": 32, "dpt-hybrid": 64}
"""The tiny random models of DPT, and the size of their images."""


def depth(framework: Framework, folders: Folders, name: str, seed: int = 9) -> np.ndarray:
    """The depth maps of two images of noise from a tiny random DPT model: (2, size, size), float32."""
    model = _resolve(Model("DPTForDepthEstimation", Folder(name)), framework, folders)
    pixels = _resolve(Numbers(seed, (2, 3, DEPTHS[name], DEPTHS[name])), framework, folders)
    return framework.array(model(pixel_values=pixels, return_dict=True).predicted_depth)


def streams(seeds: tuple[int, ...] | int) -> Any:
    """The generators for a pipeline call."""
    if isinstance(seeds, int):
        return np.random.Generator(np.random.PCG64(seeds))
    return [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]


def kept(case: Case, images: np.ndarray) -> np.ndarray:
    """The stored part: every ``keep``-th pixel of images (..., height, width, 3), or all latents."""
    return images if images.shape[-1] != 3 else images[..., 1 :: case.keep, 1 :: case.keep, :]


def _resolve(value: Any, framework: Framework, folders: Folders) -> Any:
    def inner(v: Any) -> Any:
        return _resolve(v, framework, folders)

    if isinstance(value, Folder):
        return str(folders(value.name, value.seed))
    if isinstance(value, Shipped):
        return str(shapes.model(value.name))
    if isinstance(value, Model):
        return framework.get(value.loader).from_pretrained(inner(value.source), **inner(value.options))
    if isinstance(value, Several):
        return framework.get(value.maker)(list(inner(value.models)))
    if isinstance(value, Photo | Mask | Drawing | DrawingMask):
        return value.image()
    if isinstance(value, Numbers):
        numbers = np.random.Generator(np.random.PCG64(value.seed)).standard_normal(value.shape)
        return framework.tensor(numbers.astype(np.float32))
    if isinstance(value, dict):
        return {key: inner(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(inner(v) for v in value)
    return value
