"""Hub ids without a network, through a mirror and from ModelScope, without MindSpore."""

import os
import subprocess
import sys

import pytest
from hubs import fake_modelscope, mirror

from mindone_tcd.adapters.files import find
from mindone_tcd.cli import main
from mindone_tcd.errors import UsageError
from mindone_tcd.files import hub, reachability
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.files.modelscope_hub import fetch_folder, needed
from mindone_tcd.shapes.folder import SHAPES_FOLDER

REPOSITORIES = {"owner/shapes": SHAPES_FOLDER, "owner/lora": SHAPES_FOLDER / "tcd_lora"}
LORA = "pytorch_lora_weights.safetensors"


def run(code, folder, endpoint):
    """Run code in a separate process, with this endpoint, an empty cache, and no permission to sleep."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "0"}
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        environment.pop(proxy, None)
    no_sleep = "import time\ndef sleep(seconds): raise SystemExit(f'it sleeps for {seconds} s')\ntime.sleep = sleep\n"
    return subprocess.run(
        [sys.executable, "-c", no_sleep + code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_mirror(tmp_path):
    code = """
from mindone_tcd.adapters.files import find
from mindone_tcd.files.model_folder import find_model
print(find_model("owner/shapes").pipeline_class, find("owner/lora", None, None, "LoRA").name)
"""
    with mirror(REPOSITORIES) as (endpoint, asked):
        ran = run(code, tmp_path, endpoint)
    assert ran.stdout.split() == ["StableDiffusionXLPipeline", LORA], ran.stderr[-2000:]
    assert "HEAD /owner/shapes/resolve/main/unet/config.json" in asked
    assert f"GET /owner/lora/resolve/main/{LORA}" in asked
    assert asked.count("HEAD /") == 1, "one request checks whether the mirror answers"


def test_without_a_network_the_error_is_quick_and_one_line(tmp_path):
    code = "from mindone_tcd.cli import main; raise SystemExit(main(['generate', 'a cat', '--model', 'owner/name']))"
    with mirror({}) as (endpoint, _):
        pass  # the port is closed now
    ran = run(code, tmp_path, endpoint)
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith(
        f"mindone-tcd: error: cannot fetch the model 'owner/name' ({endpoint} cannot be reached, and"
    )
    assert "set HF_ENDPOINT to a mirror or MINDONE_TCD_HUB=modelscope, or download it elsewhere" in line


def test_without_a_network_the_cache_is_used(tmp_path):
    code = """
from mindone_tcd.adapters.files import find
from mindone_tcd.files.model_folder import find_model
print(find_model("owner/shapes").sample_size, find("owner/lora", None, None, "LoRA").name)
"""
    with mirror(REPOSITORIES) as (endpoint, _):
        first = run(code, tmp_path, endpoint)
    again = run(code, tmp_path, endpoint)
    assert again.stdout.split() == first.stdout.split() == ["128", LORA], again.stderr[-2000:]
    assert not again.stderr


# ----- ModelScope -----------------------------------------------------------------------------------------------------


@pytest.fixture
def modelscope(monkeypatch, tmp_path):
    monkeypatch.setattr(reachability, "reachable", lambda endpoint: True)
    return fake_modelscope(monkeypatch, REPOSITORIES, tmp_path / "cache")


def test_the_hub_is_chosen_by_argument_then_by_environment(monkeypatch):
    assert hub.chosen() == "huggingface"
    monkeypatch.setenv("MINDONE_TCD_HUB", "modelscope")
    assert hub.chosen() == "modelscope"
    with hub.using("huggingface"):
        assert hub.chosen() == "huggingface"
    with hub.using(None):
        assert hub.chosen() == "modelscope"
    monkeypatch.setenv("MINDONE_TCD_HUB", "hf")
    with pytest.raises(UsageError, match="MINDONE_TCD_HUB is 'hf'; expected one of: huggingface, modelscope"):
        hub.chosen()
    with pytest.raises(UsageError, match="hub is 'github'; expected one of"), hub.using("github"):
        pass


def test_configurations_and_adapters_from_modelscope(modelscope):
    with hub.using("modelscope"):
        assert find_model("owner/shapes").pipeline_class == "StableDiffusionXLPipeline"
        found = find("owner/lora", None, None, "LoRA")
        assert find("owner/shapes", None, "lcm_lora", "LoRA").parent.name == "lcm_lora"
    assert found.read_bytes() == (SHAPES_FOLDER / "tcd_lora" / LORA).read_bytes()
    configurations = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"]
    assert sorted(modelscope) == sorted([*configurations, LORA, f"lcm_lora/{LORA}"])


def test_only_the_components_of_a_pipeline_are_downloaded(modelscope):
    with hub.using("modelscope"):
        folder = fetch_folder("owner/shapes", None, True, {})
    here = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    everything = {str(path.relative_to(SHAPES_FOLDER)) for path in SHAPES_FOLDER.rglob("*") if path.is_file()}
    assert here == {path for path in everything if "_lora/" not in path}


def test_the_folder_of_a_component_is_downloaded(modelscope):
    with hub.using("modelscope"):
        folder = fetch_folder("owner/shapes", "unet", False, {})
    assert folder.name == "shapes"
    assert sorted(modelscope) == ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"]


def test_files_of_a_variant():
    files = [
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/onnx/model.safetensors",
        "sd_xl_base.safetensors",
    ]
    assert needed(files, "unet/", "fp16") == [files[0], files[2]]
    assert needed(files, "unet/", None) == files[:2]
    assert needed(files, "unet/", "bf16") == files[:2]
    assert needed(files, "", None) == []


def test_modelscope_without_a_network_uses_the_cache(modelscope, monkeypatch):
    with hub.using("modelscope"):
        fetch_folder("owner/shapes", None, True, {})
        find("owner/lora", None, None, "LoRA")
        monkeypatch.setattr(reachability, "reachable", lambda endpoint: False)
        modelscope.clear()
        assert fetch_folder("owner/shapes", None, True, {}).name == "shapes"
        assert find("owner/lora", None, None, "LoRA").name == LORA
        assert find_model("owner/shapes").sample_size == 128
        with pytest.raises(UsageError, match=r"cannot fetch the LoRA 'owner/new' from ModelScope \(Cannot find"):
            find("owner/new", None, None, "LoRA")
    assert modelscope == []


def test_missing_on_modelscope(modelscope):
    with hub.using("modelscope"):
        with pytest.raises(UsageError, match=r"cannot fetch the model 'owner/none' from ModelScope .*choose the hub"):
            find_model("owner/none")
        with pytest.raises(UsageError, match="the hub modelscope does not support token; leave it out"):
            find("owner/lora", None, None, "LoRA", token="x")


def test_without_the_package_modelscope(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "modelscope", None)
    assert main(["generate", "a cat", "--model", "owner/name", "--hub", "modelscope"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the hub modelscope needs the package modelscope (" in line
    assert 'pip install "mindone-tcd[modelscope]", or choose the hub huggingface' in line
