"""Files of quantized networks: their content, their size, and what is refused."""

import mindspore as ms
import numpy as np
import pytest
import safetensors.numpy
from tiny_sdxl import UNET

from mindone_tcd import UNet2DConditionModel
from mindone_tcd.errors import UsageError
from mindone_tcd.quantize import files
from mindone_tcd.quantize.kinds import is_quantized
from mindone_tcd.quantize.network import quantize_network


@pytest.fixture
def unet():
    return quantize_network(UNet2DConditionModel(**UNET))


def values(network):
    return {name: parameter.asnumpy() for name, parameter in network.parameters_and_names()}


def test_a_saved_network_is_loaded_exactly(unet, tmp_path):
    path = tmp_path / "unet.safetensors"
    files.save(unet, path)
    other = UNet2DConditionModel(**UNET)
    assert files.load(other, path) is other
    ours, theirs = values(unet), values(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype, name
        assert (value == theirs[name]).all(), name


def test_other_parameters_are_float16_only_where_that_is_exact(unet, tmp_path):
    exact, rounded = unet.conv_norm_out.weight, unet.conv_norm_out.bias
    exact.set_data(ms.Tensor(np.full(exact.shape, 0.5, np.float32)))
    rounded.set_data(ms.Tensor(np.full(rounded.shape, 0.1, np.float32)))
    files.save(unet, tmp_path / "unet.safetensors")
    stored = safetensors.numpy.load_file(tmp_path / "unet.safetensors")
    assert stored["conv_norm_out.weight"].dtype == np.float16
    assert stored["conv_norm_out.bias"].dtype == np.float32
    assert {array.dtype for name, array in stored.items() if name.endswith(".scale")} == {np.dtype(np.float32)}


def test_a_float_network_is_not_saved(tmp_path):
    with pytest.raises(UsageError, match="the network is not quantized; use save_pretrained"):
        files.save(UNet2DConditionModel(**UNET), tmp_path / "unet.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(unet, tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*unet\.safetensors: No such file"):
        files.save(unet, tmp_path / "missing" / "unet.safetensors")


def test_files_that_do_not_fit(unet, tmp_path):
    path = tmp_path / "unet.safetensors"
    files.save(unet, path)
    with pytest.raises(UsageError, match="the network is quantized already"):
        files.load(unet, path)
    other = UNet2DConditionModel(**{**UNET, "cross_attention_dim": 32})
    with pytest.raises(UsageError, match=r"does not fit the network at '.*attn2\.to_k\.weight'.* pass the file of"):
        files.load(other, path)
    assert not is_quantized(other)
    stored = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file(stored, path)
    with pytest.raises(UsageError, match=r"holds no quantized network \(quantize is None\)"):
        files.load(UNet2DConditionModel(**UNET), path)


def test_a_missing_scale_is_refused(unet, tmp_path):
    path = tmp_path / "unet.safetensors"
    files.save(unet, path)
    stored = safetensors.numpy.load_file(path)
    del stored["time_embedding.linear_1.scale"]
    safetensors.numpy.save_file(stored, path, metadata={"quantize": "int8"})
    with pytest.raises(UsageError, match=r"at 'time_embedding\.linear_1\.scale': the file has None"):
        files.load(UNet2DConditionModel(**UNET), path)
