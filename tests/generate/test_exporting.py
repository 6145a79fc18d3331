"""``export`` and the command of the same name: refusals before any work, and what they write."""

import numpy as np
import pytest

from mindone_tcd import compile_pipeline, export, load
from mindone_tcd.cli import main
from mindone_tcd.deploy.manifest import read_manifest
from mindone_tcd.errors import UsageError, UsageWarning
from mindone_tcd.generate.exporting import check_exportable, checked_sizes
from mindone_tcd.generate.plan import Extras, plan

PROMPT = "a red circle on a blue background"


@pytest.mark.parametrize(
    ("task", "extras", "said"),
    [
        ("inpainting", Extras(), "the task inpainting cannot be exported"),
        ("animate", Extras(), "the task animate cannot be exported"),
        ("t2i-adapter", Extras(), "the task t2i-adapter cannot be exported"),
        ("text-to-image", Extras(ip_adapter=True), "a IP-Adapter cannot be exported"),
    ],
)
def test_pipelines_that_cannot_be_exported(task, extras, said):
    with pytest.raises(UsageError, match=said):
        check_exportable(plan(task, "shapes", extras=extras))


@pytest.mark.parametrize(
    ("sizes", "found"),
    [(None, [(128, 128)]), ([64], [(64, 64)]), ([(64, 96), 128, (64, 96)], [(64, 96), (128, 128)])],
)
def test_sizes(sizes, found):
    assert checked_sizes(plan("text-to-image", "shapes"), sizes) == found


@pytest.mark.parametrize("sizes", [[], 128, "128", [100], [0], [(64, 64, 64)], [64.5], [1 << 20], {"a": 1}])
def test_invalid_sizes(sizes):
    with pytest.raises(UsageError, match="size"):
        checked_sizes(plan("text-to-image", "shapes"), sizes)


def test_a_method_of_the_user_cannot_be_exported(added_methods):
    from mindone_tcd.schedulers.methods import Method, register_method

    register_method(Method("mine", "mindone_tcd.schedulers.tcd:TCDScheduler2", distilled=False))
    with pytest.raises(UsageError, match="the method mine cannot be exported"):
        check_exportable(plan("text-to-image", "shapes", "mine"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "100"], "size 100x100 is not divisible by 8"),
        (["--batch", "0"], "batch is 0"),
        (["--controlnet", "=x"], "--controlnet is '=x'"),
        (["--controlnet", "pose"], "no ControlNet 'pose' is known"),
        (["--model", "shapes-inpainting"], "inpainting"),
        (["--model", "nothing"], "no model 'nothing'"),
    ],
)
def test_the_command_refuses_bad_arguments(capsys, tmp_path, arguments, said):
    assert main(["export", "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_an_existing_folder(capsys, tmp_path):
    assert main(["export", "--out", str(tmp_path)]) == 2
    assert "exists; expected a folder to create" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["export", "--out", str(tmp_path / "file" / "folder")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_other_objects_are_refused(tmp_path):
    with pytest.raises(UsageError, match="export got str; expected the result of mindone_tcd"):
        export("shapes", tmp_path / "out")


def test_compiled_pipelines_are_refused(folders, tmp_path):
    pipe = load(model=folders("sd15"), lora="none")
    compile_pipeline(pipe.pipeline)
    with pytest.raises(UsageError, match="the pipeline is compiled"):
        export(pipe, tmp_path / "out", [64])


def test_a_scheduler_that_clips_is_refused(folders, tmp_path):
    pipe = load(model=folders("sd15"), lora="none", method="lcm")
    pipe.pipeline.scheduler = type(pipe.pipeline.scheduler).from_config(
        pipe.pipeline.scheduler.config, clip_sample=True
    )
    with pytest.raises(UsageError, match="clips or thresholds"):
        export(pipe, tmp_path / "out", [64])


def test_after_an_error_there_is_no_folder_and_the_pipeline_is_as_before(folders, tmp_path, monkeypatch):
    from mindone_tcd.deploy import writing

    pipe = load(model=folders("sdxl"), lora=folders("lora-sdxl"))
    before = np.asarray(pipe(PROMPT, size=64, steps=1)[0].image)
    monkeypatch.setattr(writing, "export_graph", lambda call, path, whole: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(pipe, tmp_path / "out", [64])
    assert not list(tmp_path.iterdir())
    assert pipe.pipeline.get_active_adapters()
    assert (np.asarray(pipe(PROMPT, size=64, steps=1)[0].image) == before).all()


@pytest.mark.slow
def test_the_command_writes_a_quantized_model(tmp_path):
    out = tmp_path / "out"
    assert main(["export", "--quantize", "int8", "--method", "lcm", "--whole", "--out", str(out)]) == 0
    manifest = read_manifest(out)
    assert manifest.record["quantize"] == "int8"
    assert all(graph.weights is None for graph in manifest.graphs)
    pipe, exported = load(method="lcm", quantize="int8"), load(model=out)
    assert exported.quantize == "int8"
    a, b = (np.asarray(each(PROMPT, seed=2)[0].image, int) for each in (pipe, exported))
    # The native kernels of the original and the stock operations of the graph round differently.
    assert abs(a - b).max() <= 2
    assert (out / "unet" / "unet-128x128.mindir").stat().st_size < 0.5 * 23_870_680


@pytest.mark.slow
def test_the_pipeline_does_not_change_and_the_safety_checker_is_named(folders, tmp_path):
    pipe = load(model=folders("sd15-safety-checker"), lora=folders("lora-sd15"), method="lcm")
    before = np.asarray(pipe(PROMPT, size=64)[0].image)
    with pytest.warns(UsageWarning, match="the safety checker is not exported"):
        export(pipe, tmp_path / "out", [64])
    assert (np.asarray(pipe(PROMPT, size=64)[0].image) == before).all()
