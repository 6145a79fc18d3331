"""The texts of --against, and the names of sides."""

import pytest

from mindone_tcd import UsageError
from mindone_tcd.compare.sides import Side, changed, labels, sides_of
from mindone_tcd.generate.plan import Extras

BASE = Side("text-to-image", "shapes", "tcd")


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("int8", {"quantize": "int8"}),
        ("float16", {"dtype": "float16"}),
        ("compiled", {"form": "step"}),
        ("fused", {"fused": True}),
        ("lora=none", {"lora": "none"}),
        ("method=lcm", {"method": "lcm"}),
        ("model=shapes-lcm,method=lcm,lora=none", {"model": "shapes-lcm", "method": "lcm", "lora": "none"}),
        ("int8,compiled", {"quantize": "int8", "form": "step"}),
        ("shapes-sd15", {"model": "shapes-sd15"}),
        ("models/a,b", {"model": "models/a,b"}),
        ("owner/name", {"model": "owner/name"}),
        ("folder=x", {"model": "folder=x"}),
    ],
)
def test_a_text_changes_the_base(text, changes):
    side = changed(BASE, text)
    assert {name: value for name, value in vars(side).items() if value != getattr(BASE, name)} == changes


def test_load_gets_only_what_is_set():
    side = changed(BASE, "int8,compiled")
    assert side.load_arguments() == {"method": "tcd", "quantize": "int8", "compile": "step"}


def test_quantization_replaces_fusing_and_a_dtype_replaces_quantization():
    fused = Side("text-to-image", "shapes", "tcd", fused=True)
    assert not changed(fused, "int8").fused
    narrow = Side("text-to-image", "shapes", "tcd", quantize="int8")
    assert changed(narrow, "float32").quantize is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([""], "model has no value"),
        (["lora="], "lora has no value"),
        (["float16,float32"], "two values for one thing"),
        (["eager"], "the same as another side"),
        (["float16", "float16"], "the same as another side"),
        (["int8,unfused"], "int8 always fuses the LoRAs"),
    ],
)
def test_refusals(texts, message):
    with pytest.raises(UsageError, match=message) as error:
        sides_of(BASE, texts)
    assert "\n" not in str(error.value)


def test_an_exported_folder_determines_everything(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    control = Extras(control=[("canny", "my-network")])
    base = Side("controlnet", "shapes", "lcm", dtype="float16", form="step", fused=True, extras=control)
    side = changed(base, str(tmp_path))
    assert side.exported
    assert side.load_arguments() == {"control": ["canny"]}
    assert not base.exported
    assert "compile" not in Side("text-to-image", str(tmp_path), form="step").load_arguments()
    with pytest.raises(UsageError, match="the export determines everything; leave dtype out"):
        changed(base, f"model={tmp_path},float32")


def record(side: Side) -> dict[str, str]:
    return {"method": side.method, "dtype": side.dtype or "float32", "quantize": side.quantize}


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        (["float16"], ["float32", "float16"]),
        (["int8"], ["unfused, float32", "fused, int8"]),
        (["compiled"], ["eager", "compiled"]),
        (["lora=none"], ["usual LoRA", "no LoRA"]),
        (["method=lcm", "float16"], ["tcd, float32", "lcm, float32", "tcd, float16"]),
        (["a/model", "b/model"], ["shapes", "a/model", "b/model"]),
        (["a/model"], ["shapes", "model"]),
    ],
)
def test_labels_name_what_differs(against, expected):
    sides = sides_of(BASE, against)
    assert labels(sides, [record(side) for side in sides]) == expected


def test_the_label_of_an_exported_folder(tmp_path):
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    sides = sides_of(BASE, [str(folder)])
    records = [{"method": "tcd", "dtype": "float32"}] * 2
    assert labels(sides, records) == ["shapes, unfused, eager", "graphs, fused, exported"]
