"""PSNR and SSIM against their definitions, and the counts of the judge."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mindone_tcd import UsageError
from mindone_tcd.compare import metrics
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse

needs_scikit_image = pytest.mark.skipif(
    metrics.importlib.util.find_spec("skimage") is None, reason="needs the [compare] extra"
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.uniform(0, 255, (40, 32, 3)), (3, 3, 0))
    other = smooth + rng.normal(0, 4, smooth.shape)
    return smooth.round().astype(np.uint8), other.clip(0, 255).round().astype(np.uint8)


def ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. (2004), equation 13, the mean over all windows inside the image and all channels."""

    def mean(values):
        return gaussian_filter(values, (1.5, 1.5, 0), truncate=3.5)

    x, y = x.astype(float), y.astype(float)
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return found[5:-5, 5:-5].mean()


@needs_scikit_image
def test_metrics_are_those_of_their_definitions(pair):
    one, other = pair
    difference = one.astype(float) - other
    found = metrics.similarity([one], [other])
    # Both sides compute in float64.
    assert found.psnr[0] == pytest.approx(10 * math.log10(255**2 / (difference**2).mean()), rel=1e-12)
    assert found.ssim[0] == pytest.approx(ssim_by_definition(one, other), rel=1e-9)
    assert found.mean == pytest.approx(np.abs(difference).mean(), rel=1e-12)
    assert found.largest == np.abs(difference).max()
    assert found.equal == 0


@needs_scikit_image
def test_equal_images(pair):
    one, other = pair
    found = metrics.similarity([one, one], [one, other])
    assert found.psnr[0] == math.inf
    assert found.ssim[0] == 1
    assert found.equal == 1


@needs_scikit_image
def test_images_of_other_sizes_are_refused(pair):
    with pytest.raises(UsageError, match="images of 32x40 and 32x32"):
        metrics.similarity([pair[0]], [pair[1][:32]])


def test_the_judge_counts():
    scenes = [parse("a red circle on a blue background"), parse("a green star on a white background")]
    images = [(draw(scene, 128) * 255).astype(np.uint8) for scene in scenes]
    assert metrics.judged(images, scenes) == metrics.Judged(2, 2, 2)
    assert metrics.judged(images[:1] * 2, scenes) == metrics.Judged(2, 1, 1)


def test_a_missing_library_is_one_line(monkeypatch):
    find = metrics.importlib.util.find_spec
    monkeypatch.setattr(metrics.importlib.util, "find_spec", lambda name: None if name == "skimage" else find(name))
    with pytest.raises(UsageError, match=r"needs scikit-image.*\[compare\]"):
        metrics.require_scikit_image()
