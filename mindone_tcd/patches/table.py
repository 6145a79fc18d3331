"""The table of patches: everything that this package changes in other packages, as data.

If two rows share a target, the later row wraps the result of the earlier row. A source rewrite reads the original, so
its row comes before the rows that wrap the function.
"""

from __future__ import annotations

from ..patching.patch import Patch, Use
from .cpu_kernels import KERNELS

_MINDONE = {"mindone": ("0.5.0",)}
"""The version that has the defects. Any other version runs unpatched, so that mindone's own fixes apply."""

_STARTUP = {**_MINDONE, "transformers": ("4.57.1",)}

_DIFFUSERS = "mindone.diffusers."
_LOADERS = _DIFFUSERS + "loaders."
_MODELS = _DIFFUSERS + "models."
_UNETS = _MODELS + "unets."
_PIPELINES = _DIFFUSERS + "pipelines."
_PIPELINE = _PIPELINES + "pipeline_utils:DiffusionPipeline."
_MODEL = _MODELS + "modeling_utils:ModelMixin."
_TRANSFORMERS = "mindone.transformers."
_LORA_LAYER = "mindone.peft.tuners.lora.layer:"
_GENERIC = "transformers.utils.generic"

STARTUP = (
    Patch(
        "eager packages",
        "startup",
        "each package of mindone imports a name when code first uses it, not all names at once",
        {
            **dict.fromkeys(
                (
                    "mindone",
                    _MODELS + "transformers",
                    "mindone.transformers",
                    _TRANSFORMERS + "generation",
                    _TRANSFORMERS + "models",
                    _TRANSFORMERS + "models.auto",
                ),
                "patches.startup.lazy_packages:lazily",
            ),
            "mindone.peft": "patches.startup.lazy_packages:peft_lazily",
        },
        versions=_STARTUP,
        where="transformers/__init__.py, transformers/models/__init__.py, transformers/models/auto/__init__.py, "
        "transformers/generation/__init__.py, peft/__init__.py, diffusers/models/transformers/__init__.py, __init__.py",
        defect="each package imports all its modules: 330 models for two text encoders",
        met="every program starts seconds later",
    ),
    Patch(
        "eager libraries",
        "startup",
        "modules of mindone import transformers and scipy where they use them",
        {
            **dict.fromkeys(
                (_LOADERS + "single_file_utils", _LOADERS + "textual_inversion"),
                "patches.startup.late_imports:late_transformers",
            ),
            **dict.fromkeys(
                (
                    _TRANSFORMERS + f"loss.loss_{name}"
                    for name in ("deformable_detr", "for_object_detection", "grounding_dino", "rt_detr")
                ),
                "patches.startup.late_imports:late_scipy_optimize",
            ),
            _PIPELINES + "pipeline_loading_utils:get_class_obj_and_candidates": "patches.startup.late_torch:by_name",
        },
        versions=_STARTUP,
        where="diffusers/schedulers/scheduling_euler_discrete.py and nine others: import scipy.stats; "
        "transformers/loss/loss_for_object_detection.py and three others: from scipy.optimize; "
        "diffusers/loaders/single_file_utils.py and textual_inversion.py: from transformers; "
        "diffusers/pipelines/pipeline_loading_utils.py: get_class_obj_and_candidates",
        defect="loading a pipeline imports scipy and torch and reads 1,400 files of transformers, but uses none",
        met="every program starts seconds later, most of all where torch is installed",
    ),
    Patch(
        "scipy when used",
        "startup",
        "schedulers of mindone import scipy.integrate and scipy.stats, which run when code first uses a name of them",
        dict.fromkeys(("scipy.integrate", "scipy.stats"), "patches.startup.late_imports:when_used"),
        versions=_STARTUP,
    ),
    Patch(
        "table of transformers",
        "startup",
        "transformers reads its own files once instead of twice to find the module of each of its names",
        {
            "transformers.utils.import_utils:create_import_structure_from_path": (
                "patches.startup.transformers_tables:cached"
            ),
            "transformers.utils.import_utils:fetch__all__": "patches.startup.transformers_tables:from_last_line",
        },
        versions=_STARTUP,
    ),
    Patch(
        "examples of transformers",
        "startup",
        "a model of mindone.transformers finds the examples for its docstring even if no other model is imported",
        {
            "transformers.utils.auto_docstring:_process_example_section": (
                "patches.startup.transformers_tables:importing_models"
            ),
        },
        versions=_STARTUP,
    ),
    Patch(
        "torch when used",
        "startup",
        "transformers imports torch only when a program uses torch, not whenever it is installed",
        {
            "transformers.configuration_utils:is_torch_available": "patches.startup.late_torch:if_imported",
            "torch": "patches.startup.late_torch:running_postponed",
            _GENERIC: "patches.startup.late_torch:generic",
            f"{_GENERIC}:ModelOutput.__init_subclass__": "patches.startup.late_torch:register_later",
            f"{_GENERIC}:_is_torch": "patches.startup.late_torch:false_without_torch",
            f"{_GENERIC}:_is_torch_device": "patches.startup.late_torch:false_without_torch",
            **dict.fromkeys(
                (
                    "transformers.image_transforms",
                    "transformers.image_utils",
                    "transformers.modeling_gguf_pytorch_utils",
                    "transformers.utils.chat_template_utils",
                    "transformers.utils.deprecation",
                    "transformers.video_utils",
                ),
                "patches.startup.late_torch:late_torch",
            ),
        },
        versions=_STARTUP,
    ),
    Patch(
        "advice to install torch",
        "startup",
        "transformers does not advise to install torch or TensorFlow",
        {"transformers": "patches.startup.advice:without_advice"},
    ),
)

BUGS = (
    Patch(
        "LoRA fusing",
        "bug",
        "unfusing a LoRA removes its change, with the scale that it was fused with",
        {
            _LORA_LAYER + "LoraLayer.unfused_adapters": Use("patches.bugs.lora_fusing:unfused_adapters"),
            _LORA_LAYER + "LoraLayer.enable_adapters": "patches.bugs.lora_fusing:unfusing_when_disabled",
            _LORA_LAYER + "LoraLayer.delete_adapter": "patches.bugs.lora_fusing:unfusing_when_deleted",
            _LORA_LAYER + "Linear.merge": Use("patches.bugs.lora_fusing:merge"),
            _LORA_LAYER + "Linear.unmerge": Use("patches.bugs.lora_fusing:unmerge"),
            _LORA_LAYER + "Linear.construct": "patches.bugs.lora_fusing:with_unfused_adapters",
            _LORA_LAYER + "_ConvNd.merge": Use("patches.bugs.lora_fusing:merge"),
            _LORA_LAYER + "_ConvNd.unmerge": Use("patches.bugs.lora_fusing:unmerge"),
            _LORA_LAYER + "_ConvNd.construct": "patches.bugs.lora_fusing:with_unfused_adapters",
            "mindone.peft.tuners.lora.model:LoraModel.set_adapter": "patches.bugs.lora_fusing:unfusing_for_another",
            _LOADERS + "lora_base:LoraBaseMixin.fuse_lora": "patches.bugs.lora_fusing:checking_before_fusing",
            _LOADERS + "lora_base:LoraBaseMixin.delete_adapters": "patches.bugs.lora_fusing:checking_before_deleting",
            _LOADERS + "peft:PeftAdapterMixin.fuse_lora": "patches.bugs.lora_fusing:fusing_with_scale",
            _LOADERS + "lora_base:fuse_text_encoder_lora": "patches.bugs.lora_fusing:fusing_with_scale",
            _DIFFUSERS + "utils.peft_utils:_create_lora_config": "patches.bugs.lora_fusing:refusing_dora",
        },
        versions=_MINDONE,
        where="peft/tuners/lora/layer.py: Linear.unmerge, _ConvNd.unmerge, construct",
        defect="unmerge leaves the fused weights or subtracts another scale; a fused layer ignores other adapters",
        met="unfuse_lora, fuse_lora with lora_scale or twice, disable_lora and delete_adapters after fuse_lora, "
        "load_lora_weights after fuse_lora; a DoRA file",
    ),
    Patch(
        "parameter names",
        "bug",
        "the name of a parameter does not change after the model is built",
        {
            _UNETS + "unet_2d_blocks:UNetMidBlock2DCrossAttn.construct": Use("patches.bugs.parameter_names:mid_block"),
            _UNETS + "unet_2d_blocks:UNetMidBlock2DSimpleCrossAttn.construct": Use(
                "patches.bugs.parameter_names:simple_mid_block"
            ),
            _UNETS + "unet_motion_model:UNetMidBlockCrossAttnMotion.construct": Use(
                "patches.bugs.parameter_names:motion_mid_block"
            ),
            **dict.fromkeys(
                (
                    _UNETS + "unet_2d_condition:UNet2DConditionModel.set_attn_processor",
                    _UNETS + "unet_motion_model:UNetMotionModel.set_attn_processor",
                    _LOADERS + "unet:UNet2DConditionLoadersMixin._load_ip_adapter_weights",
                    _DIFFUSERS + "utils.peft_utils:recurse_remove_peft_layers",
                ),
                "patches.bugs.parameter_names:restoring_names",
            ),
        },
        versions=_MINDONE,
        where="diffusers/models/unets/unet_2d_blocks.py: construct of UNetMidBlock2DCrossAttn and "
        "UNetMidBlock2DSimpleCrossAttn; "
        "unet_motion_model.py: UNetMidBlockCrossAttnMotion.construct; "
        "diffusers/utils/peft_utils.py: recurse_remove_peft_layers; "
        "diffusers/loaders/unet.py: UNet2DConditionLoadersMixin._load_ip_adapter_weights; "
        "set_attn_processor of both UNets",
        defect="parameters are renamed by the first forward pass, by unloading a LoRA and by loading an IP-Adapter",
        met="ms.jit of a UNet after unload_lora_weights; AnimateDiffPipeline on the UNet of a pipeline that has run "
        "or has an IP-Adapter",
    ),
    Patch(
        "T2I-Adapter's last steps",
        "bug",
        "adapter_conditioning_factor below 1 works: the T2I-Adapter guides only the first steps",
        {
            _PIPELINES + "t2i_adapter.pipeline_stable_diffusion_xl_adapter:StableDiffusionXLAdapterPipeline.__call__": (
                "patches.bugs.t2i_adapter:allow_none"
            ),
        },
        versions=_MINDONE,
        where="diffusers/pipelines/t2i_adapter/pipeline_stable_diffusion_xl_adapter.py: __call__",
        defect="ms.mutable(None) is a TypeError",
        met="adapter_conditioning_factor below 1",
    ),
    Patch(
        "adapter weights of uneven UNets",
        "bug",
        "set_adapters and set_ip_adapter_scale work with a list as layers_per_block",
        {
            "mindone.diffusers.loaders.peft:_SET_ADAPTER_SCALE_FN_MAPPING": (
                "patches.bugs.lora_scales:allow_lists_in_mapping"
            ),
            "mindone.diffusers.loaders.ip_adapter:_maybe_expand_lora_scales": "patches.bugs.lora_scales:allow_lists",
        },
        versions=_MINDONE,
        where="diffusers/loaders/unet_loader_utils.py: _maybe_expand_lora_scales",
        defect="1 is added to layers_per_block, which may be a list: a TypeError",
        met="set_adapters and set_ip_adapter_scale with a UNet whose blocks have different numbers of layers",
    ),
    Patch(
        "ControlNets of uneven UNets",
        "bug",
        "ControlNetModel takes a list as layers_per_block",
        {_MODELS + "controlnets.controlnet:ControlNetModel.__init__": "patches.bugs.uneven_controlnet:allow_lists"},
        versions=_MINDONE,
        where="diffusers/models/controlnets/controlnet.py: ControlNetModel.__init__",
        defect="layers_per_block goes to range(), even if it is a list: a TypeError",
        met="ControlNetModel.from_unet with a UNet whose blocks have different numbers of layers",
    ),
    Patch(
        "DPT image processor",
        "bug",
        "the DPT image processor accepts images",
        {
            _TRANSFORMERS + "models.dpt.image_processing_dpt:validate_preprocess_arguments": (
                "patches.bugs.depth_processor:without_padding"
            ),
        },
        versions=_MINDONE,
        where="transformers/models/dpt/image_processing_dpt.py: DPTImageProcessor.preprocess",
        defect="preprocess passes size_divisibility to a check that does not accept it, so all calls raise TypeError",
        met="depth maps for a ControlNet",
    ),
    Patch(
        "saved text encoders",
        "bug",
        "saved text encoders load in transformers on torch",
        {
            _TRANSFORMERS + "modeling_utils:MSPreTrainedModel.save_pretrained": (
                "patches.bugs.saved_text_encoders:with_torch_names"
            ),
            _TRANSFORMERS + "modeling_utils:safe_save_file": "patches.bugs.saved_text_encoders:with_torch_format",
        },
        versions=_MINDONE,
        where="transformers/modeling_utils.py: MSPreTrainedModel.save_pretrained",
        defect="text encoders are saved under MindSpore's names (embedding_table), so transformers on torch "
        'initializes the embeddings randomly, and with the metadata format "np", which it refuses',
        met="loading a pipeline in diffusers that mindone saved",
    ),
    Patch(
        "GIF of arrays",
        "bug",
        "export_to_gif accepts arrays",
        {_DIFFUSERS + "utils.export_utils:export_to_gif": "patches.bugs.gif:convert"},
        versions=_MINDONE,
        where="diffusers/utils/export_utils.py: export_to_gif",
        defect="only PIL images are accepted; an array raises an AttributeError",
        met='export_to_gif of the frames of AnimateDiff with output_type="np"',
    ),
    Patch(
        "local LoRA file",
        "bug",
        "load_lora_weights finds the file in a local folder without a hub",
        {_LOADERS + "lora_base:_best_guess_weight_name": "patches.bugs.local_lora_file:look_into_folder"},
        versions=_MINDONE,
        where="diffusers/loaders/lora_base.py: _best_guess_weight_name",
        defect="offline, weight_name is mandatory even for a local folder",
        met="load_lora_weights(folder) with HF_HUB_OFFLINE=1 or local_files_only=True",
    ),
    Patch(
        "list of generators",
        "bug",
        "a list of generators must have one generator for each image",
        {_DIFFUSERS + "utils.mindspore_utils:randn_tensor": "patches.bugs.generators:check"},
        versions=_MINDONE,
        where="diffusers/utils/mindspore_utils.py: randn_tensor",
        defect="a list that is too long is accepted, one that is too short raises an IndexError, and a shape that is a "
        "list raises a TypeError",
        met="one generator for each image, in code that does not check their number itself",
    ),
    Patch(
        "generators of given images",
        "bug",
        "each input image is encoded with its own generator",
        {
            _PIPELINES + f"{pipeline}.{method}": f"patches.bugs.image_generators:{make}"
            for method, make, pipelines in (
                (
                    "prepare_latents",
                    "own_image",
                    (
                        "stable_diffusion.pipeline_stable_diffusion_img2img:StableDiffusionImg2ImgPipeline",
                        "stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img:StableDiffusionXLImg2ImgPipeline",
                        "latent_consistency_models.pipeline_latent_consistency_img2img:"
                        "LatentConsistencyModelImg2ImgPipeline",
                        "controlnet.pipeline_controlnet_img2img:StableDiffusionControlNetImg2ImgPipeline",
                        "controlnet.pipeline_controlnet_sd_xl_img2img:StableDiffusionXLControlNetImg2ImgPipeline",
                        "controlnet.pipeline_controlnet_union_sd_xl_img2img:"
                        "StableDiffusionXLControlNetUnionImg2ImgPipeline",
                        "pag.pipeline_pag_sd_xl_img2img:StableDiffusionXLPAGImg2ImgPipeline",
                    ),
                ),
                (  # diffusers also encodes the input images first, and then repeats their latents.
                    "_encode_vae_image",
                    "own_generator",
                    (
                        "stable_diffusion.pipeline_stable_diffusion_inpaint:StableDiffusionInpaintPipeline",
                        "stable_diffusion_xl.pipeline_stable_diffusion_xl_inpaint:StableDiffusionXLInpaintPipeline",
                        "controlnet.pipeline_controlnet_inpaint:StableDiffusionControlNetInpaintPipeline",
                        "controlnet.pipeline_controlnet_inpaint_sd_xl:StableDiffusionXLControlNetInpaintPipeline",
                        "controlnet.pipeline_controlnet_union_inpaint_sd_xl:"
                        "StableDiffusionXLControlNetUnionInpaintPipeline",
                        "pag.pipeline_pag_sd_inpaint:StableDiffusionPAGInpaintPipeline",
                        "pag.pipeline_pag_sd_xl_inpaint:StableDiffusionXLPAGInpaintPipeline",
                    ),
                ),
            )
            for pipeline in pipelines
        },
        versions=_MINDONE,
        where="diffusers/pipelines: prepare_latents of the image-to-image pipelines and _encode_vae_image of the "
        "inpainting pipelines of SD, SDXL, LCM, their ControlNets and PAG",
        defect="each input image is encoded with the whole list of generators, so the first one serves all; "
        "one input image is not repeated for several output images",
        met="image-to-image and inpainting with one generator for each image",
    ),
    Patch(
        "unloaded IP-Adapter",
        "bug",
        "unload_ip_adapter restores the configuration of the UNet",
        {_LOADERS + "ip_adapter:IPAdapterMixin.unload_ip_adapter": "patches.bugs.ip_adapter_config:unregister"},
        versions=_MINDONE,
        where="diffusers/loaders/ip_adapter.py: IPAdapterMixin.unload_ip_adapter",
        defect="the configuration of the UNet still requires an IP-Adapter",
        met="save_pretrained after unload_ip_adapter: from_pretrained cannot load the folder",
    ),
    Patch(
        "weights in memory",
        "bug",
        "loading a model needs memory for its weights only once",
        {
            "mindone.safetensors.mindspore:load_file": "patches.bugs.weights_in_memory:one_tensor_at_a_time",
            _MODELS + "model_loading_utils:load_state_dict": "patches.bugs.weights_in_memory:of_a_model",
            _TRANSFORMERS + "modeling_utils:load_state_dict": "patches.bugs.weights_in_memory:of_a_model",
            _MODELS + "model_loading_utils:_load_state_dict_into_model": (
                "patches.bugs.weights_in_memory:in_requested_dtype"
            ),
        },
        versions=_MINDONE,
        where="safetensors/mindspore.py: load_file; diffusers/models/model_loading_utils.py: load_state_dict, "
        "_load_state_dict_into_model; transformers/modeling_utils.py: load_state_dict",
        defect="a file is copied as a whole, and float16 weights are converted to float32 and back; integers, NaN and "
        "infinity are accepted as weights, and errors do not give their reason",
        met="from_pretrained needs at its peak three times the memory of the weights in float16, and twice in the "
        "dtype of the file; a damaged file",
    ),
)

SCHEDULERS = (
    Patch(
        "scheduler names",
        "schedulers",
        "mindone finds the schedulers of mindone_tcd by name, in imports and in saved pipelines",
        {
            _DIFFUSERS + "utils.import_utils:_LazyModule.__getattr__": "patches.schedulers:finding_ours",
            **{
                f"mindone.{module}:{name}": f"patches.schedulers:{name}"
                for module in ("diffusers", "diffusers.schedulers")
                for name in ("LCMScheduler", "TCDScheduler")
            },
        },
        where="diffusers/__init__.py: import table",
        defect="TCDScheduler is not exported, so from_pretrained does not find it",
        met="from_pretrained of a pipeline that was saved with a TCDScheduler",
    ),
)

ADAPTERS = (
    Patch(
        "loaders",
        "adapters",
        "LoRA, IP-Adapter and motion adapter files of every layout load, or raise an error before anything changes",
        {
            **dict.fromkeys(
                (
                    _LOADERS + "lora_pipeline:StableDiffusionLoraLoaderMixin.load_lora_weights",
                    _LOADERS + "lora_pipeline:StableDiffusionXLLoraLoaderMixin.load_lora_weights",
                ),
                "adapters.wrappers:loading_lora",
            ),
            _LOADERS + "ip_adapter:IPAdapterMixin.load_ip_adapter": "adapters.wrappers:loading_ip_adapter",
            _LOADERS + "peft:PeftAdapterMixin.unload_lora": "adapters.wrappers:recording_fused",
            _UNETS + "unet_motion_model:MotionAdapter.extract_init_dict": "adapters.motion:extract_init_dict",
        },
    ),
    Patch(
        "transactions",
        "adapters",
        "a method that changes adapters restores their state after an error",
        {
            f"{owner}.{method}": "transaction:all_or_nothing"
            for owner, methods in (
                (
                    _LOADERS + "lora_base:LoraBaseMixin",
                    "set_adapters delete_adapters fuse_lora unfuse_lora unload_lora_weights enable_lora disable_lora "
                    "enable_lora_hotswap",
                ),
                (_LOADERS + "ip_adapter:IPAdapterMixin", "set_ip_adapter_scale unload_ip_adapter"),
                (
                    _LOADERS + "peft:PeftAdapterMixin",
                    "load_lora_adapter add_adapter set_adapters set_adapter delete_adapters fuse_lora unfuse_lora "
                    "enable_lora disable_lora enable_adapters disable_adapters",
                ),
                (_LOADERS + "unet:UNet2DConditionLoadersMixin", "load_attn_procs"),
                (_UNETS + "unet_motion_model:UNetMotionModel", "load_motion_modules"),
            )
            for method in methods.split()
        },
    ),
    Patch(
        "scales in graphs",
        "adapters",
        "a compiled graph reads the scale of an IP-Adapter at each run",
        {
            _MODELS + f"attention_processor:{processor}.construct": "compiled.numbers:taking_tensors"
            for processor in ("IPAdapterAttnProcessor", "IPAdapterAttnProcessor2_0")
        },
        versions=_MINDONE,
    ),
)

CHECKS = (
    Patch(
        "no code of a model",
        "checks",
        "no code in a model folder is imported or run, and nothing is unpickled",
        {
            _DIFFUSERS + "configuration_utils:ConfigMixin._dict_from_json_file": "checks.classes:checking_configs",
            _PIPELINES + "pipeline_loading_utils:get_class_obj_and_candidates": (
                "checks.classes:checking_component_class"
            ),
            _PIPELINES + "pipeline_loading_utils:simple_get_class_obj": "checks.classes:checking_class",
            _PIPELINES + "pipeline_loading_utils:_resolve_custom_pipeline_and_cls": (
                "checks.classes:without_custom_pipelines"
            ),
            _PIPELINES + "pipeline_loading_utils:_maybe_raise_warning_for_inpainting": (
                "checks.classes:without_inpainting_warning"
            ),
            _LOADERS + "single_file:load_single_file_sub_model": "checks.classes:checking_class",
            _DIFFUSERS + "utils.dynamic_modules_utils:get_cached_module_file": "checks.classes:refusing_code",
            _DIFFUSERS + "utils.dynamic_modules_utils:get_class_in_module": "checks.classes:refusing_code",
            "transformers.dynamic_module_utils:get_cached_module_file": "checks.classes:refusing_code_while_loading",
            "transformers.dynamic_module_utils:get_class_in_module": "checks.classes:refusing_code_while_loading",
            _MODELS + "model_loading_utils:load_state_dict": "checks.classes:only_safetensors_while_loading",
            _TRANSFORMERS + "modeling_utils:load_state_dict": "checks.classes:only_safetensors_while_loading",
            _MODELS + "modeling_utils:_get_model_file": "checks.classes:checking_weights",
            _MODELS + "modeling_utils:_get_checkpoint_shard_files": "checks.classes:checking_weights",
            _TRANSFORMERS + "modeling_utils:_get_resolved_checkpoint_files": "checks.classes:checking_weights",
            _MODELS + "auto_model:AutoModel.from_pretrained": "checks.classes:checking_from_pretrained",
            _TRANSFORMERS + "modeling_utils:PreTrainedModel.from_pretrained": "checks.classes:checking_from_pretrained",
        },
    ),
    Patch(
        "whole models",
        "checks",
        "from_pretrained refuses options that it would ignore, and models that lack weights",
        {
            _PIPELINE + "from_pretrained": "checks.from_pretrained:of_pipelines",
            _MODEL + "from_pretrained": "checks.from_pretrained:of_models",
            **dict.fromkeys(
                (
                    _TRANSFORMERS + "models.clip.modeling_clip:CLIPPreTrainedModel.from_pretrained",
                    _TRANSFORMERS + "models.dpt.modeling_dpt:DPTPreTrainedModel.from_pretrained",
                    _PIPELINES + "stable_diffusion.safety_checker:StableDiffusionSafetyChecker.from_pretrained",
                ),
                "checks.from_pretrained:of_transformers_models",
            ),
            **dict.fromkeys(
                (
                    _DIFFUSERS + "schedulers.scheduling_utils:SchedulerMixin.from_pretrained",
                    _TRANSFORMERS + "models.dpt.image_processing_dpt:DPTImageProcessor.from_pretrained",
                    *(
                        _PIPELINES + f"auto_pipeline:AutoPipelineFor{task}.from_pretrained"
                        for task in ("Text2Image", "Image2Image", "Inpainting")
                    ),
                ),
                "checks.from_pretrained:of_others",
            ),
            **{
                _UNETS + f"unet_motion_model:{model}._keys_to_ignore_on_load_unexpected": (
                    "checks.matched_keys:without_positions"
                )
                for model in ("MotionAdapter", "UNetMotionModel")
            },
        },
    ),
    Patch(
        "watched pipelines",
        "checks",
        "the checks are added to each pipeline class when its first instance is created",
        {_PIPELINE + "__init__": "patches.pipeline_classes:patching_classes"},
    ),
    Patch(
        "checked calls",
        "checks",
        "a pipeline call is checked and completed with defaults before it starts, and runs with its compiled graphs",
        later="checks.calls:checked",
    ),
    Patch(
        "no devices",
        "checks",
        "to() refuses devices, because mindone would ignore them",
        dict.fromkeys((_PIPELINE + "to", _MODEL + "to"), "checks.common_mistakes:checked_to"),
    ),
    Patch(
        "no LoRA saved",
        "checks",
        "save_pretrained refuses a model with a LoRA, because nothing can load the result",
        dict.fromkeys((_PIPELINE + "save_pretrained", _MODEL + "save_pretrained"), "checks.saving:checked"),
    ),
    Patch(
        "float16 autoencoder",
        "checks",
        "an autoencoder that overflows in float16 runs in float32",
        {
            _MODELS + "autoencoders.autoencoder_kl:AutoencoderKL.decode": "checks.half_precision_vae:decoding",
            _MODELS + "autoencoders.autoencoder_kl:AutoencoderKL.encode": "checks.half_precision_vae:encoding",
        },
    ),
    Patch(
        "one thread at a time",
        "checks",
        "methods of pipelines that compute, or that change or read weights, run one at a time",
        later="concurrency:one_at_a_time",
    ),
)

CPU = (
    Patch(
        "device",
        "cpu",
        "the other rows of this group are active while MindSpore's device is the CPU",
        {
            **dict.fromkeys((_MODELS + "modeling_utils", _TRANSFORMERS + "modeling_utils"), "cpu.switch:after_module"),
            **dict.fromkeys(
                (
                    _PIPELINE + "__init__",
                    _MODEL + "__init__",
                    _TRANSFORMERS + "modeling_utils:PreTrainedModel.__init__",
                ),
                "cpu.switch:before_model",
            ),
            **dict.fromkeys(
                (
                    _DIFFUSERS + "configuration_utils:ConfigMixin.from_config",
                    _PIPELINE + "from_pretrained",
                    _TRANSFORMERS + "modeling_utils:PreTrainedModel.from_pretrained",
                ),
                "cpu.switch:before_loading",
            ),
        },
    ),
    Patch(
        "kernels",
        "cpu",
        "functions that MindSpore's CPU backend lacks or runs slowly",
        {
            (
                f"mindspore.ops.tensor_method:{name.rpartition('.')[2]}"
                if name.startswith("ops.")
                else f"mindspore.mint:{name.removeprefix('mint.')}"
            ): Use(f"cpu.{path.replace('.', ':')}")
            for name, path in KERNELS.items()
        },
        condition="cpu",
    ),
    Patch(
        "layers",
        "cpu",
        "layers of mindone run with fewer operations, and without operations that a CPU lacks",
        {
            _MODELS + "activations:GEGLU.construct": Use("cpu.mindone_functions:geglu_construct"),
            _MODELS + "attention:_chunked_feed_forward": Use("cpu.mindone_functions:chunked_feed_forward"),
            _MODELS + "attention_processor:Attention.get_attention_scores": Use("cpu.attention:get_attention_scores"),
            _MODELS + "attention_processor:Attention.math_attention_op": Use("cpu.attention:math_attention_op"),
            _MODELS + "attention_processor:AttnProcessor2_0.__call__": "cpu.attention:without_moving_heads",
            _MODELS + "resnet:ResnetBlock2D.construct": "cpu.residual:with_fused_norms",
            _LORA_LAYER + "Linear.construct": "cpu.lora:in_linear",
            _LORA_LAYER + "_ConvNd.construct": "cpu.lora:in_convolution",
        },
        condition="cpu",
    ),
    Patch(
        "repeat_interleave",
        "cpu",
        "two methods of mindone call repeat_interleave in a form that has a kernel in graph mode",
        dict.fromkeys(
            (
                _MODELS + "attention_processor:Attention.prepare_attention_mask",
                _UNETS + "unet_motion_model:UNetMotionModel.construct",
            ),
            "cpu.mindone_functions:without_output_size",
        ),
        versions=_MINDONE,
        condition="cpu",
    ),
)

PATCHES: tuple[Patch, ...] = (*STARTUP, *BUGS, *SCHEDULERS, *ADAPTERS, *CHECKS, *CPU)
