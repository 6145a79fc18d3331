"""A whole comparison: refusals before any process starts, and one real run."""

import json

import numpy as np
import pytest
from PIL import Image

from mindone_tcd import UsageError
from mindone_tcd.compare import FILES, JUDGED, metrics, run
from mindone_tcd.compare.run import compare
from mindone_tcd.compare.sides import Side, sides_of
from mindone_tcd.generate.plan import Extras
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import parse

BASE = Side("text-to-image", "shapes", "tcd")

needs_scikit_image = pytest.mark.skipif(
    metrics.importlib.util.find_spec("skimage") is None, reason="needs the [compare] extra"
)


@pytest.fixture
def stopped(monkeypatch):
    """Comparisons without their work: the requests that the sides would get."""
    asked = []

    class Stopped(Exception):
        pass

    def stop(sides, requests, *rest):
        asked.extend(requests)
        raise Stopped

    monkeypatch.setattr(run, "measure", stop)
    monkeypatch.setattr(metrics, "require_scikit_image", lambda: None)

    def prepare(sides, **given):
        asked.clear()
        with pytest.raises(Stopped):
            compare(sides, **given)
        return list(asked)

    return prepare


@pytest.mark.parametrize(
    ("sides", "given", "message"),
    [
        (sides_of(BASE, ["method=nonsense"]), {}, "nonsense"),
        (sides_of(BASE, ["nowhere"]), {}, "no model 'nowhere'"),
        (sides_of(BASE, ["float16"]), {"timed": 0}, "prompts is 0"),
        (sides_of(BASE, ["float16"]), {"starts": 0}, "starts is 0"),
        (sides_of(BASE, ["float16"]), {"judged": 5000}, "judged is 5000"),
        (sides_of(BASE, ["float16"]), {"call": {"steps": 0}}, "steps is 0"),
        (sides_of(BASE, ["float16"]), {"call": {"size": 8}}, "too small for SSIM"),
        (sides_of(BASE, ["float16"]), {"prompts": ["a cat"], "judged": 1}, "the judge does not apply"),
        (sides_of(BASE, ["float16"]), {"prompts": ["a red star on blue"], "judged": 2}, "only 1 prompts"),
        (sides_of(BASE, ["method=lcm"]), {"call": {"eta": 0.3}}, "lcm has no eta"),
        ([Side("animate", "shapes", "tcd")] * 2, {}, "makes clips"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(stopped, tmp_path, monkeypatch, sides, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message) as error:
        compare(sides, **given)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_output_is_checked_before_any_work(stopped, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not empty"):
        compare(sides_of(BASE, ["float16"]), out=tmp_path)


def test_prompts_seeds_and_settings_are_the_same_for_all_sides(stopped, tmp_path):
    first, second = stopped(sides_of(BASE, ["float16"]), seed=7, call={"steps": 2}, out=tmp_path / "out")
    assert first == second
    assert len(first) == JUDGED
    assert [request.seeds for request in first[:2]] == [(7,), (8,)]
    assert first[0].steps == 2


def test_a_control_image_chooses_the_prompts(stopped, tmp_path):
    drawing = (draw(parse("a white moon on a blue background"), 128) * 255).astype(np.uint8)
    base = Side("controlnet", "shapes", "tcd", extras=Extras(control="canny"))
    first, _ = stopped(
        sides_of(base, ["float16"]), inputs={"control": Image.fromarray(drawing)}, judged=12, out=tmp_path / "out"
    )
    assert len(first) == 12
    assert all("moon" in request.prompt for request in first)


def test_other_models_get_as_many_general_prompts_as_are_timed(stopped, folders, tmp_path):
    base = Side("text-to-image", str(folders("sd15")), "lcm", "none")
    first, _ = stopped(sides_of(base, ["float16"]), timed=3, call={"size": 64}, out=tmp_path / "out")
    assert len(first) == 3


@needs_scikit_image
@pytest.mark.slow
def test_a_comparison_from_start_to_end(tmp_path):
    out = tmp_path / "out"
    folder, text = compare(
        sides_of(BASE, ["lora=none", "int8"]), timed=2, judged=2, call={"steps": 1}, out=out, command="the command"
    )
    assert folder == out
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert (out / "comparison.md").read_text(encoding="utf-8") == text
    content = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    labels = [side["label"] for side in content["sides"]]
    assert labels == ["usual LoRA, unfused, float32", "no LoRA, unfused, float32", "usual LoRA, fused, int8"]
    records = [side["record"] for side in content["sides"]]
    assert [record["lora"] for record in records] == ["shipped", None, "shipped"]
    assert [record.get("quantize") for record in records] == [None, None, "int8"]
    for side in content["sides"]:
        assert len(side["seconds"]) == 2
        assert side["peak_bytes"] > 1e8
        assert side["judged"]["images"] == 2
    weights = [sum(side["bytes_of_weights_in_memory"].values()) for side in content["sides"]]
    assert weights[2] < weights[0] / 2
    disk = [sum(side["bytes_on_disk"].values()) for side in content["sides"]]
    assert disk[2] < disk[1] < disk[0]
    none, quantized = (side["similarity"] for side in content["sides"][1:])
    # Without the LoRA, one step gives another image; int8 changes little.
    assert min(quantized["psnr"]) > max(none["psnr"])
    for name in ("sheet.png", "plot.png"):
        with Image.open(out / name) as image:
            image.load()


@pytest.mark.slow
def test_an_error_of_a_side_is_that_of_load(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "require_scikit_image", lambda: None)
    base = Side("text-to-image", "shapes", "tcd", dtype="bfloat16")
    with pytest.raises(UsageError, match="bfloat16 does not run on a CPU"):
        compare(sides_of(base, ["float32"]), timed=1, judged=1, call={"steps": 1}, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
