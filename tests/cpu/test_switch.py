"""Switching on, off, on again; before and after mindone; and not at all on another device."""

import inspect
import os
import subprocess
import sys

import mindspore as ms
import pytest
from mindspore import mint

from mindone_tcd import cpu
from mindone_tcd.cpu import attention, convolution, mindone_functions, resize, switch


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
        assert name.startswith(("mint.", "ops.tensor_method.", "mindone.diffusers.models.", "mindone.peft."))


BEFORE = """
import sys
from mindone_tcd import cpu
cpu.enable()
assert not any(name.startswith("mindone.") for name in sys.modules), "enable() must not import mindone"
from mindone.diffusers.models import activations, layers_compat
from mindone_tcd.cpu import mindone_functions, resize
assert layers_compat.interpolate is resize.interpolate
assert activations.GEGLU.construct is mindone_functions.geglu_construct
cpu.disable()
assert layers_compat.interpolate is resize.STOCK_INTERPOLATE
assert activations.GEGLU.construct is not mindone_functions.geglu_construct
print("in order")
"""


def test_enabling_before_mindone_is_imported():
    ran = subprocess.run(
        [sys.executable, "-c", BEFORE],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4"},
        timeout=120,
        check=False,
    )
    assert ran.stdout.strip().endswith("in order"), ran.stderr[-2000:]


def test_enabling_after_mindone_was_imported():
    cpu.disable()
    from mindone.diffusers.models import activations, attention_processor, layers_compat
    from mindone.diffusers.models.unets.unet_motion_model import UNetMotionModel

    rewritten = [(UNetMotionModel, "construct"), (attention_processor.Attention, "prepare_attention_mask")]
    originals = [getattr(owner, name) for owner, name in rewritten]
    assert layers_compat.interpolate is resize.STOCK_INTERPOLATE
    cpu.enable()
    assert layers_compat.interpolate is resize.interpolate
    assert layers_compat.conv_transpose2d is convolution.conv_transpose2d
    assert activations.GEGLU.construct is mindone_functions.geglu_construct
    assert attention_processor.Attention.get_attention_scores is attention.get_attention_scores
    for (owner, name), original in zip(rewritten, originals, strict=True):
        assert "output_size=" in inspect.getsource(original)
        assert "output_size=" not in inspect.getsource(getattr(owner, name))
    cpu.disable()
    assert [getattr(owner, name) for owner, name in rewritten] == originals
    assert layers_compat.interpolate is resize.STOCK_INTERPOLATE
