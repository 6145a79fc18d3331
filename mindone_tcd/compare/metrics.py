"""How similar two images are, and how many images the judge accepts."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..shapes.grammar import Scene
from ..shapes.judge import STRICT_OVERLAP, Verdict, judge

INSTALL = 'pip install -c constraints.txt -e ".[compare]"'

LEAST_SIDE = 11
"""The width in pixels of the window of SSIM."""


@dataclass(frozen=True)
class Similarity:
    """How similar the images of a side are to those of the first side.

    Attributes:
        psnr: the peak signal-to-noise ratio of each pair of images, in dB; infinite for equal images.
        ssim: the structural similarity of each pair, at most 1.
        mean: the mean difference of the pixels of all pairs, of 255.
        largest: the largest difference of a pixel, of 255.
    """

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]
    mean: float
    largest: int

    @property
    def equal(self) -> int:
        """The number of pairs of equal images."""
        return sum(math.isinf(value) for value in self.psnr)


@dataclass(frozen=True)
class Judged:
    """How many images show what their prompts say.

    Attributes:
        images: the number of images.
        right: the number with the shape, color, background and relation of the prompt, at an overlap of 0.8.
        strict: the same at an overlap of 0.9.
    """

    images: int
    right: int
    strict: int


def require_scikit_image() -> None:
    """Check that scikit-image is installed.

    Raises:
        UsageError: if it is not.
    """
    if importlib.util.find_spec("skimage") is None:
        raise UsageError(f"a comparison needs scikit-image, which is not installed; run {INSTALL}")


def similarity(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> Similarity:
    """Compare images with those of the first side.

    PSNR is that of all three channels together. SSIM is that of Wang et al. (2004): a Gaussian window with a deviation
    of 1.5 pixels, the mean over the channels.

    Args:
        expected: the images of the first side, uint8 (H, W, 3), at least 11 pixels wide and high.
        found: as many images of the same sizes.

    Raises:
        UsageError: if two images have different sizes.
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr, ssim, differences = [], [], []
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape:
            sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (one, other)]
            raise UsageError(f"the sides generate images of {sizes[0]} and {sizes[1]}; pass one size with --size")
        difference = np.abs(one.astype(np.int16) - other)
        differences.append(difference)
        # scikit-image divides by zero for equal images.
        psnr.append(peak_signal_noise_ratio(one, other, data_range=255) if difference.any() else math.inf)
        ssim.append(
            structural_similarity(
                one,
                other,
                data_range=255,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    return Similarity(
        tuple(map(float, psnr)),
        tuple(map(float, ssim)),
        float(np.mean([difference.mean() for difference in differences])),
        int(max(difference.max() for difference in differences)),
    )


def judged(images: Sequence[np.ndarray], scenes: Sequence[Scene]) -> Judged:
    """Count the images that show their scenes.

    Args:
        images: uint8 (H, H, 3).
        scenes: what each image should show.
    """
    verdicts: list[Verdict] = [
        judge(image.astype(np.float32) / 255, scene) for image, scene in zip(images, scenes, strict=True)
    ]
    return Judged(
        len(verdicts),
        sum(verdict.right for verdict in verdicts),
        sum(verdict.right_at(STRICT_OVERLAP) for verdict in verdicts),
    )
