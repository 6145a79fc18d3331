"""mindone's names return our schedulers, whatever is imported first, until the patches are removed."""

import pytest

from . import fresh

ALL = """
def found():
    import mindone.diffusers, mindone.diffusers.schedulers
    modules = mindone.diffusers, mindone.diffusers.schedulers
    return [getattr(module, name).__module__ for module in modules for name in ("TCDScheduler", "LCMScheduler")]
"""
OURS = ["mindone_tcd.schedulers.tcd", "mindone_tcd.schedulers.lcm"] * 2


@pytest.mark.parametrize(
    "begin",
    [
        "from mindone.diffusers import LCMScheduler, TCDScheduler",
        "from mindone_tcd import TCDScheduler",
        "import mindone.diffusers.schedulers.scheduling_lcm",
    ],
    ids=["mindone's name first", "our name first", "mindone's module first"],
)
def test_the_names_are_ours(begin):
    assert eval(fresh.run(f"{begin}\n{ALL}\nprint(found())")[-1]) == OURS


LATE = """
from mindone_tcd import patches
from mindone.diffusers import LCMScheduler
from mindone.diffusers.pipelines.latent_consistency_models import pipeline_latent_consistency_text2img as module
theirs = [LCMScheduler]  # in a list, because a name of the script would be exchanged, too
print(theirs[0].__module__)
patches.install(["schedulers"])
print(LCMScheduler.__module__, module.LCMScheduler.__module__, found())
from mindone.diffusers.schedulers.scheduling_lcm import LCMScheduler as own
print(own is theirs[0])
patches.remove()
print(LCMScheduler is module.LCMScheduler is theirs[0] is mindone.diffusers.LCMScheduler)
print(hasattr(mindone.diffusers, "TCDScheduler"))
"""


def test_a_class_that_was_imported_before_is_replaced_and_restored():
    code = ALL + "import mindone.diffusers\n" + LATE
    theirs, ours, kept, restored, exported = fresh.run(code, patched=False)[-5:]
    assert theirs == "mindone.diffusers.schedulers.scheduling_lcm"
    assert ours == f"{OURS[1]} {OURS[1]} {OURS}"
    assert (kept, restored) == ("True", "True")
    assert exported == "False"  # as in mindone, without the patch
