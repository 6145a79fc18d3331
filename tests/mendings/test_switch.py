"""The remedies in place, taken out, and left out where they are not needed."""

import os
import re
import subprocess
import sys

import pytest

from mindone_tcd import mendings
from mindone_tcd.mendings import parameter_names, switch
from mindone_tcd.replacing import owner

pytestmark = pytest.mark.skipif(os.environ.get("MENDINGS") == "off", reason="speaks of the remedies in place")


def current():
    names = [name for mending in mendings.MENDINGS for name in mending.replaced if ":" in name]
    loaded = {name: name.partition(":") for name in names if name.partition(":")[0] in sys.modules}
    return {name: getattr(*owner(sys.modules[module], path), None) for name, (module, _, path) in loaded.items()}


def test_applying_twice_is_applying_once():
    before, hooks = current(), len(sys.meta_path)
    mendings.apply()
    assert current() == before
    assert len(sys.meta_path) == hooks


def test_withdrawn_and_put_in_place_after_mindone():
    from mindone.diffusers import utils
    from mindone.diffusers.loaders import peft
    from mindone.diffusers.models.unets.unet_2d_blocks import UNetMidBlock2DCrossAttn

    before, copies = current(), (utils.export_to_gif, peft._create_lora_config)
    assert UNetMidBlock2DCrossAttn.construct is parameter_names.mid_block
    mendings.withdraw()
    try:
        assert not mendings.applied()
        untouched = [name for name, value in current().items() if value is before[name]]
        assert set(untouched) <= {"mindone.diffusers.pipelines.pipeline_utils:DiffusionPipeline"}
        assert (utils.export_to_gif, peft._create_lora_config) != copies
        assert utils.export_to_gif is sys.modules["mindone.diffusers.utils.export_utils"].export_to_gif
    finally:
        mendings.apply()
    assert UNetMidBlock2DCrossAttn.construct is parameter_names.mid_block
    assert utils.export_to_gif is sys.modules["mindone.diffusers.utils.export_utils"].export_to_gif
    assert utils.export_to_gif.__module__ == "mindone.diffusers.utils.export_utils"
    assert current().keys() == before.keys()


def test_only_the_versions_with_the_defects_are_mended():
    assert switch.needed("0.5.0") == switch.needed("0.5.0+local") == mendings.MENDINGS


@pytest.mark.parametrize("later", ["0.5.1", "0.5.0.post1", "0.6.0", "0.50.0"])
def test_a_later_version_is_left_alone(later):
    assert {mending.name for mending in switch.needed(later)} == {"scheduler names"}


def test_every_remedy_names_something_of_mindone():
    names = [name for mending in mendings.MENDINGS for name in mending.replaced]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"(?:mindone|transformers|scipy|torch)[\w.]*(?::[\w.]+)?", name) for name in names)


ALONE = """
import sys
from mindone_tcd import mendings
mendings.apply()
assert mendings.applied()
assert not any(name.partition(".")[0] in ("mindone", "mindspore") for name in sys.modules)
print("nothing imported")
"""


def test_applying_imports_nothing_of_mindone():
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.strip() == "nothing imported", ran.stderr[-2000:]
