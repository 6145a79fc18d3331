"""Weights are read one after the other, in the requested dtype."""

import json

import mindspore as ms
import numpy as np
import pytest
from mindone.diffusers import UNet2DConditionModel
from mindone.safetensors import mindspore as reader
from safetensors.numpy import save_file

import mindone_tcd
from mindone_tcd.errors import UsageError
from mindone_tcd.tiny_models import make


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    return make("sd15", tmp_path_factory.mktemp("models") / "sd15", variant="fp16")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_no_weight_passes_through_another_dtype(halves, dtype, monkeypatch):
    dtype = getattr(ms, dtype)
    passed = set()
    set_dtype = ms.Parameter.set_dtype

    def noted(self, wanted):
        if self.size > 1:
            passed.add(wanted)
        return set_dtype(self, wanted)

    monkeypatch.setattr(ms.Parameter, "set_dtype", noted)
    model = UNet2DConditionModel.from_pretrained(str(halves), subfolder="unet", variant="fp16", mindspore_dtype=dtype)
    assert passed <= {dtype}
    assert {parameter.dtype for parameter in model.get_parameters()} == {dtype}


def test_the_values_are_those_of_the_file(halves):
    model = UNet2DConditionModel.from_pretrained(
        str(halves), subfolder="unet", variant="fp16", mindspore_dtype=ms.float16
    )
    (file,) = (halves / "unet").glob("*.safetensors")
    stored = reader.load_file(file)
    name = "down_blocks.0.resnets.0.conv1.weight"
    np.testing.assert_array_equal(dict(model.parameters_and_names())[name].asnumpy(), stored[name].asnumpy())


def test_tensors_are_read_one_after_the_other(tmp_path, monkeypatch):
    arrays = {f"w{k}": np.full((4, 3), k, np.float32) for k in range(3)}
    save_file(arrays, tmp_path / "w.safetensors")
    read = []
    fromfile = np.fromfile
    monkeypatch.setattr(np, "fromfile", lambda *args: read.append(args[2]) or fromfile(*args))
    reader.load_file(tmp_path / "w.safetensors")
    assert read == [12, 12, 12]


def test_every_dtype_and_shape_is_read(tmp_path):
    arrays = {
        "float": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.ones((1, 2, 2), np.float16),
        "long": np.array([3, 4], np.int64),
        "byte": np.array([[7]], np.uint8),
        "flag": np.array([True, False]),
        "number": np.array(5.0, np.float64),
    }
    save_file(arrays, tmp_path / "w.safetensors", metadata={"format": "pt"})
    found = reader.load_file(str(tmp_path / "w.safetensors"))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].name, found[name].shape) == (name, array.shape)
        assert found[name].asnumpy().dtype == array.dtype
        np.testing.assert_array_equal(found[name].asnumpy(), array)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-3], lambda raw: b"", lambda raw: b"\xff" * 16, lambda raw: raw + b"x"]
)
def test_damaged_files_are_refused(tmp_path, damage):
    save_file({"w": np.ones(4, np.float32)}, tmp_path / "w.safetensors")
    raw = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(damage(raw))
    with pytest.raises(UsageError, match=r"w\.safetensors is (truncated|damaged)"):
        reader.load_file(tmp_path / "w.safetensors")


def test_bfloat16_stays_bfloat16(tmp_path):
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    data = np.array([0x3FC0, 0xC020], np.uint16).tobytes()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    found = reader.load_file(tmp_path / "w.safetensors")["w"]
    assert found.dtype == ms.bfloat16
    np.testing.assert_array_equal(found.float().asnumpy(), [1.5, -2.5])


def relabeled(raw):
    """The same bytes as 16-bit integers."""
    length = int.from_bytes(raw[:8], "little")
    return raw[:8] + raw[8 : 8 + length].replace(b'"F16"', b'"I16"') + raw[8 + length :]


def shifted(raw):
    """The same file with the bytes of the first two weights shifted by one number."""
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    entry = min((value for key, value in header.items() if key != "__metadata__"), key=lambda v: v["data_offsets"])
    entry["data_offsets"] = [offset + 2 for offset in entry["data_offsets"]]
    return raw[:8] + json.dumps(header, separators=(",", ":")).encode().ljust(length) + raw[8 + length :]


def not_finite(raw):
    return raw[:-2] + np.array([np.nan], np.float16).tobytes()


@pytest.mark.parametrize("subfolder", ["unet", "text_encoder"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (relabeled, "has the dtype I16; expected float32, float16 or bfloat16"),
        (shifted, "leaves a gap after the header|overlaps"),
        (not_finite, "holds a NaN or an infinity"),
    ],
)
def test_weights_that_would_change_the_image_are_refused(halves, tmp_path, subfolder, damage, message):
    from mindone.diffusers.models.model_loading_utils import load_state_dict as of_diffusers
    from mindone.transformers.modeling_utils import load_state_dict as of_transformers

    (file,) = (halves / subfolder).glob("*.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(damage(file.read_bytes()))
    for load_state_dict in (of_diffusers, of_transformers):
        assert load_state_dict(str(file)).keys() == reader.load_file(file).keys()
        with pytest.raises(UsageError, match=message):
            load_state_dict(str(bad))


def test_pipelines_use_the_patched_functions():
    from mindone.diffusers.models import model_loading_utils

    assert model_loading_utils.safe_load_file is reader.load_file
    assert mindone_tcd.UNet2DConditionModel is UNet2DConditionModel
