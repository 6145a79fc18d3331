import json

import pytest

from mindone_tcd.generate.record_fields import visible


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
