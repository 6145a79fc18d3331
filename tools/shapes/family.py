"""The parts of the shapes model as diffusers and transformers classes, and its folder in the layout of SDXL."""

from __future__ import annotations

import inspect
import itertools
import json
from collections import Counter
from pathlib import Path

import torch
from diffusers import ControlNetModel, T2IAdapter, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from mindone_tcd.shapes.grammar import VOCABULARY

MAX_TOKENS = 32
TEXT_WIDTH = 64
IMAGE_SIZE = 128

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "timestep_spacing": "leading",
    "steps_offset": 1,
}

TIME_IDS = torch.tensor([[IMAGE_SIZE, IMAGE_SIZE, 0, 0, IMAGE_SIZE, IMAGE_SIZE]], dtype=torch.float32)
"""SDXL's size conditioning for an uncropped image: original size, crop corner, target size."""


def byte_symbols() -> list[str]:
    """The 256 printable characters for bytes at the start of CLIP's byte-pair vocabulary, in its order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + k) for k in range(len(rest))]


def new_tokenizer(folder: str | Path) -> CLIPTokenizer:
    """A CLIP tokenizer whose merges make each word of the grammar one token."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    words = [[*w[:-1], w[-1] + "</w>"] for w in VOCABULARY]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for word in words for pair in itertools.pairwise(word))
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for k, word in enumerate(words):
            joined: list[str] = []
            for piece in word:
                if joined and (joined[-1], piece) == best:
                    joined[-1] += piece
                else:
                    joined.append(piece)
            words[k] = joined
    symbols = byte_symbols()
    tokens = dict.fromkeys([*symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in merges)])
    vocabulary = [*tokens, "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: k for k, t in enumerate(vocabulary)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    tokenizer = CLIPTokenizer(
        folder / "vocab.json", folder / "merges.txt", model_max_length=MAX_TOKENS, pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def new_text_encoder(tokenizer: CLIPTokenizer, projected: bool) -> CLIPTextModel | CLIPTextModelWithProjection:
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        hidden_act="gelu" if projected else "quick_gelu",
        projection_dim=TEXT_WIDTH,
        bos_token_id=end - 1,
        eos_token_id=end,
        pad_token_id=end,
    )
    encoder = (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)
    # With CLIP's own deviation of 0.02, the embeddings of so small a vocabulary are nearly equal at the start.
    encoder.text_model.embeddings.token_embedding.weight.data.normal_(0, 0.7)
    encoder.text_model.embeddings.position_embedding.weight.data.normal_(0, 0.3)
    return encoder


def new_unet(layers_per_block: int | tuple[int, ...] = (2, 1, 1)) -> UNet2DConditionModel:
    """A UNet with random weights: two residual layers at 16×16, which determines the outlines, and one below."""
    channels = (64, 96, 128)
    return UNet2DConditionModel(
        sample_size=IMAGE_SIZE // 8,
        block_out_channels=channels,
        layers_per_block=layers_per_block,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * TEXT_WIDTH,
        transformer_layers_per_block=1,
        attention_head_dim=[c // 32 for c in channels],
        use_linear_projection=True,
        norm_num_groups=16,
        addition_embed_type="text_time",
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=6 * 32 + TEXT_WIDTH,
    )


def deepen(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Add a second layer at 16×16 to a UNet of one layer per block, without a change of its output.

    The new layers start as identities: their last convolution is zero. If the new layer of the decoder also reads a
    skip connection, its shortcut passes only the hidden state.

    Args:
        unet: a UNet with ``layers_per_block`` 1.

    Returns:
        A new UNet with the default structure of :func:`new_unet`.
    """
    deep = new_unet()
    up = len(deep.up_blocks) - 1
    # The decoder's second layer is new. The first layer reads the new skip connection, which initially equals the old
    # one.
    moved = {f"up_blocks.{up}.resnets.1.": f"up_blocks.{up}.resnets.2."}
    weights = deep.state_dict()
    for name, value in unet.state_dict().items():
        old = next((start for start in moved if name.startswith(start)), None)
        weights[name.replace(old, moved[old]) if old else name] = value
    for layer in ("down_blocks.0.resnets.1", f"up_blocks.{up}.resnets.1"):
        weights[f"{layer}.conv2.weight"].zero_()
        weights[f"{layer}.conv2.bias"].zero_()
    shortcut = weights[f"up_blocks.{up}.resnets.1.conv_shortcut.weight"]
    shortcut.zero_()
    shortcut[:, : shortcut.shape[0], 0, 0] = torch.eye(shortcut.shape[0])
    weights[f"up_blocks.{up}.resnets.1.conv_shortcut.bias"].zero_()
    deep.load_state_dict(weights)
    return deep


CONTROL_CHANNELS = (16, 32, 64, 96)
"""The channels with which a ControlNet reads its map, at 128, 64, 32 and 16 pixels per side."""


def _new_controlnet(config: dict) -> ControlNetModel:
    """A ControlNet with a number of layers for each block, which diffusers itself does not build."""
    layers = list(config["layers_per_block"])
    network = ControlNetModel.from_config({**config, "layers_per_block": max(layers)})
    kept = [0]
    first = 1
    for number, (block, count) in enumerate(zip(network.down_blocks, layers, strict=True)):
        block.resnets = block.resnets[:count]
        if hasattr(block, "attentions"):
            block.attentions = block.attentions[:count]
        kept += range(first, first + count)
        first += max(layers)
        if number < len(layers) - 1:
            kept.append(first)
            first += 1
    network.controlnet_down_blocks = torch.nn.ModuleList(network.controlnet_down_blocks[k] for k in kept)
    network.register_to_config(layers_per_block=layers)
    return network


def controlnet_of(unet: UNet2DConditionModel) -> ControlNetModel:
    """A new ControlNet that starts with the weights of a UNet's encoder."""
    known = inspect.signature(ControlNetModel.__init__).parameters
    shared = {name: value for name, value in unet.config.items() if name in known}
    config = {**shared, "conditioning_channels": 3, "conditioning_embedding_out_channels": CONTROL_CHANNELS}
    network = _new_controlnet(config)
    found = network.load_state_dict(unet.state_dict(), strict=False)
    new = {name for name in found.missing_keys if not name.startswith(("controlnet_", "conv_in."))}
    if new:
        raise RuntimeError(f"the UNet has no weights for {sorted(new)[:3]}")
    # The published networks start from zero here, too. Two zero layers in a row delay the training by hundreds of
    # steps; the zero layers at the outputs are sufficient for a harmless start.
    network.controlnet_cond_embedding.conv_out.reset_parameters()
    return network


def moved_controlnet(network: ControlNetModel, old: UNet2DConditionModel, new: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet for another UNet of the same widths, with the changes that training made to its encoder.

    Args:
        network: a ControlNet that was trained for ``old``.
        old: its UNet.
        new: the other UNet, whose projections may be convolutions.
    """
    moved = controlnet_of(new)
    weights, before, trained = moved.state_dict(), old.state_dict(), network.state_dict()
    for name, value in weights.items():
        change = trained[name] - before[name] if name in before else trained[name]
        value.copy_(change.view(value.shape) + (value if name in before else 0))
    moved.load_state_dict(weights)
    return moved


def load_controlnet(folder: Path) -> ControlNetModel:
    """Load a ControlNet that has a number of layers for each block."""
    network = _new_controlnet(json.loads((folder / "config.json").read_text()))
    network.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"))
    return network.float()


def new_t2i_adapter() -> T2IAdapter:
    """A T2I-Adapter in the layout for SDXL, which adds features at 8×8 and 4×4 to the UNet's encoder."""
    return T2IAdapter(
        in_channels=3,
        channels=[64, 96, 128, 128],
        num_res_blocks=2,
        downscale_factor=16,
        adapter_type="full_adapter_xl",
    )


def encode_prompts(
    first: CLIPTextModel, second: CLIPTextModelWithProjection, ids: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The prompt embeddings of SDXL's pipeline: (N, tokens, 2·width) of the second-to-last layers, and (N, width)."""
    a = first(ids, output_hidden_states=True)
    b = second(ids, output_hidden_states=True)
    return torch.cat([a.hidden_states[-2], b.hidden_states[-2]], -1), b.text_embeds


def alphas_cumprod() -> torch.Tensor:
    betas = torch.linspace(SCHEDULE["beta_start"] ** 0.5, SCHEDULE["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()
