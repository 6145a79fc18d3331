import json

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.inputs import SLOTS
from mindone_tcd.generate.parts import ROLES
from mindone_tcd.generate.record_fields import check_record, visible
from mindone_tcd.generate.tasks import TASKS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, \"text\" 'here'", "plain, \"text\" 'here'"),
        ("红色的圆 é हिन्दी 👩‍👧", "红色的圆 é हिन्दी 👩‍👧"),
        ("\x1b[31mred\x9b0m\x07\x7f\r", "\\u001b[31mred\\u009b0m\\u0007\\u007f\\u000d"),
        ("\u202eevil\u2066x\u200f\u2028", "\\u202eevil\\u2066x\\u200f\\u2028"),
        ("\ud800 \udcff", "\\ud800 \\udcff"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("a\nb", "a\\u000ab"),
    ],
)
def test_control_and_invisible_characters_are_escaped(text, shown):
    assert visible(text) == shown


def test_line_breaks_can_be_preserved():
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\u001b"


def test_escaped_json_has_the_same_value():
    record = {"prompt": "".join(map(chr, range(0x3000))) + "\ud800\U000e0001\U0001f534"}
    text = visible(json.dumps(record, ensure_ascii=False, indent=2), keep="\n")
    assert json.loads(text) == record
    text.encode()


SHA256 = "0" * 64
PART = {"role": "style", "kind": "", "name": "x", "from": "folder", "sha256": None, "weight": -0.5}
INPUT = {"slot": "image", "kind": "", "name": None, "sha256": SHA256, "scale": None}


@pytest.mark.parametrize(
    "record",
    [
        *({"task": task} for task in TASKS),
        *({"parts": [{**PART, "role": role}]} for role in ROLES),
        *({"inputs": [{**INPUT, "slot": slot}]} for slot in SLOTS),
        {"parts": []},
        {"inputs": []},
        {"parts": [{**PART, "path": "/models/x", "sha256": SHA256}] * 16},
        {"inputs": [{**INPUT, "name": "a.png", "scale": 100}] * 16},
        {"quantize": "int8"},
        {"quantize": None},
        {"strength": 0},
        {"strength": 1},
        {"frames": 256},
    ],
)
def test_fields_of_tasks(record):
    assert check_record(record, "the record") == record


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"task": "song"}, "task is 'song'; expected one of: text-to-image"),
        ({"task": None}, "task is None; expected one of"),
        ({"parts": None}, "parts is None; expected a list of at most 16 objects"),
        ({"parts": [PART] * 17}, "expected a list of at most 16 objects"),
        (
            {"parts": ["x"]},
            "an entry of parts is 'x'; expected an object with role, kind, name, from, sha256, weight, pa",
        ),
        ({"parts": [{**PART, "more": 1}]}, "an entry of parts is"),
        ({"parts": [{key: value for key, value in PART.items() if key != "kind"}]}, "an entry of parts is"),
        ({"parts": [{**PART, "role": "model"}]}, "role of an entry of parts is 'model'; expected one of: controlnet"),
        ({"parts": [{**PART, "from": None}]}, "from of an entry of parts is None; expected one of"),
        (
            {"parts": [{**PART, "weight": True}]},
            "weight of an entry of parts is True; expected a number from -100 to 100",
        ),
        (
            {"parts": [{**PART, "weight": 101}]},
            "weight of an entry of parts is 101; expected a number from -100 to 100",
        ),
        ({"parts": [{**PART, "name": None}]}, "name of an entry of parts is None; expected a string"),
        ({"parts": [{**PART, "path": 3}]}, "path of an entry of parts is 3; expected a string"),
        ({"inputs": [INPUT] * 17}, "expected a list of at most 16 objects"),
        ({"inputs": [{**INPUT, "slot": "prompt"}]}, "slot of an entry of inputs is 'prompt'; expected one of: image"),
        ({"inputs": [{**INPUT, "sha256": None}]}, "sha256 of an entry of inputs is None; expected 64 hexadecimal"),
        ({"inputs": [{**INPUT, "scale": -1}]}, "scale of an entry of inputs is -1; expected a number from 0 to 100"),
        ({"inputs": [{**INPUT, "name": "x" * (1 << 21)}]}, "name of an entry of inputs is 'xxx"),
        ({"strength": 1.01}, "strength is 1.01; expected a number from 0 to 1"),
        ({"strength": None}, "strength is None; expected"),
        ({"frames": 0}, "frames is 0; expected an integer from 1 to 256"),
    ],
)
def test_fields_of_tasks_with_other_values(record, message):
    with pytest.raises(UsageError) as caught:
        check_record(record, "the record")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
