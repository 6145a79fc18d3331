"""Random weights: a function of the name, and of a size that keeps activations in range."""

import numpy as np
import pytest

from mindone_tcd.tiny_models.values import values


@pytest.mark.parametrize(
    ("key", "shape", "mean", "deviation"),
    [
        ("down_blocks.0.resnets.0.conv1.weight", (64, 32, 3, 3), 0, (32 * 9) ** -0.5),
        ("mid_block.attentions.0.proj_in.weight", (64, 64), 0, 1 / 8),
        ("controlnet_down_blocks.0.weight", (64, 64, 1, 1), 0, 1 / 8),
        ("up_blocks.0.resnets.0.norm1.weight", (4096,), 1, 0.1),
        ("conv_in.bias", (4096,), 0, 0.05),
        ("concept_embeds_weights", (4096,), 0.44, 0.02),
        ("concept_embeds", (17, 64), 0, 1 / 8),
        ("text_model.embeddings.token_embedding.weight", (600, 32), 0, 0.5),
        ("unet.mid_block.attentions.0.proj_in.lora_B.weight", (512, 4), 0, 0.15),
    ],
)
def test_mean_and_deviation(key, shape, mean, deviation):
    drawn = values(f"model/{key}", key, shape)
    assert drawn.shape == shape
    assert abs(drawn.mean() - mean) < 5 * deviation / drawn.size**0.5
    assert drawn.std() == pytest.approx(deviation, rel=0.1)


def test_the_name_determines_the_values():
    a, again, b = (values(name, "to_q.weight", (8, 8)) for name in ("a/to_q.weight", "a/to_q.weight", "b/to_q.weight"))
    np.testing.assert_array_equal(a, again)
    assert (a != b).all()


def test_position_codes_are_sinusoids():
    codes = values("m/pos_embed.pe", "motion_modules.0.transformer_blocks.0.pos_embed.pe", (1, 16, 8))
    np.testing.assert_allclose(codes[0, :, 0::2] ** 2 + codes[0, :, 1::2] ** 2, 1)
    np.testing.assert_allclose(codes[0, :, 0], np.sin(np.arange(16)))
    np.testing.assert_allclose(codes[0, :, 7], np.cos(np.arange(16) / 1000))
