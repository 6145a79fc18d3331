"""Depth and normal maps of photos, by a tiny random DPT model."""

import numpy as np
import pytest
from PIL import Image
from tiny_tasks import apart, made, opened, photo

from mindone_tcd.generate.tasks import depth_estimator
from mindone_tcd.generate.tasks.depth_estimator import estimated_depth, estimated_map


@pytest.mark.parametrize("name", ["dpt", "dpt-hybrid"])
def test_the_depth_of_a_photo(folders, name):
    depth = estimated_depth(photo(1, (96, 64)), folders(name))
    assert (depth.shape, depth.dtype) == ((64, 96), np.float32)
    assert (depth.min(), depth.max()) == (0, pytest.approx(1, abs=0.2))
    assert np.abs(depth - estimated_depth(photo(2, (96, 64)), folders(name))).max() > 1e-3


def test_a_depth_map_is_gray(folders):
    found = estimated_map("depth", photo(1, (96, 64)), folders("dpt-hybrid"))
    pixels = np.asarray(found)
    assert (found.mode, found.size) == ("RGB", (96, 64))
    assert (pixels == pixels[..., :1]).all()
    assert pixels.max() > 200


def test_a_normal_map_has_unit_vectors(folders, monkeypatch):
    slope = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    monkeypatch.setattr(depth_estimator, "estimated_depth", lambda image, model: slope)
    pixels = np.asarray(estimated_map("normal", photo(1), None))
    vectors = pixels / 127.5 - 1
    # 8 bits have steps of 1/127.5.
    assert np.abs(np.linalg.norm(vectors, axis=-1) - 1).max() < 0.02
    assert vectors[32, 32, 0] > 0.2, "the surface rises to the right, so it faces left"
    assert abs(vectors[32, 32, 1]) < 0.01
    monkeypatch.setattr(depth_estimator, "estimated_depth", lambda image, model: np.zeros((64, 64), np.float32))
    assert (np.asarray(estimated_map("normal", photo(1), None)) == [128, 128, 255]).all()


def test_the_model_is_loaded_once(folders):
    depth_estimator._estimator.cache_clear()
    for k in (1, 2):
        estimated_depth(photo(k), folders("dpt"))
    assert depth_estimator._estimator.cache_info().misses == 1


@pytest.mark.parametrize(("kind", "base"), [("depth", "sdxl"), ("normal", "sd15")])
def test_a_controlnet_follows_the_map(folders, kind, base):
    network = {kind: folders(f"controlnet-{base}")}
    loaded = opened("controlnet", folders(base), control=network, depth_model=folders("dpt-hybrid"))
    first = made(loaded, control=photo(1))
    assert (made(loaded, control=photo(1)) == first).all()
    assert apart(made(loaded, control=photo(2)), first) > 1e-6
    passed = np.asarray(loaded.pipeline.calls[0]["image"])
    assert (passed == np.asarray(estimated_map(kind, photo(1), folders("dpt-hybrid")))).all()


def test_a_uniform_photo(folders):
    pixels = np.asarray(estimated_map("depth", Image.new("RGB", (64, 64), "gray"), folders("dpt")))
    assert pixels.shape == (64, 64, 3)
