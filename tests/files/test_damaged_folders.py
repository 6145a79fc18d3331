"""Each damaged copy of the shipped model is refused in one line that names the file, without MindSpore."""

import pytest
from scripts import script

from mindone_tcd.errors import UsageError
from mindone_tcd.files.model_folder import find_model
from mindone_tcd.shapes.folder import SHAPES_FOLDER

model_folders = script("tools/fuzzing/model_folders.py")
DAMAGES = model_folders.damages(seed=1, values=1)
LEFT_TO_THE_KEYS = ("another key", "a tensor less", "a NaN")
"""Damages that the header alone does not show. Matching the keys and reading the values detect them."""


def test_the_list_is_the_same_for_the_same_seed():
    names = [damage.name for damage in DAMAGES]
    assert names == [damage.name for damage in model_folders.damages(seed=1, values=1)]
    assert names != [damage.name for damage in model_folders.damages(seed=2, values=1)]
    assert len(names) > 500


def test_a_copy_is_the_model(tmp_path):
    folder = model_folders.copy(tmp_path / "model")
    assert find_model(str(folder)).pipeline_class == "StableDiffusionXLPipeline"


def test_each_damage_is_refused_or_harmless(tmp_path):
    weights = {path: path.stat() for path in SHAPES_FOLDER.rglob("*.safetensors")}
    wrong = []
    for number, damage in enumerate(DAMAGES[::3]):  # the rest is for tools/fuzzing
        folder = model_folders.copy(tmp_path / str(number))
        damage.apply(folder)
        try:
            find_model(str(folder))
        except UsageError as error:
            message = str(error)
            if "\n" in message or damage.file.partition("/")[0] not in message or len(message) > 2000:
                wrong.append(f"{damage.name}: {message}")
        except Exception as error:
            wrong.append(f"{damage.name}: {error!r}")
        else:
            if damage.sure and not damage.name.endswith(LEFT_TO_THE_KEYS):
                wrong.append(f"{damage.name}: taken")
    assert not wrong, "\n".join(wrong)
    for path, before in weights.items():
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns, after.st_mode) == (before.st_size, before.st_mtime_ns, before.st_mode)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("unet/config.json", "layers_per_block", "1"),
        ("unet/config.json", "layers_per_block", 10**6),
        ("vae/config.json", "scaling_factor", None),
        ("text_encoder/config.json", "vocab_size", 10**12),
        ("scheduler/scheduler_config.json", "num_train_timesteps", 10**12),
        ("tokenizer/tokenizer_config.json", "model_max_length", "many"),
        ("model_index.json", "unet", {}),
        ("model_index.json", "unet", ["diffusers", 5]),
    ],
)
def test_the_file_and_the_field_are_named(tmp_path, file, field, value):
    folder = model_folders.copy(tmp_path / "model")
    model_folders._field(file, field, value)(folder)
    with pytest.raises(UsageError, match=rf"{file}: {field} is "):
        find_model(str(folder))
