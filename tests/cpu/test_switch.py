"""Enable, disable and enable kernels again, before and after mindone's import, and never on another device."""

import inspect
import os
import subprocess
import sys

import mindspore as ms
import mindspore.ops.tensor_method  # bound to ops only once imported
import pytest
from mindspore import mint

from mindone_tcd import cpu
from mindone_tcd.cpu import attention, convolution, mindone_functions, resize, switch
from mindone_tcd.patches import ENGINE
from mindone_tcd.patching.engine import owner_of


def attributes() -> dict[str, object]:
    return {name: getattr(*owner_of(ms, name)) for name in cpu.replacements()}


def test_enabling_twice_is_enabling_once():
    before = attributes()
    assert cpu.enable() is True
    assert attributes() == before == cpu.replacements()
    assert sys.meta_path.count(ENGINE) == 1


def test_disabling_restores_everything():
    cpu.disable()
    assert not cpu.enabled()
    assert "cpu" not in {patch.group for patch in ENGINE.active()}
    originals = attributes()
    assert not set(originals.values()) & set(cpu.replacements().values())
    with pytest.raises(RuntimeError, match="unregistered"):
        mint.arange(3).asnumpy()
    cpu.disable()  # a second call has no effect
    cpu.enable()
    assert mint.arange(3).asnumpy().tolist() == [0, 1, 2]
    cpu.disable()
    assert attributes() == originals


def test_disabled_kernels_stay_off_when_a_model_is_created():
    cpu.disable()
    switch.follow_device()
    assert not cpu.enabled()
    cpu.enable()
    assert cpu.enabled()


def test_nothing_changes_on_another_device(monkeypatch):
    cpu.disable()
    originals, finders = attributes(), list(sys.meta_path)
    with monkeypatch.context() as patch:
        patch.setattr(switch.ms, "get_context", lambda key: "Ascend")
        assert not cpu.needed()
        assert cpu.enable() is False
    assert attributes() == originals
    assert sys.meta_path == finders
    assert cpu.needed()


def test_the_kernels_follow_the_device(monkeypatch):
    cpu.enable()
    with monkeypatch.context() as patch:
        patch.setattr(switch.ms, "get_context", lambda key: "Ascend")
        switch.follow_device()
        assert not cpu.enabled()
        assert not set(attributes().values()) & set(cpu.replacements().values())
    switch.follow_device()
    assert cpu.enabled()


def test_the_table_names_existing_functions():
    for name, replacement in cpu.replacements().items():
        assert callable(replacement)
        assert name.startswith(("mint.", "ops.tensor_method."))


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

BY_ITSELF = """
import mindone_tcd
import mindspore as ms
from mindspore import mint
stock = [mint.arange]  # a list, because a name of the script would be exchanged
ms.set_device("CPU")
from mindone.diffusers import UNet2DConditionModel
from mindone_tcd import cpu
assert cpu.enabled()
assert mint.arange is not stock[0]
ms.set_device("CPU")
from mindone.diffusers.models.activations import GEGLU
assert GEGLU.construct is cpu.mindone_functions.geglu_construct
print("in order")
"""

MODELS_FIRST = """
from mindone.diffusers import UNet2DConditionModel
from mindspore import mint
import mindone_tcd
stock = [mint.arange]  # a list, because a name of the script would be exchanged
from mindone.diffusers.models.activations import GEGLU
UNet2DConditionModel(block_out_channels=(32,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",))
from mindone_tcd import cpu
assert cpu.enabled()
assert mint.arange is not stock[0]
print("in order")
"""


@pytest.mark.parametrize("script", [BEFORE, BY_ITSELF, MODELS_FIRST], ids=["enabled", "alone", "models first"])
def test_enabling_in_a_separate_process(script):
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "GLOG_v": "4"},
        timeout=300,
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


def test_a_lora_layer_has_the_patches_of_two_groups():
    """The kernel wraps the patched method for fused LoRAs, whichever group is installed first."""
    from mindone.peft.tuners.lora.layer import Linear

    cpu.disable()
    fixed = Linear.construct
    cpu.enable()
    fast = Linear.construct
    assert fixed in [cell.cell_contents for cell in fast.__closure__]
    ENGINE.remove(["bug"])
    ENGINE.install(["bug"])
    assert Linear.construct is fast
