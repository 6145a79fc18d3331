"""The table of patches, the environment variable, and the removal of patches."""

import os
import re
import subprocess
import sys

import pytest

from mindone_tcd import UsageError, patches
from mindone_tcd.patches.table import PATCHES
from mindone_tcd.patching import Engine

from . import fresh


def test_the_table_is_complete():
    assert patches.GROUPS == ("startup", "bug", "schedulers", "adapters", "checks", "cpu")
    for patch in PATCHES:
        assert patch.purpose, patch.name
        assert patch.targets or patch.later, patch.name
        assert bool(patch.where) == bool(patch.defect) == bool(patch.met), patch.name
        if patch.group in ("startup", "bug") and patch.name != "advice to install torch":
            assert patch.versions["mindone"] == ("0.5.0",), patch.name
        for target in patch.targets:
            assert re.fullmatch(r"(?:mindone|mindspore|transformers|scipy|torch)[\w.]*(?::[\w.]+)?", target), target


def test_startup_patches_are_for_one_version_of_transformers():
    for patch in PATCHES:
        if patch.group == "startup" and patch.name != "advice to install torch":
            assert patch.versions["transformers"] == ("4.57.1",), patch.name


@pytest.mark.parametrize("later", ["0.5.1", "0.5.0.post1", "0.6.0", "0.50.0"])
def test_no_defect_is_patched_in_a_later_mindone(later):
    engine = Engine(PATCHES, {"mindone": later, "transformers": "4.57.1"}.get)
    try:
        engine.install(["startup", "bug"])
        assert [patch.name for patch in engine.active()] == ["advice to install torch"]
    finally:
        engine.remove()


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("", patches.GROUPS),
        (" ", patches.GROUPS),
        ("off", ()),
        ("cpu", ("cpu",)),
        ("checks, cpu,bug", ("checks", "cpu", "bug")),
    ],
)
def test_the_environment_selects_the_groups(monkeypatch, value, groups):
    installed = []
    monkeypatch.setattr(patches.ENGINE, "install", lambda groups: installed.append(groups))
    monkeypatch.setenv(patches.VARIABLE, value)
    patches.install()
    assert installed == [groups]


@pytest.mark.parametrize("value", ["bugs", "cpu,of", "OFF", "off,cpu"])
def test_an_unknown_group_in_the_environment(monkeypatch, value):
    monkeypatch.setenv(patches.VARIABLE, value)
    with pytest.raises(UsageError, match=r"^MINDONE_TCD_PATCHES has no group '\w+'; expected off, or groups from: "):
        patches.install()


def test_an_unknown_group():
    with pytest.raises(UsageError, match=r"^groups has no group 'bugs'; expected groups from: startup, bug, "):
        patches.install(["bugs"])


def test_the_import_loads_no_framework_and_lists_the_active_patches():
    code = """
heavy = ("mindone", "mindspore", "numpy", "transformers", "torch", "scipy")
assert not [name for name in sys.modules if name.partition(".")[0] in heavy]
assert len(mindone_tcd.patches.active()) > 20, mindone_tcd.patches.active()
assert "kernels" not in mindone_tcd.patches.active()  # no code has checked the device yet
mindone_tcd.patches.remove()
assert mindone_tcd.patches.active() == ()
assert not [name for name in sys.modules if name.partition(".")[0] in heavy]
print("light")
"""
    assert fresh.run(code, MINDONE_TCD_PATCHES="") == ["light"]


@pytest.mark.parametrize(("value", "names"), [("off", []), ("schedulers", ["scheduler names"])])
def test_a_process_with_few_patches(value, names):
    assert fresh.run("print(mindone_tcd.patches.active())", MINDONE_TCD_PATCHES=value) == [str(tuple(names))]


def test_a_misspelled_group_is_a_one_line_error():
    ran = subprocess.run(
        [sys.executable, "-c", "import mindone_tcd"],
        capture_output=True,
        text=True,
        env={**os.environ, "MINDONE_TCD_PATCHES": "kernels"},
        timeout=600,
        check=False,
    )
    assert ran.stderr.splitlines()[-1].startswith(
        "mindone_tcd.errors.UsageError: MINDONE_TCD_PATCHES has no group 'kernels'; expected off, or groups from: "
    )


ALL = """
import importlib, types, warnings
from mindone_tcd import patches
from mindone_tcd.patching import MISSING, PatchWarning
from mindone_tcd.patching.engine import owner_of
warnings.simplefilter("error", PatchWarning)

# Imported without the patches, but for those that make it fast: nothing of them acts on the attributes below.
targets = {target for patch in patches.ENGINE.patches for target in patch.targets if ":" in target}
for module in sorted({target.partition(":")[0] for target in targets}):
    importlib.import_module(module)
from mindone.diffusers import DiffusionPipeline, LCMScheduler
from mindone.diffusers.schedulers import LCMScheduler as again
from mindone.diffusers import StableDiffusionXLPipeline
from mindone.diffusers.pipelines.latent_consistency_models import pipeline_latent_consistency_text2img as with_copies
from mindone_tcd import cpu, schedulers  # their modules' own imports are not ours to restore

class Small(StableDiffusionXLPipeline):
    def __init__(self):
        DiffusionPipeline.__init__(self)
    def __call__(self, scheduler=None):
        return scheduler

watched = [(cls, name) for cls in Small.__mro__ for name in ("__call__", "fuse_lora", "to") if name in vars(cls)]
sites = {}
for target in targets:
    module, _, path = target.partition(":")
    owner, attribute = owner_of(sys.modules[module], path)
    sites[target] = owner, attribute
sites.update({f"{cls.__qualname__}.{name}": (cls, name) for cls, name in watched})
raw = lambda owner, attribute: vars(owner).get(attribute, MISSING)
started = {site.attribute for site in patches.ENGINE.sites()}
before = {target: raw(*site) for target, site in sites.items()}
def names():
    return {
        (module, name): value
        for module, loaded in list(sys.modules.items())
        if module.startswith(("mindone.", "mindspore.mint")) and isinstance(loaded, types.ModuleType)
        for name, value in list(vars(loaded).items())
        if isinstance(value, (types.FunctionType, type))
    }
copies = names()
own = [LCMScheduler]  # in a list, because a name of the script would be exchanged, too

patches.install(patches.GROUPS)
assert cpu.enable()
Small()
assert {patch.name for patch in patches.ENGINE.active()} == {patch.name for patch in patches.ENGINE.patches}
# _LazyModule.__getattr__ finds a name at its first lookup.
packages = ("mindone.diffusers", "mindone.diffusers.schedulers")
looked_up = {f"{package}:{name}" for package in packages for name in ("LCMScheduler", "TCDScheduler")}
same = {target for target, site in sites.items() if raw(*site) is before[target]}
startup = {t for patch in patches.ENGINE.patches if patch.group == "startup" for t in patch.targets}
unlooked = {t for t in looked_up if before[t] is MISSING}
assert same <= startup | unlooked, same - startup - unlooked
assert LCMScheduler is schedulers.LCMScheduler is with_copies.LCMScheduler
changed = len(sites) - len(same)

patches.remove()
assert not patches.ENGINE.sites() and patches.ENGINE not in sys.meta_path
wrong = {target for target, site in sites.items() if target not in startup and raw(*site) is not before[target]}
assert not wrong, wrong
after = names()
wrong = {key for key, value in copies.items() if after.get(key) is not value and key[1] not in started}
assert not wrong, wrong
assert LCMScheduler is again is own[0]

patches.install(patches.GROUPS)
cpu.enable()
Small()
assert len(sites) - len({t for t, site in sites.items() if raw(*site) is before[t]}) >= changed
patches.remove()
wrong = {target for target, site in sites.items() if target not in startup and raw(*site) is not before[target]}
assert not wrong, wrong
print("changed and restored", changed)
"""


def test_every_patch_applies_and_removal_restores_every_original():
    """The process imports everything without the patches. A rewrite that matches nothing is an error."""
    output = fresh.run(ALL, MINDONE_TCD_PATCHES="startup")[-1]
    assert output.startswith("changed and restored")
    assert int(output.split()[-1]) > 150
