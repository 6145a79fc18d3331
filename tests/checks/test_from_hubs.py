"""Pipelines and single models by hub id: from ModelScope, and without an answer from any hub."""

import json
import shutil

import pytest
from hubs import cached_snapshot, fake_modelscope

import mindone_tcd
from mindone_tcd.errors import UsageError
from mindone_tcd.files import hub, reachability
from mindone_tcd.files.safetensors import read_header
from mindone_tcd.shapes.folder import SHAPES_FOLDER

REPOSITORIES = {"owner/shapes": SHAPES_FOLDER, "owner/lora": SHAPES_FOLDER / "tcd_lora"}


@pytest.fixture
def modelscope(monkeypatch, tmp_path):
    monkeypatch.setattr(reachability, "reachable", lambda endpoint: True)
    return fake_modelscope(monkeypatch, REPOSITORIES, tmp_path)


def test_load_from_modelscope(modelscope):
    pipe = mindone_tcd.load(model="owner/shapes", lora="owner/lora", hub="modelscope")
    assert "vae/diffusion_pytorch_model.safetensors" in modelscope
    assert pipe.model.name == "owner/shapes"
    assert pipe.recipe.lora == "owner/lora"
    assert pipe.pipeline.get_active_adapters()
    assert hub.chosen() == "huggingface", "the choice is for this call alone"


def test_models_and_schedulers_from_modelscope(modelscope, monkeypatch):
    monkeypatch.setenv("MINDONE_TCD_HUB", "modelscope")
    model = mindone_tcd.AutoencoderKL.from_pretrained("owner/shapes", subfolder="vae")
    assert model.config.block_out_channels
    scheduler = mindone_tcd.TCDScheduler.from_pretrained("owner/shapes", subfolder="scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    files = ["scheduler/scheduler_config.json", "vae/config.json", "vae/diffusion_pytorch_model.safetensors"]
    assert sorted(modelscope) == files
    with pytest.raises(UsageError, match="owner/shapes on ModelScope has no model in controlnet"):
        mindone_tcd.ControlNetModel.from_pretrained("owner/shapes", subfolder="controlnet")


@pytest.mark.parametrize(
    "name",
    [
        *("DiffusionPipeline", "AutoPipelineForText2Image", "ControlNetModel", "MotionAdapter"),
        *("CLIPTextModel", "DPTImageProcessor", "TCDScheduler"),
    ],
)
def test_without_a_network_no_request_is_repeated(name, monkeypatch, caplog):
    """After the quick request fails, the loader reads only the cache, and logs nothing."""
    from huggingface_hub import constants

    asked = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(reachability, "_answers", {})
    monkeypatch.setattr(reachability, "_answers_in_time", lambda endpoint: asked.append(endpoint))
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: pytest.fail("it waits to try again"))
    with pytest.raises(UsageError, match="'nobody/nothing', and it cannot be fetched as a hub id"):
        getattr(mindone_tcd, name).from_pretrained("nobody/nothing")
    assert asked == [constants.ENDPOINT]
    assert not caplog.records


@pytest.mark.parametrize(
    ("cls", "part", "field", "value"),
    [
        ("UNet2DConditionModel", "unet", "layers_per_block", 10**6),
        ("AutoencoderKL", "vae", "layers_per_block", 10**6),
        ("CLIPTextModel", "text_encoder", "num_hidden_layers", 10**6),
    ],
)
@pytest.mark.parametrize("sharded", [False, True])
def test_a_configuration_larger_than_the_weights_is_refused(cls, part, field, value, sharded, monkeypatch, tmp_path):
    """The check also applies to the hub cache, before the model is built."""
    snapshot = cached_snapshot(tmp_path, "owner/shapes")
    shutil.copytree(SHAPES_FOLDER / part, snapshot / part)
    config = json.loads((snapshot / part / "config.json").read_text())
    (snapshot / part / "config.json").write_text(json.dumps({**config, field: value}))
    if sharded:
        weights = next((snapshot / part).glob("*.safetensors"))
        shard = f"{weights.stem}-00001-of-00001.safetensors"
        keys = read_header(weights).tensors
        weights.rename(weights.with_name(shard))
        content = {"metadata": {}, "weight_map": dict.fromkeys(keys, shard)}
        weights.with_name(f"{weights.name}.index.json").write_text(json.dumps(content))
    monkeypatch.setattr(reachability, "reachable", lambda endpoint: False)
    with pytest.raises(UsageError, match=rf"{part}/config.json: {field} is 1000000"):
        getattr(mindone_tcd, cls).from_pretrained("owner/shapes", subfolder=part, cache_dir=tmp_path)
