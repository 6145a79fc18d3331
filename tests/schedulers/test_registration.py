import importlib
import json

import mindone.diffusers
import pytest
from kinds import EVERY, KINDS
from mindone.diffusers import DiffusionPipeline

from mindone_tcd.schedulers import TCDScheduler


class SchedulerPipeline(DiffusionPipeline):
    """The smallest pipeline that can be saved and loaded."""

    def __init__(self, scheduler):
        super().__init__()
        self.register_modules(scheduler=scheduler)


@pytest.mark.parametrize("package", ["mindone.diffusers", "mindone.diffusers.schedulers"])
def test_mindone_exports_our_classes(package):
    module = importlib.import_module(package)
    assert {name: getattr(module, name) for name in KINDS} == KINDS


def test_mindones_own_classes_stay_in_their_modules():
    from mindone.diffusers.schedulers.scheduling_tcd import TCDScheduler as Theirs

    assert Theirs is not TCDScheduler


@EVERY
def test_saved_pipeline_names_a_class_that_both_libraries_know(kind, tmp_path):
    SchedulerPipeline(kind()).save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", kind.__name__]
    loaded = SchedulerPipeline.from_pretrained(tmp_path)
    assert type(loaded.scheduler) is kind


@EVERY
def test_a_scheduler_that_replaces_another_is_saved(kind, tmp_path):
    pipeline = SchedulerPipeline(mindone.diffusers.DDIMScheduler())
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
    pipeline.save_pretrained(tmp_path)
    assert type(SchedulerPipeline.from_pretrained(tmp_path).scheduler) is kind


@EVERY
def test_scheduler_can_be_passed_to_a_loading_pipeline(kind, tmp_path):
    SchedulerPipeline(TCDScheduler()).save_pretrained(tmp_path)
    assert type(SchedulerPipeline.from_pretrained(tmp_path, scheduler=kind()).scheduler) is kind


@pytest.mark.parity
@EVERY
def test_diffusers_loads_the_pipeline(kind, tmp_path):
    import diffusers

    SchedulerPipeline(kind(beta_end=0.02)).save_pretrained(tmp_path)

    class Theirs(diffusers.DiffusionPipeline):
        def __init__(self, scheduler):
            super().__init__()
            self.register_modules(scheduler=scheduler)

    loaded = Theirs.from_pretrained(tmp_path).scheduler
    assert type(loaded) is getattr(diffusers, kind.__name__)
    assert loaded.config.beta_end == 0.02
