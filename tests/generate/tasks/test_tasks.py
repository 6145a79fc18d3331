"""The table of tasks."""

from mindone_tcd.generate.parts import ROLES
from mindone_tcd.generate.tasks import PART_FEATURES, TASKS


def test_each_task_has_a_mode_and_known_parts():
    for task in TASKS.values():
        assert task.mode in ("text", "image", "inpaint", "animate")
        assert task.needs is None or task.needs[0] in ROLES
    assert set(PART_FEATURES) <= set(ROLES)


def test_arguments_belong_to_one_feature_of_a_pipeline():
    for task in TASKS.values():
        own = task.feature.takes if task.feature else ()
        for role, feature in PART_FEATURES.items():
            assert not set(own) & set(feature.takes), role
    assert not set(PART_FEATURES["ip-adapter"].takes) & set(PART_FEATURES["controlnet"].takes)
