"""The prompts and images to begin with."""

import pytest
from PIL import Image

from mindone_tcd.demo import examples
from mindone_tcd.demo.offers import TITLES
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.shapes.models import WITH_MOTION
from mindone_tcd.shapes.prompts import to_trained


@pytest.mark.parametrize("task", TITLES)
def test_the_shipped_models_know_their_prompts(task):
    model = find_model("shapes-sd15" if task == "animate" else "shapes")
    for prompt in examples.prompts(task, model):
        trained = to_trained(prompt, model.name in WITH_MOTION)
        assert not trained.unknown, prompt
        assert not trained.missing, prompt


def test_images_are_drawn_for_the_shipped_models_only(folders, tmp_path):
    path = examples.image("controlnet", find_model("shapes"), tmp_path)
    with Image.open(path) as image:
        assert image.size == (128, 128)
    assert examples.image("text-to-image", find_model("shapes"), tmp_path) is None
    other = find_model(str(folders("sd15")))
    assert examples.image("controlnet", other, tmp_path) is None
    assert examples.prompts("controlnet", other) == examples.prompts("text-to-image", other)
