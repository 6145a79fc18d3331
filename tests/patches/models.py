"""Tiny random models in SDXL's layout, and LoRAs for them, generated from a seed."""

import mindspore as ms
import numpy as np
from tiny_sdxl import UNET, VAE

CLIP = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 678,
    "max_position_embeddings": 32,
    "projection_dim": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
LAYERS = {
    "unet": (".to_q", ".to_k", ".to_v", ".to_out.0", ".proj_in", ".conv1", ".conv_shortcut", ".time_emb_proj"),
    "text_encoder": (".q_proj", ".k_proj", ".v_proj", ".out_proj"),
    "text_encoder_2": (".q_proj", ".k_proj", ".v_proj", ".out_proj"),
}


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def refill(model, seed):
    """Set weights that depend only on the position in the model, and whose size keeps the size of the signal."""
    for name, parameter in model.parameters_and_names():
        shape = parameter.shape
        if len(shape) > 1:
            key = [seed, *name.encode()]
            values = np.random.default_rng(key).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
            parameter.set_data(ms.Tensor(values.astype(np.float32)))
    return model.set_train(False)


def lora(model, part, seed, rank=2):
    """A LoRA for one component of a pipeline, as arrays under diffusers' names."""
    arrays = {}
    for name, parameter in model.parameters_and_names():
        layer = name.removesuffix(".weight")
        if name != layer and layer.endswith(LAYERS[part]):
            rng = np.random.default_rng([seed, *name.encode()])
            out, width, *kernel = parameter.shape
            arrays[f"{part}.{layer}.lora_A.weight"] = rng.standard_normal((rank, width, *kernel)).astype(np.float32) / 4
            arrays[f"{part}.{layer}.lora_B.weight"] = (
                rng.standard_normal((out, rank, *(1 for _ in kernel))).astype(np.float32) / 4
            )
    return arrays


def unet_inputs(batch=1):
    """Sample, text states, pooled text and sizes for the UNet."""
    return normal(batch, 4, 8, 8), normal(batch, 6, 24), normal(batch, 8), np.full((batch, 6), 64.0, np.float32)


def run_unet(unet):
    """The UNet's output, an array (1, 4, 8, 8)."""
    x, text, pooled, sizes = map(ms.Tensor, unet_inputs())
    conditions = {"text_embeds": pooled, "time_ids": sizes}
    return unet(x, ms.Tensor(999), text, added_cond_kwargs=conditions, return_dict=False)[0].asnumpy()


def run_text_encoder(encoder):
    """The second-to-last and the last hidden states, two arrays (1, 24, 16)."""
    ids = ms.Tensor(np.random.default_rng(0).integers(2, 677, (1, 24)))
    states = encoder(ids, output_hidden_states=True, return_dict=True).hidden_states
    return np.stack([states[-2].asnumpy(), states[-1].asnumpy()])


def make_pipeline():
    """StableDiffusionXLPipeline of tiny random models, with the shipped tokenizers and our TCDScheduler."""
    import transformers
    from mindone.diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
    from mindone.transformers import CLIPTextModel, CLIPTextModelWithProjection
    from transformers import CLIPTokenizer

    from mindone_tcd import TCDScheduler
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    config = transformers.CLIPTextConfig(**CLIP)
    return StableDiffusionXLPipeline(
        vae=refill(AutoencoderKL(**VAE), 1),
        text_encoder=refill(CLIPTextModel(config), 2),
        text_encoder_2=refill(
            CLIPTextModelWithProjection(transformers.CLIPTextConfig(**{**CLIP, "hidden_size": 8})), 3
        ),
        tokenizer=CLIPTokenizer.from_pretrained(SHAPES_FOLDER / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(SHAPES_FOLDER / "tokenizer_2"),
        unet=refill(UNet2DConditionModel(**UNET), 4),
        scheduler=TCDScheduler(),
    )
