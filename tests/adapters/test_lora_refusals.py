"""Unusable LoRA files: the error lists the keys, and the pipeline does not change."""

import os
import warnings

import cases
import fuzz_files
import layouts as lay
import numpy as np
import pytest
import tiny

from mindone_tcd.adapters import loaded_loras
from mindone_tcd.errors import UsageError


@pytest.fixture(scope="module")
def pipe():
    """One pipeline for all tests. No test may change it."""
    made = tiny.mindone_pipeline(tiny.SD)
    before = state(made)
    yield made
    assert state(made) == before


def state(pipe):
    """The name and values of every parameter, and the class of every cell."""
    found = []
    for model in (pipe.unet, pipe.text_encoder):
        found += [(name, p.name, p.asnumpy().tobytes()) for name, p in model.parameters_and_names()]
        found += [(name, type(cell)) for name, cell in model.cells_and_names()]
        found.append(dict(getattr(model, "peft_config", None) or {}))
    return found


@pytest.fixture
def lora():
    return lay.draw(cases.shapes(tiny.SD), ("to_q", "conv1", "q_proj"), 2, 1.0)


@pytest.fixture
def refused(pipe):
    def load(source, message, **options):
        before = state(pipe)
        with pytest.raises(UsageError, match=message) as caught:
            pipe.load_lora_weights(source, **options)
        assert "\n" not in str(caught.value)
        assert state(pipe) == before
        assert loaded_loras(pipe) == {}
        return str(caught.value)

    return load


TO_Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update({"lora_unet_nowhere.lora_down.weight": f[f"{TO_Q}.lora_down.weight"]}),
         r"1 of 82 keys do not match StableDiffusionPipeline: 1 unknown modules of the unet: "
         r"'lora_unet_nowhere.lora_down.weight'\. Expected a LoRA made for this base model.*strict=False"),
        (lambda f: f.pop(f"{TO_Q}.lora_up.weight"), r"2 of 80 keys .* without the up matrix \(lora_B\)"),
        (lambda f: f.update({f"{TO_Q}.lora_down.weight": np.zeros((2, 31), np.float32)}),
         r"3 of 81 keys .* of another shape, such as \(2, 31\) and \(32, 2\) where the module needs \(rank, 32\)"),
        (lambda f: f.update({f"{TO_Q}.dora_scale": np.zeros((32, 1), np.float32)}),
         f"4 of 82 keys .* 1 keys of DoRA .*; 3 other keys of the same modules: '{TO_Q}.lora_down"),
        (lambda f: f.update({"lora_te2_text_model_x.alpha": np.ones((), np.float32)}),
         "keys for the text_encoder_2, which this pipeline does not have"),
    ],
    ids=["unknown module", "no lora_up", "wrong shape", "DoRA", "no second text encoder"],
)  # fmt: skip
def test_one_bad_key_prevents_loading(refused, lora, change, message):
    file = lay.kohya(lora)
    change(file)
    refused(file, message)


def test_a_lora_for_another_base_model(refused):
    other = lay.kohya(lay.draw(cases.shapes(tiny.XL), lay.STYLE, 2, 1.0))
    text = refused(other, "keys do not match StableDiffusionPipeline: .* unknown modules of the unet")
    assert len(text) < 1500


def test_a_motion_lora_needs_animatediff(refused):
    refused(lay.processors(cases.motion_lora()), "motion modules, which only an AnimateDiff pipeline has")


def test_the_adapter_name_is_available_after_an_error(pipeline, lora):
    fresh = pipeline(tiny.SD)
    file = lay.kohya(lora)
    with pytest.raises(UsageError):
        fresh.load_lora_weights({**file, "odd": file[f"{TO_Q}.alpha"]}, adapter_name="x")
    fresh.load_lora_weights(file, adapter_name="x")
    with pytest.raises(UsageError, match=r"adapter name 'x' is in use .*delete_adapters\('x'\)"):
        fresh.load_lora_weights(file, adapter_name="x")
    assert list(loaded_loras(fresh)) == ["x"]


def test_strict_false_skips_modules_with_a_warning(pipeline, lora):
    file = lay.kohya(lora)
    file["lora_unet_nowhere.lora_down.weight"] = file[f"{TO_Q}.lora_down.weight"]
    del file[f"{TO_Q}.lora_up.weight"]
    fresh, wanted = pipeline(tiny.SD), pipeline(tiny.SD)
    with pytest.warns(UserWarning, match="skipped a dict: 3 of 81 keys do not match .*'lora_unet_nowhere"):
        fresh.load_lora_weights(file, strict=False, adapter_name="a")
    good = {key: m for key, m in lora.items() if lay.kohya({key: m}).keys() <= file.keys()}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        wanted.load_lora_weights(lay.kohya(good))
    ours, theirs = tiny.mindone_outputs(fresh, tiny.SD), tiny.mindone_outputs(wanted, tiny.SD)
    np.testing.assert_array_equal(ours["unet"], theirs["unet"])
    assert sorted(loaded_loras(fresh)["a"].left_out) == sorted(
        [f"{TO_Q}.lora_down.weight", f"{TO_Q}.alpha", "lora_unet_nowhere.lora_down.weight"]
    )


def test_strict_false_without_any_match(refused):
    refused({"odd": np.zeros(2, np.float32)}, "No module is left to load", strict=False)
    refused({}, "a dict holds no tensors; expected a LoRA")


@pytest.mark.parametrize("companion", ["dora_scale", "lora_magnitude_vector.weight", "lora_up.bias"])
def test_strict_false_loads_no_module_without_its_magnitude_or_bias(refused, pipeline, lora, companion):
    file = lay.kohya(lora)
    stems = [key.removesuffix(".alpha") for key in file if key.endswith(".alpha")]
    extra = {f"{stem}.{companion}": np.ones(32, np.float32) for stem in stems}
    refused({**file, **extra}, "No module is left to load", strict=False)
    fresh = pipeline(tiny.SD)
    with pytest.warns(UserWarning, match="skipped a dict: 4 of 82 keys"):
        fresh.load_lora_weights({**file, f"{TO_Q}.{companion}": np.ones(32, np.float32)}, strict=False)
    (record,) = loaded_loras(fresh).values()
    assert sum(record.modules.values()) == len(lora) - 1
    assert set(record.left_out) == {
        f"{TO_Q}.{part}" for part in ("lora_down.weight", "lora_up.weight", "alpha", companion)
    }


def test_an_error_of_mindone_during_loading_changes_nothing(pipeline, lora, monkeypatch):
    fresh = pipeline(tiny.SD)
    before = tiny.mindone_outputs(fresh, tiny.SD)
    cells = [(name, type(cell)) for name, cell in fresh.unet.cells_and_names()]

    def fail(*args, **options):
        raise RuntimeError("half way")

    monkeypatch.setattr(type(fresh), "load_lora_into_text_encoder", fail)
    with pytest.raises(RuntimeError, match="half way"):
        fresh.load_lora_weights(lay.kohya(lora), adapter_name="x")
    monkeypatch.undo()
    assert [(name, type(cell)) for name, cell in fresh.unet.cells_and_names()] == cells
    assert loaded_loras(fresh) == {}
    np.testing.assert_array_equal(tiny.mindone_outputs(fresh, tiny.SD)["unet"], before["unet"])
    fresh.load_lora_weights(lay.kohya(lora), adapter_name="x")
    assert list(loaded_loras(fresh)) == ["x"]


def test_files(refused, lora, tmp_path):
    good = tiny.save(lay.kohya(lora), tmp_path / "one.safetensors")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cut.safetensors").write_bytes(good.read_bytes()[:-7])
    refused(str(broken), r"cut\.safetensors is damaged: it has \d+ bytes")
    pickles = tmp_path / "pickles"
    pickles.mkdir()
    (pickles / "pytorch_lora_weights.bin").write_bytes(b"")
    refused(str(pickles), r"pytorch_lora_weights\.bin but no \.safetensors file; only safetensors are loaded")
    refused(str(pickles), r"'pytorch_lora_weights\.bin' is not a \.safetensors", weight_name="pytorch_lora_weights.bin")
    refused(str(pickles / "pytorch_lora_weights.bin"), r"is not a \.safetensors file; only safetensors are loaded")
    refused(str(tmp_path), r"has no two\.safetensors; there is: one\.safetensors", weight_name="two.safetensors")
    tiny.save(lay.kohya(lora), tmp_path / "two.safetensors")
    refused(str(tmp_path), r"holds 2 safetensors files; pass the name of the LoRA's file")
    refused("nonsense", "no LoRA 'nonsense': expected a folder, a .safetensors file, or a hub id")
    refused(str(good), "requests a pickle", use_safetensors=False)
    refused(
        str(good), "load_lora_weights does not know low_cpu_mem_usage, strenght", strenght=1, low_cpu_mem_usage=True
    )
    refused(str(good), "expected a string without dots", adapter_name="v1.5")
    refused({"a": "b"}, r"'a' is a builtins\.str; expected a MindSpore tensor")


def test_hotswap_without_the_adapter(refused, lora):
    message = r"^hotswap replaces a loaded adapter, but 'a' is not loaded \(loaded: none\); name one$"
    refused(lay.kohya(lora), message, adapter_name="a", hotswap=True)


@pytest.mark.parametrize("metadata", [[], "text", 3, {"format": 1}, {"format": None}], ids=repr)
def test_metadata_that_is_not_a_dict_of_strings(refused, lora, tmp_path, metadata):
    file = tmp_path / "odd.safetensors"
    file.write_bytes(fuzz_files.adapter_files.file_of(lay.kohya(lora), metadata).encode())
    refused(str(file), "metadata")


@pytest.mark.parametrize("alpha", ["1e999", "NaN", "1" + "0" * 400, "[1]"], ids=["inf", "NaN", "huge", "list"])
def test_an_alpha_in_the_configuration_that_is_not_a_number(refused, lora, tmp_path, alpha):
    metadata = {"lora_adapter_metadata": f'{{"unet.lora_alpha": {alpha}}}'}
    file = tiny.save(lay.peft(lora), tmp_path / "odd.safetensors", metadata)
    refused(str(file), "metadata 'lora_adapter_metadata' cannot be read")


def test_integers(refused, lora):
    file = lay.kohya(lora)
    file[f"{TO_Q}.lora_up.weight"] = file[f"{TO_Q}.lora_up.weight"].astype(np.int32)
    refused(file, "3 not of a floating dtype")


def test_keys_that_are_very_long_or_of_several_lines(refused, lora):
    zero = np.zeros(1, np.float32)
    text = refused({**lay.kohya(lora), "a\nb": zero, "x.dora_scale" + ".y" * 400: zero}, "do not match")
    assert len(text) < 1500


def test_no_network(refused):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    for options in ({}, {"weight_name": "x.safetensors"}):
        text = refused("nobody/nothing", "cannot fetch the LoRA 'nobody/nothing'", **options)
        assert "with no network, download it elsewhere and give its folder" in text
