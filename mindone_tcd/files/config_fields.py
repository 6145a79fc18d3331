"""The expected JSON types of configuration fields of models, schedulers and tokenizers.

A field of another type fails later inside a library, or the library misreads it. Fields that are not listed here are
accepted. Missing fields are accepted too, because the classes have default values for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UsageError, shown

LARGEST_COUNT = 2**31 - 1


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_COUNT


def _count(value: Any) -> bool:
    return _whole(value) and value > 0


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e38 and math.isfinite(value)


def _list_of(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(kind, value))


def _text(value: Any) -> bool:
    return isinstance(value, str)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "null": (lambda value: value is None, "null"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "bools": (_list_of(lambda value: isinstance(value, bool)), "a list of true and false"),
    "text": (_text, "a string"),
    "texts": (_list_of(_text), "a list of strings"),
    "count": (_count, "a positive integer"),
    "counts": (_list_of(_count), "a list of positive integers"),
    "nested": (_list_of(lambda value: _count(value) or _list_of(_count)(value)), "a list of integers or lists of them"),
    "whole": (_whole, "an integer from 0"),
    "wholes": (_list_of(_whole), "a list of integers from 0"),
    "number": (_number, "a number"),
    "positive": (lambda value: _number(value) and value > 0, "a number above 0"),
    "numbers": (_list_of(_number), "a list of numbers"),
    "steps": (lambda value: _count(value) and value <= 100_000, "an integer from 1 to 100000"),
    "side": (lambda value: _count(value) and value <= 16_384, "an integer from 1 to 16384"),
    "sides": (_list_of(lambda value: _count(value) and value <= 16_384), "a list of integers from 1 to 16384"),
    "kernel": (lambda value: _whole(value) and value <= 64, "an integer from 0 to 64"),
    "length": (lambda value: type(value) in (int, float) and value >= 1, "a number of at least 1"),
    "token": (
        lambda value: isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("content"), str)),
        "a string, or an object whose content is a string",
    ),
    "object": (lambda value: isinstance(value, dict), "an object"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "tokens by number": (
        lambda value: (
            isinstance(value, dict)
            and all(key.isdecimal() and len(key) < 10 for key in value)
            and all(isinstance(token, dict) and isinstance(token.get("content"), str) for token in value.values())
        ),
        "an object of tokens by ID",
    ),
}

_UNET = {
    "_class_name": "text",
    "act_fn": "text",
    "addition_embed_type": "text|null",
    "addition_embed_type_num_heads": "count|null",
    "addition_time_embed_dim": "count|null",
    "attention_head_dim": "count|counts",
    "attention_type": "text",
    "block_out_channels": "counts",
    "center_input_sample": "bool",
    "class_embed_type": "text|null",
    "class_embeddings_concat": "bool|null",
    "conv_in_kernel": "kernel",
    "conv_out_kernel": "kernel",
    "cross_attention_dim": "count|counts",
    "cross_attention_norm": "text|null",
    "down_block_types": "texts",
    "downsample_padding": "kernel",
    "dropout": "number",
    "dual_cross_attention": "bool|null",
    "encoder_hid_dim": "count|null",
    "encoder_hid_dim_type": "text|null",
    "flip_sin_to_cos": "bool",
    "freq_shift": "number",
    "in_channels": "count",
    "layers_per_block": "count|counts",
    "mid_block_only_cross_attention": "bool|null",
    "mid_block_scale_factor": "number",
    "mid_block_type": "text|null",
    "norm_eps": "positive",
    "norm_num_groups": "count|null",
    "num_attention_heads": "count|counts|null",
    "num_class_embeds": "count|null",
    "only_cross_attention": "bool|bools|null",
    "out_channels": "count",
    "projection_class_embeddings_input_dim": "count|null",
    "resnet_out_scale_factor": "number",
    "resnet_skip_time_act": "bool",
    "resnet_time_scale_shift": "text",
    "reverse_transformer_layers_per_block": "nested|null",
    "sample_size": "side|sides|null",
    "time_cond_proj_dim": "count|null",
    "time_embedding_act_fn": "text|null",
    "time_embedding_dim": "count|null",
    "time_embedding_type": "text",
    "timestep_post_act": "text|null",
    "transformer_layers_per_block": "count|nested",
    "up_block_types": "texts",
    "upcast_attention": "bool|null",
    "use_linear_projection": "bool",
}

_VAE = {
    "_class_name": "text",
    "act_fn": "text",
    "block_out_channels": "counts",
    "down_block_types": "texts",
    "force_upcast": "bool",
    "in_channels": "count",
    "latent_channels": "count",
    "latents_mean": "numbers|null",
    "latents_std": "numbers|null",
    "layers_per_block": "count",
    "mid_block_add_attention": "bool",
    "norm_num_groups": "count",
    "out_channels": "count",
    "sample_size": "side|sides|null",
    "scaling_factor": "positive",
    "shift_factor": "number|null",
    "up_block_types": "texts",
    "use_post_quant_conv": "bool",
    "use_quant_conv": "bool",
}

_CLIP = {
    "architectures": "texts|null",
    "attention_dropout": "number",
    "bos_token_id": "whole|null",
    "dropout": "number",
    "dtype": "text|null",
    "eos_token_id": "whole|wholes|null",
    "hidden_act": "text",
    "hidden_size": "count",
    "image_size": "side",
    "initializer_factor": "number",
    "initializer_range": "number",
    "intermediate_size": "count",
    "layer_norm_eps": "positive",
    "max_position_embeddings": "count",
    "model_type": "text",
    "num_attention_heads": "count",
    "num_channels": "count",
    "num_hidden_layers": "count",
    "pad_token_id": "whole|null",
    "patch_size": "count",
    "projection_dim": "count",
    "torch_dtype": "text|null",
    "transformers_version": "text|null",
    "vocab_size": "count",
}

_SCHEDULER = {
    "_class_name": "text",
    "algorithm_type": "text",
    "beta_end": "positive",
    "beta_schedule": "text",
    "beta_start": "positive",
    "clip_sample": "bool",
    "clip_sample_range": "number",
    "dynamic_thresholding_ratio": "number",
    "interpolation_type": "text",
    "num_train_timesteps": "steps",
    "original_inference_steps": "steps",
    "prediction_type": "text",
    "rescale_betas_zero_snr": "bool",
    "sample_max_value": "number",
    "set_alpha_to_one": "bool",
    "sigma_max": "number|null",
    "sigma_min": "number|null",
    "skip_prk_steps": "bool",
    "solver_order": "count",
    "steps_offset": "whole",
    "thresholding": "bool",
    "timestep_scaling": "number",
    "timestep_spacing": "text",
    "timestep_type": "text",
    "trained_betas": "numbers|null",
    "use_beta_sigmas": "bool|null",
    "use_exponential_sigmas": "bool|null",
    "use_karras_sigmas": "bool|null",
}

_TOKEN = "token|null"
_TOKENIZER = {
    "add_prefix_space": "bool|null",
    "added_tokens_decoder": "tokens by number",
    "additional_special_tokens": "list|null",
    "bos_token": _TOKEN,
    "clean_up_tokenization_spaces": "bool|null",
    "do_lower_case": "bool",
    "eos_token": _TOKEN,
    "errors": "text",
    "extra_special_tokens": "object|list",
    "model_max_length": "length|null",
    "pad_token": _TOKEN,
    "tokenizer_class": "text|null",
    "unk_token": _TOKEN,
}
_TOKENS = {
    "additional_special_tokens": "list",
    **dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token"), _TOKEN),
}

FIELDS: dict[str, Mapping[str, str]] = {
    "UNet2DConditionModel": _UNET,
    "AutoencoderKL": _VAE,
    "CLIPTextModel": _CLIP,
    "CLIPTextModelWithProjection": _CLIP,
    "CLIPVisionModelWithProjection": _CLIP,
    "scheduler": _SCHEDULER,
    "tokenizer": _TOKENIZER,
    "special tokens": _TOKENS,
}
"""The fields of each class or file kind, and the value types that each field accepts."""


def class_of(config: Mapping[str, Any]) -> str | None:
    """Return the class that a model's configuration names; None if it names none or several."""
    name = config.get("_class_name")
    if name is None and isinstance(names := config.get("architectures"), list) and len(names) == 1:
        name = names[0]
    return name if isinstance(name, str) else None


def check_fields(config: Mapping[str, Any], kind: str | None, where: object) -> None:
    """Check that the known fields of a configuration have the expected JSON types.

    Args:
        config: the configuration.
        kind: a key of :data:`FIELDS`. Any other value has no known fields.
        where: the file, for the error message.

    Raises:
        UsageError: if a field has another type; the message names the file and the first such field.
    """
    for name, kinds in FIELDS.get(kind or "", {}).items():
        if name not in config:
            continue
        choices = kinds.split("|")
        if not any(_KINDS[choice][0](config[name]) for choice in choices):
            expected = " or ".join(_KINDS[choice][1] for choice in choices)
            raise UsageError(
                f"{where}: {name} is {shown(config[name])}; expected {expected}: fetch or save the model again"
            )
