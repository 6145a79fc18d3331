"""The table of mindone's defects: what is broken, where, how it is met, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import (
    depth_processor,
    generators,
    gif,
    image_generators,
    ip_adapter_config,
    late_imports,
    late_torch,
    lazy_packages,
    local_lora_file,
    lora_fusing,
    parameter_names,
    saved_text_encoders,
    scheduler_names,
    t2i_adapter,
    transformers_tables,
    weights_in_memory,
)


@dataclass(frozen=True)
class Mending:
    """One defect with its remedy.

    Attributes:
        name: in the table of the documentation, too.
        where: file and function in mindone.
        defect: what is broken.
        met: how a user meets it.
        replaced: the remedy, from "module:attribute" to the function that makes the replacement from the original.
        versions: of mindone, in which the defect was seen; any other runs as it is, so that one that mends it wins.
    """

    name: str
    where: str
    defect: str
    met: str
    replaced: Mapping[str, Callable]
    versions: tuple[str, ...] = ("0.5.0",)


ANY = ()
"""Every version: for what is wanted beside the mending, our classes in the place of mindone's."""

MENDINGS: tuple[Mending, ...] = (
    Mending(
        "scheduler names",
        "diffusers/__init__.py: import table",
        "TCDScheduler is not exported, so no folder can name it",
        "from_pretrained of a pipeline that was saved with a TCDScheduler",
        scheduler_names.REPLACED,
        versions=ANY,
    ),
    Mending(
        "LoRA fusing",
        "peft/tuners/lora/layer.py: Linear.unmerge, _ConvNd.unmerge, construct",
        "unmerge leaves the fused weights or subtracts another scale; a fused layer passes over other adapters",
        "unfuse_lora, fuse_lora with lora_scale or twice, disable_lora and delete_adapters after fuse_lora, "
        "load_lora_weights after fuse_lora; a DoRA file",
        lora_fusing.REPLACED,
    ),
    Mending(
        "parameter names",
        "diffusers/models/unets/unet_2d_blocks.py: construct of UNetMidBlock2DCrossAttn and "
        "UNetMidBlock2DSimpleCrossAttn; "
        "unet_motion_model.py: UNetMidBlockCrossAttnMotion.construct; "
        "diffusers/utils/peft_utils.py: recurse_remove_peft_layers; "
        "diffusers/loaders/unet.py: UNet2DConditionLoadersMixin._load_ip_adapter_weights; "
        "set_attn_processor of both UNets",
        "parameters are renamed by the first forward pass, by unloading a LoRA and by loading an IP-Adapter",
        "ms.jit of a UNet after unload_lora_weights; AnimateDiffPipeline on the UNet of a pipeline that has run "
        "or has an IP-Adapter",
        parameter_names.REPLACED,
    ),
    Mending(
        "T2I-Adapter's last steps",
        "diffusers/pipelines/t2i_adapter/pipeline_stable_diffusion_xl_adapter.py: __call__",
        "ms.mutable(None) is a TypeError",
        "adapter_conditioning_factor below 1",
        t2i_adapter.REPLACED,
    ),
    Mending(
        "DPT image processor",
        "transformers/models/dpt/image_processing_dpt.py: DPTImageProcessor.preprocess",
        "it hands size_divisibility to a check that does not know it: always a TypeError",
        "depth maps for a ControlNet",
        depth_processor.REPLACED,
    ),
    Mending(
        "saved text encoders",
        "transformers/modeling_utils.py: MSPreTrainedModel.save_pretrained",
        "text encoders are saved under MindSpore's names (embedding_table), so that torch begins with random ones, "
        'and with the metadata format "np", which transformers on torch refuses',
        "a pipeline saved by mindone, loaded by diffusers",
        saved_text_encoders.REPLACED,
    ),
    Mending(
        "GIF of arrays",
        "diffusers/utils/export_utils.py: export_to_gif",
        "only PIL pictures are written; an array is an AttributeError",
        'AnimateDiff with output_type="np"',
        gif.REPLACED,
    ),
    Mending(
        "local LoRA file",
        "diffusers/loaders/lora_base.py: _best_guess_weight_name",
        "offline, weight_name is mandatory even for a local folder",
        "load_lora_weights(folder) with HF_HUB_OFFLINE=1 or local_files_only=True",
        local_lora_file.REPLACED,
    ),
    Mending(
        "list of generators",
        "diffusers/utils/mindspore_utils.py: randn_tensor",
        "a list too long is accepted, too short an IndexError, a shape that is a list a TypeError",
        "one generator for each image, where a pipeline does not count them itself",
        generators.REPLACED,
    ),
    Mending(
        "generators of given pictures",
        "diffusers/pipelines: prepare_latents of the image-to-image pipelines and _encode_vae_image of the inpainting "
        "pipelines of SD, SDXL, LCM, their ControlNets and PAG",
        "each given picture is encoded with the whole list of generators instead of its own; "
        "one picture for several images is not repeated",
        "image-to-image and inpainting with one generator for each image",
        image_generators.REPLACED,
    ),
    Mending(
        "unloaded IP-Adapter",
        "diffusers/loaders/ip_adapter.py: IPAdapterMixin.unload_ip_adapter",
        "the UNet's configuration still asks for an IP-Adapter",
        "save_pretrained after unload_ip_adapter: the folder can be loaded by nobody",
        ip_adapter_config.REPLACED,
    ),
    Mending(
        "eager packages",
        "transformers/__init__.py, transformers/models/__init__.py, transformers/models/auto/__init__.py, "
        "transformers/generation/__init__.py, peft/__init__.py, diffusers/models/transformers/__init__.py, __init__.py",
        "each imports all that it has: 330 models for two text encoders",
        "seconds at the start of every program",
        lazy_packages.REPLACED | transformers_tables.EXAMPLES,
    ),
    Mending(
        "eager libraries",
        "diffusers/schedulers/scheduling_euler_discrete.py and nine others: import scipy.stats; "
        "transformers/loss/loss_for_object_detection.py and three others: from scipy.optimize; "
        "diffusers/loaders/single_file_utils.py and textual_inversion.py: from transformers; "
        "diffusers/pipelines/pipeline_loading_utils.py: get_class_obj_and_candidates",
        "scipy, torch and 1,400 files of transformers are read, and nothing of them is used",
        "seconds at the start of every program, most where torch is installed",
        {**late_imports.REPLACED, **transformers_tables.REPLACED, **late_torch.REPLACED},
    ),
    Mending(
        "weights in memory",
        "safetensors/mindspore.py: load_file; diffusers/models/model_loading_utils.py: load_state_dict, "
        "_load_state_dict_into_model; transformers/modeling_utils.py: load_state_dict",
        "a file is mapped, copied as a whole, and float16 weights pass through float32; dtypes and values that are "
        "no weights are taken, and an error loses its reason",
        "from_pretrained takes three times the weights at its peak in float16, twice in the file's own dtype; "
        "a damaged file",
        weights_in_memory.REPLACED,
    ),
)
