"""``from_pretrained`` of mindone requires complete weights and known options, and explains its errors."""

import json
import logging
import shutil
import subprocess
import sys
import warnings

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import mindone_tcd
from mindone_tcd.errors import UsageError
from mindone_tcd.exports import get as ours
from mindone_tcd.generate.loading import load
from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.tiny_models import make

PARTS = {
    "unet": ("UNet2DConditionModel", "conv_in.weight"),
    "vae": ("AutoencoderKL", "decoder.conv_norm_out.weight"),
    "text_encoder": ("CLIPTextModel", "text_model.embeddings.token_embedding.weight"),
    "text_encoder_2": ("CLIPTextModelWithProjection", "text_model.final_layer_norm.bias"),
}
TINY_MODELS = {
    "ControlNetModel": ("controlnet-sdxl", "", "controlnet_cond_embedding.conv_in.bias"),
    "T2IAdapter": ("t2i-adapter-sdxl", "", "adapter.conv_in.weight"),
    "MotionAdapter": ("motion-adapter", "", "mid_block.motion_modules.0.proj_in.weight"),
    "DPTForDepthEstimation": ("dpt", "", "head.head.0.weight"),
    "CLIPVisionModelWithProjection": (
        "ip-adapter",
        "sdxl_models/image_encoder",
        "vision_model.embeddings.patch_embedding.weight",
    ),
    "StableDiffusionSafetyChecker": ("sd15-safety-checker", "safety_checker", "visual_projection.weight"),
}


def get(name):
    """A class of mindone by name. mindone_tcd does not export that of the safety checker."""
    if name != "StableDiffusionSafetyChecker":
        return ours(name)
    from mindone.diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    ours("StableDiffusionPipeline")
    return StableDiffusionSafetyChecker


def change(folder, edit):
    """Change the tensors of the only weights file of a folder."""
    (path,) = folder.glob("*.safetensors")
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def lose(key):
    def edit(tensors):
        del tensors[key]
        tensors["foo.weight"] = np.zeros(3, np.float32)

    return edit


def reshape(key):
    def edit(tensors):
        tensors[key] = np.zeros((3, 2), tensors[key].dtype)

    return edit


def part(name, folder):
    """The folder of a model in ``folder``, its class and one of its keys."""
    if name in PARTS:
        shutil.copytree(SHAPES_FOLDER / name, folder / name)
        return folder / name, *PARTS[name]
    tiny, inner, key = TINY_MODELS[name]
    return make(tiny, folder / name) / inner, name, key


# ----- complete weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PARTS, *TINY_MODELS])
def test_every_key_must_match(name, tmp_path):
    where, kind, key = part(name, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        get(kind).from_pretrained(str(where))
    change(where, lose(key))
    with pytest.raises(UsageError) as caught:
        get(kind).from_pretrained(str(where))
    message = str(caught.value)
    assert f"do not fit {kind}: 1 missing ({key}), 1 unexpected (foo.weight); fetch" in message
    assert str(where) in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["unet", "text_encoder", "MotionAdapter", "DPTForDepthEstimation"])
def test_every_shape_must_match(name, tmp_path):
    where, kind, key = part(name, tmp_path)
    change(where, reshape(key))
    with pytest.raises(
        UsageError, match=r"1 of another shape \(\S+ is \(3, 2\) instead of \(\d+, .*ignore_mismatched"
    ) as e:
        get(kind).from_pretrained(str(where), strict=False)
    assert f"({key} is" in str(e.value)


def test_wrong_shapes_with_ignore_mismatched_sizes(tmp_path):
    where, kind, key = part("unet", tmp_path)
    change(where, reshape(key))
    unet = get(kind).from_pretrained(str(where), ignore_mismatched_sizes=True)
    assert unet.conv_in.weight.shape == (64, 4, 3, 3)


def test_missing_weights_of_a_pipeline_are_reported(shapes):
    change(shapes / "unet", lose("conv_in.weight"))
    expected = r"1 missing \(conv_in\.weight\), 1 unexpected \(foo\.weight\)"
    with pytest.raises(UsageError, match=expected):
        load(model=shapes, lora="none")
    with pytest.warns(UserWarning, match=expected + "; missing weights keep random values"):
        pipe = get("StableDiffusionXLPipeline").from_pretrained(str(shapes), strict=False)
    assert pipe.unet is not None
    with pytest.raises(UsageError, match=expected):  # strict=False applied only to that call
        get("UNet2DConditionModel").from_pretrained(str(shapes), subfolder="unet")


def test_a_safety_checker_lacks_nothing(tmp_path):
    folder = make("sd15-safety-checker", tmp_path / "sd15")
    published = {"vision_model.vision_model.embeddings.position_ids": np.arange(17)[None]}
    change(folder / "safety_checker", lambda tensors: tensors.update(published))
    assert get("StableDiffusionPipeline").from_pretrained(str(folder)).safety_checker is not None
    change(folder / "safety_checker", lambda tensors: tensors.pop("concept_embeds"))
    with pytest.raises(UsageError, match=r"do not fit StableDiffusionSafetyChecker: 1 missing \(concept_embeds\)"):
        get("StableDiffusionPipeline").from_pretrained(str(folder))


def test_an_error_for_many_keys_gives_their_number(shapes):
    change(shapes / "vae", lambda tensors: [tensors.pop(key) for key in sorted(tensors)[:8]])
    with pytest.raises(UsageError, match=r"8 missing \((\S+, ){5}…\); fetch"):
        get("AutoencoderKL").from_pretrained(str(shapes / "vae"))


def test_output_loading_info_still_works():
    vae, info = get("AutoencoderKL").from_pretrained(str(SHAPES_FOLDER / "vae"), output_loading_info=True)
    assert type(vae).__name__ == "AutoencoderKL"
    assert info["missing_keys"] == []
    assert info["unexpected_keys"] == []


def test_names_of_old_autoencoders(tmp_path):
    """The attention layers of autoencoders from before diffusers 0.16 have other names."""
    vae = get("AutoencoderKL")(block_out_channels=(32,), norm_num_groups=8)
    values = {name: parameter.asnumpy() for name, parameter in vae.parameters_and_names()}
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old_name(name):
        for new, before in old.items():
            name = name.replace(f".{new}.", f".{before}.")
        return name

    vae.save_pretrained(str(tmp_path))
    change(tmp_path, lambda tensors: tensors.clear() or tensors.update({old_name(k): v for k, v in values.items()}))
    loaded = get("AutoencoderKL").from_pretrained(str(tmp_path))
    assert any("query" in old_name(name) for name in values)
    for name, parameter in loaded.parameters_and_names():
        np.testing.assert_array_equal(parameter.asnumpy(), values[name], err_msg=name)


def test_position_ids_of_old_text_encoders(tmp_path):
    where, kind, _ = part("text_encoder", tmp_path)
    change(where, lambda t: t.update({"text_model.embeddings.position_ids": np.arange(24)[None]}))
    get(kind).from_pretrained(str(where))


def test_one_tower_of_a_clip_model(tmp_path):
    """A text encoder can be loaded from the files of a complete CLIP model."""
    where, kind, _ = part("text_encoder", tmp_path)
    config = json.loads((where / "config.json").read_text())
    del config["architectures"]
    whole = {"architectures": ["CLIPModel"], "model_type": "clip", "text_config": config, "vision_config": {}}
    (where / "config.json").write_text(json.dumps(whole))
    others = ("vision_model.pre_layrnorm.weight", "text_projection.weight", "logit_scale")
    change(where, lambda tensors: tensors.update(dict.fromkeys(others, np.zeros(3, np.float32))))
    get(kind).from_pretrained(str(where))
    change(where, lambda tensors: tensors.update({"text_model.foo": np.zeros(3, np.float32)}))
    with pytest.raises(UsageError, match=r"do not fit CLIPTextModel: 1 unexpected \(text_model\.foo\); fetch"):
        get(kind).from_pretrained(str(where))


def test_published_depth_models_may_lack_unused_weights(tmp_path):
    where, kind, _ = part("DPTForDepthEstimation", tmp_path)
    unused = "neck.fusion_stage.layers.0.residual_layer1."
    dropped = [
        key for (path,) in [list(where.glob("*.safetensors"))] for key in load_file(path) if key.startswith(unused)
    ]
    assert dropped
    change(where, lambda tensors: [tensors.pop(key) for key in dropped])
    get(kind).from_pretrained(str(where))


def test_motion_modules_do_not_report_their_position_codes(tmp_path, caplog):
    where, kind, _ = part("MotionAdapter", tmp_path)
    (path,) = where.glob("*.safetensors")
    assert any(key.endswith("pos_embed.pe") for key in load_file(path))
    with caplog.at_level(logging.WARNING, logger="mindone"):
        logging.getLogger("mindone").propagate = True
        get(kind).from_pretrained(str(where))
    assert "pos_embed" not in caplog.text


def test_load_restores_the_log_levels(shapes):
    logger = logging.getLogger("mindone")
    level = logger.level
    load(model=shapes, lora="none")
    assert logger.level == level
    change(shapes / "unet", lose("conv_in.weight"))
    with pytest.raises(UsageError):
        load(model=shapes, lora="none")
    assert logger.level == level


# ----- missing files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "StableDiffusionXLPipeline",
        "DiffusionPipeline",
        "AutoPipelineForText2Image",
        "AutoPipelineForImage2Image",
        "AutoPipelineForInpainting",
        "ControlNetModel",
        "MotionAdapter",
        "T2IAdapter",
        "UNet2DConditionModel",
        "AutoencoderTiny",
        "CLIPTextModel",
        "CLIPVisionModelWithProjection",
        "DPTForDepthEstimation",
        "DPTImageProcessor",
    ],
)
def test_a_hub_id_without_a_network(name):
    with pytest.raises(UsageError) as caught:
        get(name).from_pretrained("nobody/nothing")
    message = str(caught.value)
    assert message.startswith("there is no folder 'nobody/nothing', and it cannot be fetched as a hub id (")
    assert message.endswith("with no network, download it elsewhere and give its folder")
    assert "\n" not in message
    with pytest.raises(UsageError, match=r"there is no folder '\./no/such'; expected one, or a hub id"):
        get(name).from_pretrained("./no/such")


def test_the_wrong_folder(tmp_path):
    here = str(SHAPES_FOLDER)
    for name, source, options, message in (
        (
            "StableDiffusionXLPipeline",
            f"{here}/unet",
            {},
            "has no model_index.json; expected a folder that a pipeline saved",
        ),
        (
            "AutoPipelineForText2Image",
            f"{here}/unet",
            {},
            "has no model_index.json; expected a folder that a pipeline saved",
        ),
        ("UNet2DConditionModel", here, {}, "contains a whole pipeline; expected one model: pass its folder"),
        ("CLIPTextModel", here, {}, "contains a whole pipeline; expected one model: pass its folder"),
        ("UNet2DConditionModel", here, {"subfolder": "net"}, "has no folder net; expected the model there"),
        ("T2IAdapter", f"{here}/model_index.json", {}, "is a file; expected the folder of a model"),
    ):
        with pytest.raises(UsageError, match=message):
            get(name).from_pretrained(source, **options)


def test_text_encoder_of_another_variant(tmp_path):
    where, kind, _ = part("text_encoder", tmp_path)
    with pytest.raises(UsageError, match="no weights of the variant 'fp16', but others: leave variant out"):
        get(kind).from_pretrained(str(where), variant="fp16")


# ----- schedulers -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["TCDScheduler", "LCMScheduler", "EulerDiscreteScheduler"])
def scheduler(request):
    return getattr(mindone_tcd, request.param)


def test_a_schedulers_hub_id_without_a_network(scheduler):
    with pytest.raises(UsageError) as caught:
        scheduler.from_pretrained("nobody/nothing", subfolder="scheduler")
    message = str(caught.value)
    assert "it cannot be fetched as a hub id (the hub cannot be reached or is disabled, and" in message
    assert message.endswith("with no network, download it elsewhere and give its folder")
    assert "\n" not in message


def test_the_reason_of_a_failed_connection_and_of_a_missing_file(monkeypatch):
    class ConnectionError(OSError):
        """The class of requests, not of Python."""

    kind = mindone_tcd.TCDScheduler
    for error, reason in (
        (OSError("Cannot load model nobody/nothing\nSee"), "(Cannot load model nobody/nothing); with"),
        (ConnectionError("timed out"), "(the hub cannot be reached or is disabled"),
    ):

        def fail(*_, raised=error, **__):
            raise OSError(*raised.args) from raised

        monkeypatch.setattr(kind, "load_config", fail)
        with pytest.raises(UsageError) as caught:
            kind.from_pretrained("nobody/nothing")
        assert reason in str(caught.value)


def test_the_checks_also_run_if_only_the_scheduler_is_imported():
    script = "from mindone_tcd import TCDScheduler as S; print(S.from_pretrained.__func__.__code__.co_filename)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.strip().endswith("from_pretrained.py"), ran.stderr[-2000:]


def test_folders_without_a_scheduler(scheduler, tmp_path):
    for source, subfolder, message in (
        (SHAPES_FOLDER, None, 'contains a whole pipeline; expected a scheduler: pass subfolder="scheduler"'),
        (SHAPES_FOLDER, "schedular", "has no folder schedular; expected the model there: pass another subfolder"),
        (
            tmp_path,
            None,
            r"has no scheduler_config\.json; expected a scheduler: fetch the file, or pass another folder",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            scheduler.from_pretrained(str(source), subfolder=subfolder)
    (tmp_path / "scheduler_config.json").write_text("{")
    with pytest.raises(UsageError, match=r"scheduler_config\.json cannot be read as JSON"):
        scheduler.from_pretrained(str(tmp_path))


def test_a_schedulers_folder_is_read_as_before(scheduler):
    made, unused = scheduler.from_pretrained(
        str(SHAPES_FOLDER), subfolder="scheduler", return_unused_kwargs=True, beta_end=0.02, colour="blue"
    )
    assert type(made) is scheduler
    assert made.config.beta_end == 0.02
    assert unused["colour"] == "blue"
    assert type(scheduler.from_pretrained(SHAPES_FOLDER / "scheduler")) is scheduler


def test_a_pipeline_folder_without_its_scheduler_file(shapes):
    (shapes / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(UsageError, match=r"scheduler has no scheduler_config\.json; expected a scheduler"):
        get("StableDiffusionXLPipeline").from_pretrained(str(shapes))


# ----- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("StableDiffusionXLPipeline", ""),
        ("DiffusionPipeline", ""),
        ("AutoPipelineForText2Image", ""),
        ("UNet2DConditionModel", "unet"),
        ("AutoencoderKL", "vae"),
        ("CLIPTextModel", "text_encoder"),
    ],
)
@pytest.mark.parametrize(
    ("option", "meant"),
    [({"varient": "fp16"}, "variant"), ({"torch_dtype": ms.float32}, "mindspore_dtype")],
    ids=["varient", "torch_dtype"],
)
def test_unknown_options_are_refused(name, folder, option, meant):
    with pytest.raises(UsageError, match=f"no option '{next(iter(option))}' and would ignore it; use {meant}$"):
        get(name).from_pretrained(str(SHAPES_FOLDER / folder), **option)


def test_an_unknown_option_without_a_similar_name():
    with pytest.raises(UsageError, match="no option 'colour' and would ignore it; leave it out"):
        get("AutoencoderKL").from_pretrained(str(SHAPES_FOLDER / "vae"), colour="blue")


def test_known_options_pass(tmp_path):
    here = str(SHAPES_FOLDER)
    vae = get("AutoencoderKL").from_pretrained(here, subfolder="vae", mindspore_dtype=ms.float16, scaling_factor=0.5)
    assert vae.dtype == ms.float16
    assert vae.config.scaling_factor == 0.5
    text = get("CLIPTextModel").from_pretrained(f"{here}/text_encoder", local_files_only=True, output_attentions=True)
    assert text.config.output_attentions
    unet = get("UNet2DConditionModel").from_pretrained(here, subfolder="unet", use_safetensors=True)
    scheduler = get("EulerDiscreteScheduler")()
    pipe = get("DiffusionPipeline").from_pretrained(
        here, unet=unet, vae=vae, text_encoder=text, scheduler=scheduler, add_watermarker=False, revision="main"
    )
    assert pipe.unet is unet
    assert pipe.vae is vae
    assert pipe.text_encoder is text
    assert pipe.scheduler is scheduler
    net = get("ControlNetModel").from_unet(unet)
    auto = get("AutoPipelineForText2Image").from_pretrained(here, controlnet=net, unet=unet, vae=None)
    assert type(auto).__name__ == "StableDiffusionXLControlNetPipeline"
    assert auto.controlnet is net


def test_the_dtype_of_a_text_encoder_causes_no_log_message(caplog, monkeypatch):
    import logging

    import mindspore as ms

    said = []
    logger = logging.getLogger("mindone.transformers.modeling_utils")
    monkeypatch.setattr(type(logger), "warning_once", lambda self, message: said.append(message), raising=False)
    for options in ({"mindspore_dtype": ms.float16}, {}):
        model = mindone_tcd.CLIPTextModel.from_pretrained(str(SHAPES_FOLDER), subfolder="text_encoder", **options)
        assert model.dtype == options.get("mindspore_dtype", ms.float32)
    assert not said
