"""Replaced functions of mindone, in both modes, and complete models compared with diffusers on torch."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint
from tiny_sdxl import UNET, VAE

from mindone_tcd import cpu
from mindone_tcd.cpu import attention as attention_kernels
from mindone_tcd.cpu import mindone_functions
from mindone_tcd.patching import PatchError

from . import numpy_reference as ref
from .test_kernels import assert_close

MODES = pytest.mark.parametrize("compiled", [False, True], ids=["pynative", "graph"])


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@MODES
def test_geglu(compiled):
    from mindone.diffusers.models.activations import GEGLU

    layer, x = GEGLU(8, 5), normal(2, 3, 8)
    w, b = (parameter.asnumpy().astype(np.float64) for parameter in layer.get_parameters())

    def run(x):
        return layer(x)

    both = ref.linear(x.astype(np.float64), w, b)
    result = (ms.jit(run) if compiled else run)(Tensor(x))
    assert_close(result.asnumpy(), both[..., :5] * ref.gelu(both[..., 5:]))


@MODES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("upcast", [False, True])
def test_attention_scores(compiled, masked, upcast):
    from mindone.diffusers.models.attention_processor import Attention

    attention = Attention(8, heads=2, dim_head=4, upcast_attention=upcast, upcast_softmax=upcast)
    query, key, mask = normal(4, 5, 4), normal(4, 7, 4), 3 * normal(4, 1, 7)

    def run(query, key, mask):
        return attention.get_attention_scores(query, key, mask if masked else None)

    dtype = ms.float16 if upcast else ms.float32
    result = (ms.jit(run) if compiled else run)(Tensor(query, dtype), Tensor(key, dtype), Tensor(mask, dtype))
    assert result.dtype == dtype
    expected = ref.softmax(query.astype(np.float64) @ key.swapaxes(1, 2) / 2 + (mask if masked else 0))
    # With upcasting the inputs and the result are float16: 5e-4 of rounding each.
    assert_close(result.asnumpy(), expected, 5e-3 if upcast else 1e-5)


def softmax_attention(query, key, value, mask=0.0):
    """Attention of tensors (matrices, length, width), scaled by 1/2."""
    query, key, value = (x.astype(np.float64) for x in (query, key, value))
    return ref.softmax(query @ key.swapaxes(1, 2) / 2 + mask) @ value


@MODES
@pytest.mark.parametrize("masked", ["no", "keys", "all", "heads", "bool"])
@pytest.mark.parametrize("at_once", [1 << 20, 3 * 4 * 7])
def test_attention_in_slices_of_the_queries(compiled, masked, at_once, monkeypatch):
    """Three of ten queries at a time, so the last slice is smaller."""
    from mindone.diffusers.models.attention_processor import Attention

    monkeypatch.setattr(attention_kernels, "SCORES_AT_ONCE", at_once)
    layer = Attention(8, heads=2, dim_head=4)
    query, key, value = normal(2, 2, 10, 4), normal(2, 2, 7, 4), normal(2, 2, 7, 5)[..., 1:]
    mask = {
        "no": None,
        "keys": 3 * normal(4, 1, 7),
        "all": 3 * normal(4, 10, 7),
        "heads": 3 * normal(2, 2, 1, 7),
        "bool": normal(4, 10, 7) > -1,
    }[masked]

    def run(query, key, value, *mask):
        return layer.math_attention_op(query, key, value, *mask)

    given = [] if mask is None else [Tensor(mask)]
    result = (ms.jit(run) if compiled else run)(Tensor(query), Tensor(key), Tensor(value), *given)
    added = 0.0 if mask is None else np.where(mask, 0, -np.inf) if masked == "bool" else mask.reshape(4, -1, 7)
    expected = softmax_attention(*(x.reshape(4, *x.shape[2:]) for x in (query, key, value)), added)
    assert_close(result.asnumpy(), expected.reshape(query.shape))


def weighted_gradients(layer, *arguments):
    """The gradients of a weighted sum of a layer's output for its arguments and parameters, concatenated (some are
    0)."""
    weights = Tensor(normal(*layer(*arguments).shape))

    def total(*arguments):
        return (layer(*arguments) * weights).sum()

    gradients = ms.grad(total, tuple(range(len(arguments))), layer.trainable_params())(*arguments)
    return np.concatenate([gradient.asnumpy().ravel() for group in gradients for gradient in group])


def with_and_without(make, compare):
    """The result of `make` with native kernels, and its result with stock kernels."""
    before = cpu.native_kernels()
    try:
        cpu.use_native_kernels(True)
        found = make()
        cpu.use_native_kernels(False)
        expected = make()
    finally:
        cpu.use_native_kernels(before)
    compare(found, expected)


def compiled_once(names):
    """Each name in PyNative mode, and the first one in graph mode. The others in graph mode are marked slow."""
    for k, name in enumerate(names):
        yield pytest.param(name, False, id=f"{name}-pynative")
        yield pytest.param(name, True, id=f"{name}-graph", marks=pytest.mark.slow if k else ())


ATTENTION = {
    "self": ({}, (2, 6, 8), None),
    "cross": ({"cross_attention_dim": 5, "bias": True}, (2, 6, 8), (2, 3, 5)),
    "residual": ({"residual_connection": True, "rescale_output_factor": 2.0}, (2, 6, 8), None),
    "norms": ({"qk_norm": "layer_norm", "norm_num_groups": 2}, (2, 6, 8), None),
    "image": ({"norm_num_groups": 2, "residual_connection": True}, (2, 8, 3, 2), None),
    "cross norm": ({"cross_attention_dim": 5, "cross_attention_norm": "layer_norm"}, (2, 6, 8), (2, 3, 5)),
}


@pytest.mark.parametrize(("name", "compiled"), compiled_once(ATTENTION))
def test_attention_layers_are_the_same_with_native_kernels(name, compiled):
    from mindone.diffusers.models.attention_processor import Attention

    options, shape, text = ATTENTION[name]
    layer = Attention(8, heads=2, dim_head=4, **options)
    arguments = [Tensor(normal(*each)) for each in (shape, text) if each is not None]

    def run(*arguments):
        return layer(*arguments)

    def make():
        result = (ms.jit(run) if compiled else run)(*arguments)
        return [result.asnumpy(), weighted_gradients(layer, *arguments)]

    with_and_without(make, lambda found, expected: assert_close(found, expected, 1e-4))


RESIDUAL = {
    "usual": {"temb_channels": 6, "out_channels": 4},
    "no time": {"temb_channels": None},
    "scaled": {"temb_channels": 6, "output_scale_factor": 2.0},
    "time as it is": {"temb_channels": 6, "skip_time_act": True},
    "upsampling": {"temb_channels": 6, "up": True},
    "scale and shift": {"temb_channels": 6, "time_embedding_norm": "scale_shift"},
    "another activation": {"temb_channels": 6, "non_linearity": "gelu"},
}


@pytest.mark.parametrize(("name", "compiled"), compiled_once(RESIDUAL))
def test_residual_blocks_are_the_same_with_native_kernels(name, compiled):
    from mindone.diffusers.models.resnet import ResnetBlock2D

    block = ResnetBlock2D(in_channels=8, groups=2, eps=1e-5, **RESIDUAL[name])
    for parameter in block.get_parameters():
        parameter.set_data(Tensor(normal(*parameter.shape)))
    time = [] if RESIDUAL[name]["temb_channels"] is None else [Tensor(normal(2, 6))]
    x = Tensor(normal(2, 8, 4, 4))

    def run(x, *time):
        return block(x, *time) if time else block(x, None)

    def make():
        result = (ms.jit(run) if compiled else run)(x, *time)
        return [result.asnumpy(), *([weighted_gradients(block, x, *time)] if time else [])]

    with_and_without(make, lambda found, expected: assert_close(found, expected, 1e-4))


@MODES
@pytest.mark.parametrize("out_dim", [3, 4])
def test_attention_masks_are_repeated_for_each_head(compiled, out_dim):
    from mindone.diffusers.models.attention_processor import Attention

    attention, mask = Attention(8, heads=2, dim_head=4), normal(3, 1, 7)

    def run(mask):
        return attention.prepare_attention_mask(mask, 7, 3, out_dim)

    expected = mask.repeat(2, 0) if out_dim == 3 else mask[:, None].repeat(2, 1)
    assert_close((ms.jit(run) if compiled else run)(Tensor(mask)).asnumpy(), expected)


def test_chunked_feed_forward():
    from mindone.diffusers.models import attention

    x = Tensor(normal(2, 6, 3))
    result = attention._chunked_feed_forward(mint.nn.SiLU(), x, 1, 2)
    assert_close(result.asnumpy(), ref.silu(x.asnumpy().astype(np.float64)))
    with pytest.raises(ValueError, match="chunk_size=4"):
        attention._chunked_feed_forward(mint.nn.SiLU(), x, 1, 4)


def test_a_function_without_the_argument_does_not_match():
    with pytest.raises(PatchError, match="nothing that matches"):
        mindone_functions.without_output_size(normal)


CLIP = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "vocab_size": 50}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same random models, saved by diffusers and transformers on torch."""
    import diffusers
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(**CLIP, projection_dim=8, eos_token_id=2, bos_token_id=0, pad_token_id=1)
    models = {
        "unet": diffusers.UNet2DConditionModel(**UNET),
        "vae": diffusers.AutoencoderKL(**VAE),
        "text": transformers.CLIPTextModelWithProjection(config),
    }
    path = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.eval().save_pretrained(path / name)
    return path, models


# float32 through about 40 layers. If the two sides round a frequency differently (6e-8), the angle at timestep 999
# differs by 6e-5.
MODEL_TOLERANCE = 2e-5


@pytest.mark.parity
@MODES
def test_unet_equals_torch(folder, compiled):
    import torch
    from mindone.diffusers import UNet2DConditionModel

    path, models = folder
    x, text, pooled = normal(2, 4, 8, 8), normal(2, 7, UNET["cross_attention_dim"]), normal(2, 8)
    sizes = np.full((2, 6), 64.0, np.float32)
    with torch.no_grad():
        conditions = {"text_embeds": torch.from_numpy(pooled), "time_ids": torch.from_numpy(sizes)}
        expected = models["unet"](torch.from_numpy(x), 999, torch.from_numpy(text), added_cond_kwargs=conditions).sample
    unet = UNet2DConditionModel.from_pretrained(path / "unet").set_train(False)

    def run(x, t, text, pooled, sizes):
        conditions = {"text_embeds": pooled, "time_ids": sizes}
        return unet(x, t, text, added_cond_kwargs=conditions, return_dict=False)[0]

    run = ms.jit(run) if compiled else run
    result = run(Tensor(x), Tensor(999), Tensor(text), Tensor(pooled), Tensor(sizes))
    assert_close(result.asnumpy(), expected.numpy(), MODEL_TOLERANCE)


@pytest.mark.parity
@MODES
def test_vae_equals_torch(folder, compiled):
    import torch
    from mindone.diffusers import AutoencoderKL

    path, models = folder
    image, latents = normal(1, 3, 16, 16), normal(1, 4, 8, 8)
    with torch.no_grad():
        moments = models["vae"].encode(torch.from_numpy(image)).latent_dist.parameters
        decoded = models["vae"].decode(torch.from_numpy(latents)).sample
    vae = AutoencoderKL.from_pretrained(path / "vae").set_train(False)

    def run(image, latents):
        return vae.quant_conv(vae.encoder(image)), vae.decode(latents, return_dict=False)[0]

    results = (ms.jit(run) if compiled else run)(Tensor(image), Tensor(latents))
    assert_close([r.asnumpy() for r in results], [moments.numpy(), decoded.numpy()], MODEL_TOLERANCE)


@pytest.mark.parity
@MODES
def test_text_encoder_equals_torch(folder, compiled):
    import torch
    from mindone.transformers import CLIPTextModelWithProjection

    path, models = folder
    ids = np.random.default_rng(0).integers(3, 49, (2, 77))
    ids[:, 9] = 2
    with torch.no_grad():
        expected = models["text"](torch.from_numpy(ids), output_hidden_states=True)
    text = CLIPTextModelWithProjection.from_pretrained(path / "text").set_train(False)

    def run(ids):
        out = text(ids, output_hidden_states=True, return_dict=False)
        return out[0], out[2][-2]

    results = (ms.jit(run) if compiled else run)(Tensor(ids))
    wanted = [expected.text_embeds.numpy(), expected.hidden_states[-2].numpy()]
    assert_close([r.asnumpy() for r in results], wanted, MODEL_TOLERANCE)


@MODES
@pytest.mark.parametrize("width", [32, 320])
def test_timestep_embeddings_are_as_exact_as_float32_allows(compiled, width):
    """mindone's timestep embeddings, which compute their frequencies with `mint.exp`."""
    from mindone.diffusers.models.embeddings import get_timestep_embedding

    def run(t):
        return get_timestep_embedding(t, width, flip_sin_to_cos=True, downscale_freq_shift=0)

    t = np.array([999, 500, 1])
    angles = t[:, None] * np.exp(-np.log(10000) * np.arange(width // 2) / (width // 2))
    expected = np.concatenate([np.cos(angles), np.sin(angles)], -1)
    result = (ms.jit(run) if compiled else run)(Tensor(t, ms.float32)).asnumpy()
    # An angle of up to 999 in float32 is rounded by 3e-5, its frequency by 6e-5 more; the stock kernel is off by 7e-4.
    np.testing.assert_allclose(result, expected, rtol=0, atol=1.2e-4)
