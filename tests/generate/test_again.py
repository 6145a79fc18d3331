"""A record opens only the shipped model, paths that the caller names, and its own paths if the caller trusts it."""

import shutil
from pathlib import Path

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import again as home
from mindone_tcd.generate.again import check_same_weights, plan_again, sources_of
from mindone_tcd.generate.loaded import LoadedPipeline
from mindone_tcd.generate.plan import plan
from mindone_tcd.shapes.folder import SHAPES_FOLDER

SHIPPED = {
    **{"prompt": "a red circle", "negative_prompt": None, "seed": 3, "batch_seeds": [3, 4], "steps": 4, "eta": 0.3},
    **{"guidance_scale": 0.0, "width": 128, "height": 128, "model": "shapes", "method": "tcd", "lora": "shipped"},
    **{"dtype": "float32"},
}
"""A record as version 0.1.0 writes it."""

PATH = Path("a.png")


@pytest.fixture
def opened(monkeypatch):
    """The models and LoRAs that the code looks for. None is opened."""
    seen = []

    def note(task, model, method, lora, extras):
        seen.append((model, lora))
        return plan(task, "shapes", method, "none")

    monkeypatch.setattr(home, "plan", note)
    return seen


def folder_record(model="sdxl-base", lora="TCD-SDXL-LoRA", paths=False):
    record = {**SHIPPED, "model": model, "model_from": "folder", "lora": lora, "lora_from": "folder"}
    return {**record, "model_path": "/models/sdxl-base", "lora_path": "/models/tcd"} if paths else record


FOREIGN = [
    ({**SHIPPED, "model": "/models/sdxl"}, ["model '/models/sdxl'", "--model,"]),
    ({**SHIPPED, "model": "../sdxl"}, ["model '../sdxl'", "--model,"]),
    ({**SHIPPED, "model": "nobody/nothing", "model_from": "hub"}, ["model 'nobody/nothing'", "--model,"]),
    ({**SHIPPED, "lora": "nobody/nothing"}, ["LoRA 'nobody/nothing'", "--lora,"]),
    ({**SHIPPED, "lora": "/models/lora.safetensors"}, ["LoRA '/models/lora.safetensors'", "--lora,"]),
    ({**SHIPPED, "model": "shapes", "model_from": "folder"}, ["model 'shapes'", "--model,"]),
    (
        folder_record(paths=True),
        ["the model 'sdxl-base' and the LoRA 'TCD-SDXL-LoRA'", "--model and --lora,"],
    ),
]


@pytest.mark.parametrize(("record", "messages"), FOREIGN)
def test_a_record_alone_opens_nothing_beyond_the_package(opened, record, messages):
    with pytest.raises(UsageError, match="a record alone does not decide what is opened or downloaded") as caught:
        plan_again(record, PATH)
    assert opened == []
    for text in [*messages, "--trust-record"]:
        assert text in str(caught.value)


def test_naming_the_model_does_not_allow_the_lora(opened):
    record = folder_record(paths=True)
    for given, missing in (({"model": "/mine"}, "--lora,"), ({"lora": "/mine"}, "--model,")):
        with pytest.raises(UsageError, match=missing):
            plan_again(record, PATH, **given)
    assert opened == []


@pytest.mark.parametrize(
    ("record", "options", "expected"),
    [
        (SHIPPED, {}, ("shapes", str(SHAPES_FOLDER / "tcd_lora"))),
        ({**SHIPPED, "method": "lcm", "eta": None}, {}, ("shapes", str(SHAPES_FOLDER / "lcm_lora"))),
        ({**SHIPPED, "lora": None}, {}, ("shapes", "none")),
        (folder_record(), {"model": "/mine", "lora": "none"}, ("/mine", "none")),
        (folder_record(paths=True), {"trust_record": True}, ("/models/sdxl-base", "/models/tcd")),
        (folder_record(paths=True), {"trust_record": True, "lora": "/mine"}, ("/models/sdxl-base", "/mine")),
        ({**SHIPPED, "model": "/old", "lora": "a/b"}, {"trust_record": True}, ("/old", "a/b")),
        ({**SHIPPED, "model": "/old", "lora": None}, {"model": "/mine"}, ("/mine", "none")),
        ({**SHIPPED, "model": "a/b", "model_from": "hub", "lora": None}, {"trust_record": True}, ("a/b", "none")),
    ],
)
def test_the_opened_models_and_loras(opened, record, options, expected):
    planned = plan_again(record, PATH, **options)
    assert opened == [expected]
    assert (planned.seeds, planned.dtype, planned.form, planned.request.seeds) == ((3, 4), "float32", None, (3,))


@pytest.mark.parametrize(
    ("record", "options", "message"),
    [
        (folder_record(), {"trust_record": True}, "has the name of the model, 'sdxl-base', but not its path"),
        (
            {**folder_record(), "model": "shapes", "model_from": "package"},
            {"trust_record": True},
            "the name of the LoRA, 'TCD-SDXL-LoRA', but not its path; pass it with --lora",
        ),
        ({**SHIPPED, "model": "/old"}, {"model": "/mine"}, "names the LoRA of the model 'shapes'.*pass --lora"),
        ({**SHIPPED, "model": "x/y", "model_from": "package"}, {}, "model 'x/y' is in the package, but it is not"),
        ({**SHIPPED, "lora": "x/y", "lora_from": None}, {}, "is incomplete"),
        ({**SHIPPED, "batch_seeds": [4]}, {}, r"is incomplete \('batch_seeds'\)"),
        ({**SHIPPED, "batch_seeds": [*range(5)], "width": 8192, "height": 8192}, {}, "requests 5 images of 8192x8192"),
        ({**SHIPPED, "frames": 5, "batch_seeds": [3], "width": 8192, "height": 8192}, {}, "requests 5 images of 8192x"),
        ({key: value for key, value in SHIPPED.items() if key != "lora"}, {}, r"is incomplete \('lora'\)"),
        ({key: value for key, value in SHIPPED.items() if key != "steps"}, {}, r"is incomplete \('steps'\)"),
    ],
)
def test_records_that_cannot_be_reproduced(opened, record, options, message):
    with pytest.raises(UsageError, match=message):
        plan_again(record, PATH, **options)


def loaded(model, lora=None, record_paths=False):
    return LoadedPipeline(None, plan("text-to-image", model, "tcd", lora), "float32", record_paths=record_paths)


def test_the_record_contains_names_and_digests_and_no_path(shapes, tmp_path):
    shutil.copytree(SHAPES_FOLDER / "tcd_lora", tmp_path / "my-lora")
    sources = loaded(shapes, tmp_path / "my-lora").sources()
    shipped = loaded("shapes").sources()
    assert str(tmp_path) not in str(sources)
    assert (sources["model"], sources["model_from"], sources["lora"]) == ("model", "folder", "my-lora")
    assert (shipped["model"], shipped["model_from"], shipped["lora"]) == ("shapes", "package", "shipped")
    for digest in ("model_sha256", "lora_sha256"):
        assert sources[digest] == shipped[digest]
        assert len(sources[digest]) == 64
    file = tmp_path / "my-lora" / "pytorch_lora_weights.safetensors"
    assert loaded("shapes", file).sources()["lora"] == file.name
    assert loaded("shapes", "none").sources()["lora"] is None
    assert loaded("shapes", "nobody/nothing").sources()["lora"] == "nobody/nothing"
    removed = loaded("shapes", file)
    file.unlink()
    assert (removed.sources()["lora"], removed.sources()["lora_sha256"]) == (file.name, None)
    shutil.copyfile(SHAPES_FOLDER / "tcd_lora" / file.name, file)

    sources = loaded(shapes, tmp_path / "my-lora", record_paths=True).sources()
    assert (sources["model_path"], sources["lora_path"]) == (str(shapes), str(tmp_path / "my-lora"))


def test_equal_weights_pass_in_any_folder_and_others_are_refused(shapes, tmp_path):
    record = {**SHIPPED, **loaded(shapes, "none").sources()}
    moved = shapes.rename(tmp_path / "moved")
    planned = plan_again(record, PATH, model=str(moved))
    assert check_same_weights(record, sources_of(planned)) == []

    file = moved / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match=r"the model 'moved' has other weights .* than the record's model 'model' .*"):
        check_same_weights(record, sources_of(planned))


def test_another_lora_is_refused(tmp_path):
    record = {**SHIPPED, **loaded("shapes").sources()}
    other = plan_again(record, PATH, lora=str(SHAPES_FOLDER / "lcm_lora"))
    with pytest.raises(UsageError, match=r"the LoRA 'lcm_lora' has other weights .*; pass the same LoRA with --lora"):
        check_same_weights(record, sources_of(other))
    without = plan_again(record, PATH, lora="none")
    with pytest.raises(UsageError, match="the record's LoRA is 'shipped', but here it is none"):
        check_same_weights(record, sources_of(without))


def test_a_warning_names_values_that_cannot_be_compared():
    remarks = check_same_weights(SHIPPED, sources_of(plan_again(SHIPPED, PATH)))
    assert remarks == [
        "the digest of the model's weights is missing in the record, so the model may differ",
        "the digest of the LoRA's weights is missing in the record, so the LoRA may differ",
    ]


def test_the_quantization_of_the_record_is_used_again(opened):
    assert plan_again(SHIPPED, PATH).quantize is None
    assert plan_again({**SHIPPED, "quantize": "int8"}, PATH).quantize == "int8"
    with pytest.raises(UsageError, match="unknown quantize 'int3'"):
        plan_again({**SHIPPED, "quantize": "int3"}, PATH)
