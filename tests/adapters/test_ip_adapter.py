"""IP-Adapters in mindone's pipelines equal diffusers on torch. Bad files are refused before anything changes."""

import importlib.util
import json
import shutil
from pathlib import Path

import cases
import ip_cases
import numpy as np
import pytest
import tiny
from hubs import cached_snapshot

from mindone_tcd.adapters.ip_adapter_keys import attention_shapes
from mindone_tcd.errors import UsageError

# As for LoRAs, both sides compute in float32 with different kernels. An IP-Adapter moves the output by 0.1 to 1.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def references():
    with np.load(cases.REFERENCES) as stored:
        return dict(stored)


def outputs(pipe, case):
    import mindspore as ms

    return {name: out.asnumpy() for name, out in ip_cases.outputs(pipe, case, ms.Tensor).items()}


@pytest.mark.parametrize("name", ip_cases.CASES)
def test_equal_to_the_stored_outputs_of_diffusers(pipeline, name, references, tmp_path):
    case = ip_cases.CASES[name]
    pipe = pipeline(case.config)
    without = tiny.mindone_outputs(pipe, case.config)["unet"]
    ip_cases.load(pipe, case, tmp_path)
    found = outputs(pipe, case)
    for model, out in found.items():
        np.testing.assert_allclose(out, references[f"{name}: {model}"], rtol=0, atol=TOLERANCE, err_msg=model)
    assert np.abs(found["unet"] - without).max() > 0.05
    assert pipe.feature_extractor is not None


@pytest.mark.parity
@pytest.mark.parametrize("name", ip_cases.CASES)
def test_stored_references_are_diffusers_own(name, references):
    path = Path(__file__).parents[2] / "tools" / "reference" / "adapters.py"
    spec = importlib.util.spec_from_file_location("reference_adapters", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for key, out in script.make_ip([name]).items():
        np.testing.assert_allclose(references[key], out, rtol=0, atol=TOLERANCE, err_msg=key)


def test_all_attentions_of_sdxl_are_numbered():
    blocks = [(f"down_blocks.{i}.attentions.{j}", depth) for i, depth in ((1, 2), (2, 10)) for j in range(2)]
    blocks += [(f"up_blocks.{i}.attentions.{j}", depth) for i, depth in ((0, 10), (1, 2)) for j in range(3)]
    blocks += [("mid_block.attentions.0", 10)]
    processors = {
        f"{path}.transformer_blocks.{k}.attn{n}.processor": None for path, d in blocks for k in range(d) for n in (1, 2)
    }
    shapes = attention_shapes(processors, (320, 640, 1280), 2048)
    assert len(processors) == len(shapes) == 140
    assert list(shapes)[-1] == "139.to_v_ip.weight"
    assert (shapes["1.to_k_ip.weight"], shapes["139.to_v_ip.weight"]) == ((640, 2048), (1280, 2048))


def test_a_repository_of_the_hub_comes_from_the_cache(pipeline, tmp_path):
    snapshot = cached_snapshot(tmp_path, "owner/ip")
    names = ip_cases.write(CASE, snapshot)
    fresh = pipeline(tiny.SD)
    fresh.load_ip_adapter("owner/ip", subfolder="sdxl_models", weight_name=names[0], cache_dir=str(tmp_path))
    assert fresh.image_encoder.config.projection_dim == ip_cases.PROJECTION
    (snapshot / "sdxl_models" / "image_encoder" / "model.safetensors").unlink()
    fresh = pipeline(tiny.SD)
    with pytest.raises(UsageError, match="the image encoder owner/ip/sdxl_models/image_encoder cannot be loaded"):
        fresh.load_ip_adapter("owner/ip", subfolder="sdxl_models", weight_name=names[0], cache_dir=str(tmp_path))
    assert fresh.image_encoder is None


# ----- refusals -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pipe():
    """One pipeline for all tests. No test may change it."""
    made = tiny.mindone_pipeline(tiny.SD)
    before = state(made)
    yield made
    assert state(made) == before


def state(pipe):
    cells = [(name, type(cell)) for name, cell in pipe.unet.cells_and_names()]
    values = [(name, p.asnumpy().tobytes()) for name, p in pipe.unet.parameters_and_names()]
    processors = [(name, id(processor)) for name, processor in pipe.unet.attn_processors.items()]
    return cells, values, processors, pipe.image_encoder, pipe.feature_extractor, pipe.unet.config.encoder_hid_dim_type


CASE = ip_cases.Case(tiny.SD, lambda c: [ip_cases.plain(c)], [])


@pytest.fixture
def refused(pipe, tmp_path):
    ip_cases.write(CASE, tmp_path)
    file = tmp_path / "sdxl_models" / "ip-adapter_0.safetensors"

    def load(message, tensors=None, shapes=None, source=None, **options):
        if shapes is not None:
            tensors = ip_cases.draw(shapes, "x")
        if tensors is not None:
            tiny.save(tensors, file)
        before = state(pipe)
        options = {"subfolder": "sdxl_models", "weight_name": file.name} | options
        with pytest.raises(UsageError, match=message):
            pipe.load_ip_adapter(str(tmp_path) if source is None else source, **options)
        assert state(pipe) == before

    return load


def good():
    return ip_cases.draw(ip_cases.plain(tiny.SD), "x")


def test_missing_tensors(refused):
    file = good()
    del file["ip_adapter.1.to_k_ip.weight"]
    refused(r"does not fit StableDiffusionPipeline as IP-Adapter: ip_adapter\.1\.to_k_ip\.weight is missing", file)
    file = good()
    del file["image_proj.norm.bias"]
    refused(r"image_proj\.norm\.bias is missing", file)
    file = ip_cases.draw(ip_cases.plus(tiny.SD), "x")
    del file["image_proj.layers.3.1.3.weight"]
    refused(r"as IP-Adapter Plus: image_proj\.layers\.3\.1\.3\.weight is missing", file)
    refused("is an IP-Adapter of an unknown kind: its image_proj has norm.bias", {
        key: value for key, value in good().items() if key not in ("image_proj.proj.weight", "image_proj.norm.weight")
    })  # fmt: skip


@pytest.mark.parametrize("key", ["image_proj.norm.weight", "ip_adapter.1.to_k_ip.weight"])
def test_integers(refused, key):
    file = good()
    file[key] = file[key].view(np.int32)
    refused(rf"{key}' has the dtype I32; expected float32", file)


def test_an_error_of_mindone_during_loading_changes_nothing(pipeline, monkeypatch, tmp_path):
    fresh = pipeline(tiny.SD)
    before = state(fresh)
    ip_cases.write(CASE, tmp_path)

    def fail(*args, **options):
        raise RuntimeError("half way")

    monkeypatch.setattr(type(fresh.unet), "_convert_ip_adapter_image_proj_to_diffusers", fail)
    options = {"subfolder": "sdxl_models", "weight_name": "ip-adapter_0.safetensors"}
    with pytest.raises(RuntimeError, match="half way"):
        fresh.load_ip_adapter(str(tmp_path), **options)
    assert state(fresh) == before
    monkeypatch.undo()
    fresh.load_ip_adapter(str(tmp_path), **options)
    assert state(fresh) != before


def test_keys_that_are_very_long_or_of_several_lines(refused):
    zero = np.zeros(1, np.float32)
    refused(r"2 keys that .* does not have: 'image_proj\.x\\ny', 'ip_adapter\.y{100,200}…", {
        **good(), "image_proj.x\ny": zero, "ip_adapter." + "y" * 900: zero
    })  # fmt: skip
    refused("has 100011 characters", {**good(), "ip_adapter." + "y" * 100_000: zero})


def test_another_base_models_file(refused):
    refused(
        r"proj\.weight has the shape \(256, 32\), but \(128, 32\) is needed.* in all\); expected .*width 32\)",
        shapes=ip_cases.plain(tiny.XL),
    )


def test_unknown_keys(refused, pipeline, tmp_path):
    file = good() | {"ip_adapter.99.to_k_ip.weight": np.zeros((32, 32), np.float32), "epoch": np.zeros(1, np.float32)}
    refused(r"2 keys that the IP-Adapter of StableDiffusionPipeline does not have: epoch, ip_adapter\.99", file)
    fresh = pipeline(tiny.SD)
    options = {"subfolder": "sdxl_models", "weight_name": "ip-adapter_0.safetensors"}
    with pytest.warns(UserWarning, match="skipped .*2 keys"):
        fresh.load_ip_adapter(str(tmp_path), strict=False, **options)
    assert fresh.unet.config.encoder_hid_dim_type == "ip_image_proj"


def test_a_face_id_file_with_an_incomplete_lora(refused):
    file = ip_cases.draw(ip_cases.face_id(tiny.SD), "x")
    del file["ip_adapter.3.to_out_lora.up.weight"]
    refused(r"ip_adapter\.3\.to_out_lora\.up\.weight is missing", file, image_encoder_folder=None)
    file = ip_cases.draw(ip_cases.face_id(tiny.SD), "x")
    file["ip_adapter.3.to_out_lora.up.weight"] = np.zeros((7, 4), np.float32)
    refused("of another shape", file, image_encoder_folder=None)


def test_a_file_that_is_no_ip_adapter(refused):
    refused(r"holds no 'image_proj\.' tensors, but unet\.a", {"unet.a": np.zeros(1, np.float32)})
    refused("a dict is not an IP-Adapter", source={"image_proj": {}}, weight_name=None, subfolder=None)


def test_the_second_of_two_is_bad(refused, tmp_path):
    bad = good()
    del bad["ip_adapter.3.to_v_ip.weight"]
    tiny.save(bad, tmp_path / "sdxl_models" / "bad.safetensors")
    refused(r"bad\.safetensors does not fit", weight_name=["ip-adapter_0.safetensors", "bad.safetensors"])
    refused("2 sources, 1 subfolders, 3 weight names: expected one of each", source=["a", "b"], weight_name=["x"] * 3)


def test_files(refused, tmp_path):
    inside = tmp_path / "sdxl_models"
    refused(r"'ip-adapter_sdxl\.bin' is not a \.safetensors file; only safetensors", weight_name="ip-adapter_sdxl.bin")
    refused(r"has no sdxl_models/other\.safetensors; there is: ip-adapter_0", weight_name="other.safetensors")
    refused("cannot fetch the IP-Adapter 'nobody/nothing'", source="nobody/nothing")
    refused("load_ip_adapter does not know strenght", strenght=1)
    file = inside / "ip-adapter_0.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    refused("is damaged")


def test_the_image_encoder(refused, tmp_path, pipeline):
    folder = tmp_path / "sdxl_models" / "image_encoder"
    refused("sdxl_models/elsewhere does not exist or has no config.json", image_encoder_folder="elsewhere")
    refused("models/image_encoder does not exist", image_encoder_folder="models/image_encoder")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"projection_dim": 40}))
    refused(r"needs image features of width 32 .* this image encoder's projection_dim is 40")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(r"has no safetensors weights \(pytorch_model\.bin\); only safetensors are loaded")
    refused("a dict holds no image encoder", source=_groups(good()))
    fresh = pipeline(tiny.SD)
    fresh.load_ip_adapter(_groups(good()), subfolder="", weight_name="", image_encoder_folder=None)
    assert fresh.image_encoder is None
    assert fresh.unet.config.encoder_hid_dim_type == "ip_image_proj"


def _groups(file):
    return {
        group: {key.removeprefix(f"{group}."): value for key, value in file.items() if key.startswith(f"{group}.")}
        for group in ("image_proj", "ip_adapter")
    }


def test_an_image_encoder_in_another_folder(pipeline, tmp_path):
    names = ip_cases.write(CASE, tmp_path)
    (tmp_path / "models").mkdir()
    shutil.move(tmp_path / "sdxl_models" / "image_encoder", tmp_path / "models" / "image_encoder")
    fresh = pipeline(tiny.SD)
    fresh.load_ip_adapter(
        str(tmp_path), subfolder="sdxl_models", weight_name=names[0], image_encoder_folder="models/image_encoder"
    )
    assert fresh.image_encoder.config.projection_dim == ip_cases.PROJECTION
