"""Switching on, off, on again; before and after mindone; and not at all on another device."""

import os
import subprocess
import sys

import mindspore as ms
import pytest
from mindspore import mint

from mindone_tcd import cpu
from mindone_tcd.cpu import switch


def attributes() -> dict[str, object]:
    return {name: getattr(*switch._owner(ms, name)) for name in cpu.REPLACEMENTS}


def test_enabling_twice_is_enabling_once():
    before, noted = attributes(), len(switch._undo)
    assert cpu.enable() is True
    assert attributes() == before == dict(cpu.REPLACEMENTS)
    assert len(switch._undo) == noted
    assert sys.meta_path.count(switch._hook) == 1


def test_disabling_puts_everything_back():
    cpu.disable()
    assert not cpu.enabled()
    assert switch._hook not in sys.meta_path
    originals = attributes()
    assert not set(originals.values()) & set(cpu.REPLACEMENTS.values())
    with pytest.raises(RuntimeError, match="unregistered"):
        mint.arange(3).asnumpy()
    cpu.disable()  # once more does no harm
    cpu.enable()
    assert mint.arange(3).asnumpy().tolist() == [0, 1, 2]
    cpu.disable()
    assert attributes() == originals


def test_another_device_is_left_alone(monkeypatch):
    cpu.disable()
    originals, finders = attributes(), list(sys.meta_path)
    with monkeypatch.context() as patch:
        patch.setattr(switch.ms, "get_context", lambda key: "Ascend")
        assert not cpu.needed()
        assert cpu.enable() is False
    assert attributes() == originals
    assert sys.meta_path == finders
    assert cpu.needed()


def test_the_table_names_what_it_replaces():
    for name, replacement in cpu.table().items():
        assert callable(replacement)
        assert name.startswith(("mint.", "ops.tensor_method.", "mindone.diffusers.models."))


ORDER = """
import sys
import mindspore as ms
from mindone_tcd import cpu
early = {early}
if early:
    cpu.enable()
    assert not any(name.startswith("mindone.") for name in sys.modules), "enable() must not import mindone"
from mindone.diffusers.models import layers_compat, activations, attention_processor
from mindone.diffusers.models.unets.unet_motion_model import UNetMotionModel
if not early:
    cpu.enable()
from mindone_tcd.cpu import mindone_functions, resize, convolution
assert layers_compat.interpolate is resize.interpolate
assert layers_compat.conv_transpose2d is convolution.conv_transpose2d
assert activations.GEGLU.construct is mindone_functions.geglu_construct
assert attention_processor.Attention.get_attention_scores is mindone_functions.get_attention_scores
assert "output_size" in UNetMotionModel.construct.__code__.co_filename
assert "output_size" in attention_processor.Attention.prepare_attention_mask.__code__.co_filename
x = ms.ops.ones((1, 3, 8), ms.float32)
assert activations.GEGLU(8, 4)(x).shape == (1, 3, 4)
cpu.disable()
assert layers_compat.interpolate is ms.mint.nn.functional.interpolate is resize.STOCK_INTERPOLATE
assert activations.GEGLU.construct is not mindone_functions.geglu_construct
assert "output_size" not in UNetMotionModel.construct.__code__.co_filename
print("in order")
"""


@pytest.mark.parametrize("early", [True, False], ids=["before mindone", "after mindone"])
def test_any_import_order(early):
    ran = subprocess.run(
        [sys.executable, "-c", ORDER.format(early=early)],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4"},
        timeout=120,
        check=False,
    )
    assert ran.stdout.strip().endswith("in order"), ran.stderr[-2000:]
