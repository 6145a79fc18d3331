"""The frames of a clip. Whole clips are tested with the file that writes them."""

from types import SimpleNamespace

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.plan import Extras, plan
from mindone_tcd.generate.tasks.animate import FRAMES, MOST_FRAMES, Animate


@pytest.mark.parametrize(
    ("given", "frames"), [({}, FRAMES), ({"frames": 1}, 1), ({"frames": MOST_FRAMES}, MOST_FRAMES)]
)
def test_the_number_of_frames(given, frames):
    inputs = Animate().read(given, None)
    assert inputs.numbers == {"frames": frames}
    assert Animate().arguments(SimpleNamespace(inputs=inputs), None) == {"num_frames": frames}


@pytest.mark.parametrize("frames", [0, -1, MOST_FRAMES + 1, 2.5, True, "16"])
def test_other_numbers_are_refused(frames):
    with pytest.raises(UsageError, match=f"frames is .*; expected an integer from 1 to {MOST_FRAMES}"):
        Animate().read({"frames": frames}, None)


def test_a_setup_with_motions(folders):
    extras = Extras(motion_adapter=folders("motion-adapter"), motion=[(folders("motion-lora"), 0.7)])
    setup = plan("animate", folders("sd15"), "tcd", "none", extras)
    assert (setup.pipeline_class, setup.animated) == ("AnimateDiffPipeline", True)
    assert [(part.role, part.source, part.weight) for part in setup.parts] == [
        ("motion-adapter", "folder", 1.0),
        ("motion", "folder", 0.7),
    ]


def test_the_pipeline_makes_the_frames(folders):
    from mindone_tcd import load

    loaded = load(
        "animate",
        folders("sd15"),
        lora="none",
        motion_adapter=folders("motion-adapter"),
        motion=[(folders("motion-lora"), 0.7)],
    )
    loaded.pipeline.set_progress_bar_config(disable=True)
    assert loaded.pipeline.get_active_adapters() == [folders("motion-lora").name.replace("-", "_")]
    options = {"num_inference_steps": 2, "guidance_scale": 0, "output_type": "np", **{"num_frames": 2}}
    assert loaded.pipeline("a cat", **options)[0].shape == (1, 2, 64, 64, 3)
