"""Models from which the layouts of the tiny random models are recorded: real topologies, small widths."""

from __future__ import annotations

from pathlib import Path

import diffusers
import transformers
from peft import LoraConfig
from safetensors.torch import save_file

from mindone_tcd.shapes.folder import SHAPES_FOLDER

PIXELS, LATENT, GROUPS = 64, 8, 8
TEXT, TEXT_2, PROJECTED, TIME = 32, 48, 40, 8
SD_CHANNELS, XL_CHANNELS = (32, 32, 64, 64), (32, 64, 64)
MOTION = {"block_out_channels": SD_CHANNELS, "motion_num_attention_heads": 4, "motion_norm_num_groups": GROUPS}
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
LORA_TARGETS = [
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"),
]


def tokenizer(pad: str = "<|endoftext|>") -> transformers.CLIPTokenizer:
    return transformers.CLIPTokenizer.from_pretrained(SHAPES_FOLDER / "tokenizer", pad_token=pad)


def text_encoder(width: int = TEXT, layers: int = 2, act: str = "quick_gelu", projected: int | None = None):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer()),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=32,
        hidden_act=act,
        projection_dim=projected or width,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    return (transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel)(config)


def safety_checker():
    """Like CompVis/stable-diffusion-safety-checker: CLIP's vision tower, and embeddings to compare with."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker

    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    tower["dtype"] = "float32"
    vision = tower | {"image_size": 32, "patch_size": 8, "projection_dim": 24}
    config = transformers.CLIPConfig(vision_config=vision, text_config=tower, projection_dim=24)
    return StableDiffusionSafetyChecker(config)


def vae(scaling_factor: float, force_upcast: bool) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=4,
        sample_size=PIXELS,
        scaling_factor=scaling_factor,
        force_upcast=force_upcast,
    )


def unet_xl(**more) -> diffusers.UNet2DConditionModel:
    options = {
        "sample_size": LATENT,
        "block_out_channels": XL_CHANNELS,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "transformer_layers_per_block": [1, 1, 2],
        "attention_head_dim": [2, 4, 4],
        "cross_attention_dim": TEXT + TEXT_2,
        "use_linear_projection": True,
        "norm_num_groups": GROUPS,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME,
        "projection_class_embeddings_input_dim": 6 * TIME + PROJECTED,
    }
    return diffusers.UNet2DConditionModel(**(options | more))


def unet_sd(**more) -> diffusers.UNet2DConditionModel:
    options = {
        "sample_size": LATENT,
        "block_out_channels": SD_CHANNELS,
        "attention_head_dim": 4,
        "cross_attention_dim": TEXT,
        "norm_num_groups": GROUPS,
    }
    return diffusers.UNet2DConditionModel(**(options | more))


def xl_parts(unet: diffusers.UNet2DConditionModel) -> dict:
    return {
        "vae": vae(0.13025, True),
        "text_encoder": text_encoder(),
        "text_encoder_2": text_encoder(TEXT_2, 2, "gelu", PROJECTED),
        "tokenizer": tokenizer(),
        "tokenizer_2": tokenizer("!"),
        "unet": unet,
        "scheduler": diffusers.EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1),
    }


def sd_parts(unet: diffusers.UNet2DConditionModel, scheduler=None, act: str = "quick_gelu") -> dict:
    return {
        "vae": vae(0.18215, False),
        "text_encoder": text_encoder(act=act),
        "tokenizer": tokenizer(),
        "unet": unet,
        "scheduler": scheduler
        or diffusers.PNDMScheduler(**BETAS, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


def sdxl(folder: Path) -> None:
    diffusers.StableDiffusionXLPipeline(**xl_parts(unet_xl())).save_pretrained(folder)


def lcm_sdxl(folder: Path) -> None:
    unet_xl(time_cond_proj_dim=32).save_pretrained(folder)


def sdxl_inpainting(folder: Path) -> None:
    parts = xl_parts(unet_xl(in_channels=9))
    diffusers.StableDiffusionXLInpaintPipeline(**parts).save_pretrained(folder)


def sd15(folder: Path) -> None:
    diffusers.StableDiffusionPipeline(**sd_parts(unet_sd())).save_pretrained(folder)


def sd15_safety_checker(folder: Path) -> None:
    parts = sd_parts(unet_sd()) | {"requires_safety_checker": True}
    parts["safety_checker"] = safety_checker()
    parts["feature_extractor"] = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    diffusers.StableDiffusionPipeline(**parts).save_pretrained(folder)


def sd15_inpainting(folder: Path) -> None:
    diffusers.StableDiffusionInpaintPipeline(**sd_parts(unet_sd(in_channels=9))).save_pretrained(folder)


def _unet_sd21() -> diffusers.UNet2DConditionModel:
    return unet_sd(use_linear_projection=True, attention_head_dim=[2, 2, 4, 4])


def sd21(folder: Path) -> None:
    ddim = diffusers.DDIMScheduler(
        **BETAS, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    diffusers.StableDiffusionPipeline(**sd_parts(_unet_sd21(), ddim, "gelu")).save_pretrained(folder)


def lcm_sd15(folder: Path) -> None:
    parts = sd_parts(unet_sd(time_cond_proj_dim=32), diffusers.LCMScheduler())
    diffusers.LatentConsistencyModelPipeline(**parts).save_pretrained(folder)


def _controlnet(folder: Path, unet: diffusers.UNet2DConditionModel) -> None:
    net = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    net.save_pretrained(folder)


def controlnet_sd15(folder: Path) -> None:
    _controlnet(folder, unet_sd())


def controlnet_sdxl(folder: Path) -> None:
    _controlnet(folder, unet_xl())


def t2i_adapter_sdxl(folder: Path) -> None:
    channels = [*XL_CHANNELS, XL_CHANNELS[-1]]
    diffusers.T2IAdapter(
        in_channels=3, channels=channels, num_res_blocks=2, downscale_factor=16, adapter_type="full_adapter_xl"
    ).save_pretrained(folder)


def motion_adapter(folder: Path) -> None:
    diffusers.MotionAdapter(**MOTION).save_pretrained(folder)


def motion_lora(folder: Path) -> None:
    """Like animatediff-motion-lora-zoom-in: the attentions of the motion modules, in the names of the old
    processors."""
    import torch

    adapter = diffusers.MotionAdapter(**MOTION)
    unet = diffusers.UNetMotionModel.from_unet2d(unet_sd(), adapter)
    tensors = {}
    for name, module in unet.named_modules():
        if "motion_modules" not in name or not name.endswith(("to_q", "to_k", "to_v", "to_out.0")):
            continue
        attention, part = name.removesuffix(".0").rsplit(".", 1)
        stem = f"unet.{attention}.processor.{part}_lora"
        tensors |= {
            f"{stem}.down.weight": torch.zeros(4, module.in_features),
            f"{stem}.up.weight": torch.zeros(module.out_features, 4),
        }
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


def image_encoder(width: int, projected: int) -> transformers.CLIPVisionModelWithProjection:
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        projection_dim=projected,
        hidden_act="gelu",
    )
    return transformers.CLIPVisionModelWithProjection(config)


def _ip_adapter_file(path: Path, unet: diffusers.UNet2DConditionModel, embed: int, plus: bool) -> None:
    import torch

    cross, hidden, heads_width = unet.config.cross_attention_dim, 32, 64
    shapes: dict[str, tuple[int, ...]] = {}
    if plus:
        shapes["image_proj.latents"] = (1, 16, hidden)
        for name, rows, columns in (("proj_in", hidden, embed), ("proj_out", cross, hidden)):
            shapes |= {f"image_proj.{name}.weight": (rows, columns), f"image_proj.{name}.bias": (rows,)}
        norms = ["norm_out"]
        for k in range(4):
            layer = f"image_proj.layers.{k}"
            norms += [f"layers.{k}.0.norm1", f"layers.{k}.0.norm2", f"layers.{k}.1.0"]
            shapes |= {
                f"{layer}.0.to_q.weight": (heads_width, hidden),
                f"{layer}.0.to_kv.weight": (2 * heads_width, hidden),
                f"{layer}.0.to_out.weight": (hidden, heads_width),
                f"{layer}.1.1.weight": (4 * hidden, hidden),
                f"{layer}.1.3.weight": (hidden, 4 * hidden),
            }
        for norm in norms:
            width = cross if norm == "norm_out" else hidden
            shapes |= {f"image_proj.{norm}.weight": (width,), f"image_proj.{norm}.bias": (width,)}
    else:
        shapes |= {"image_proj.proj.weight": (4 * cross, embed), "image_proj.proj.bias": (4 * cross,)}
        shapes |= {"image_proj.norm.weight": (cross,), "image_proj.norm.bias": (cross,)}
    for place, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            shapes |= {f"ip_adapter.{place}.to_{part}_ip.weight": (width, cross) for part in "kv"}
    save_file({key: torch.zeros(shape) for key, shape in shapes.items()}, path, metadata={"format": "pt"})


def ip_adapter(folder: Path) -> None:
    """Like h94/IP-Adapter: the plain SDXL file uses the encoder beside it, the others that of the folder models."""
    big, small = image_encoder(40, 24), image_encoder(32, 16)
    big.save_pretrained(folder / "sdxl_models" / "image_encoder")
    small.save_pretrained(folder / "models" / "image_encoder")
    xl = folder / "sdxl_models"
    _ip_adapter_file(xl / "ip-adapter_sdxl.safetensors", unet_xl(), 24, plus=False)
    _ip_adapter_file(xl / "ip-adapter_sdxl_vit-h.safetensors", unet_xl(), 16, plus=False)
    _ip_adapter_file(xl / "ip-adapter-plus_sdxl_vit-h.safetensors", unet_xl(), 32, plus=True)
    _ip_adapter_file(folder / "models" / "ip-adapter_sd15.safetensors", unet_sd(), 16, plus=False)


def _dpt(folder: Path, pixels: int, **more) -> None:
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=pixels,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 32, 32],
        fusion_hidden_size=16,
        **more,
    )
    transformers.DPTForDepthEstimation(config).save_pretrained(folder)
    size = {"height": pixels, "width": pixels}
    processor = transformers.DPTImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    processor.save_pretrained(folder)


def dpt(folder: Path) -> None:
    _dpt(folder, 32, patch_size=8, is_hybrid=False)


def dpt_hybrid(folder: Path) -> None:
    """Like dpt-hybrid-midas: patches are the features of a BiT of three stages; the first two also feed the neck."""
    backbone = {
        "model_type": "bit",
        "embedding_size": 16,
        "hidden_sizes": [16, 16, 32],
        "depths": [1, 1, 1],
        "layer_type": "bottleneck",
        "global_padding": "same",
        "embedding_dynamic_padding": True,
        "num_groups": 4,
        "out_features": ["stage1", "stage2", "stage3"],
    }
    _dpt(
        folder,
        64,
        patch_size=16,
        is_hybrid=True,
        backbone_config=backbone,
        backbone_featmap_shape=[1, 32, 4, 4],
        reassemble_factors=[1, 1, 1, 0.5],
        neck_ignore_stages=[0, 1],
    )


def _lora(folder: Path, pipeline_class: type, unet: diffusers.UNet2DConditionModel) -> None:
    from peft.utils import get_peft_model_state_dict

    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=LORA_TARGETS))
    # PEFT's own key names: diffusers' converter renames only the attention's, and its loader then drops those.
    pipeline_class.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))


def lora_sdxl(folder: Path) -> None:
    _lora(folder, diffusers.StableDiffusionXLPipeline, unet_xl())


def lora_sd15(folder: Path) -> None:
    _lora(folder, diffusers.StableDiffusionPipeline, unet_sd())


def lora_sd21(folder: Path) -> None:
    _lora(folder, diffusers.StableDiffusionPipeline, _unet_sd21())


BUILDERS = {
    f.__name__.replace("_", "-"): f
    for f in (
        sdxl, lcm_sdxl, sdxl_inpainting, sd15, sd15_inpainting, sd15_safety_checker, sd21, lcm_sd15, controlnet_sd15,
        controlnet_sdxl, t2i_adapter_sdxl, ip_adapter, motion_adapter, motion_lora, dpt, dpt_hybrid,
        lora_sdxl, lora_sd15, lora_sd21,
    )
}  # fmt: skip
"""The function that saves each tiny random model in an empty folder, by name."""
