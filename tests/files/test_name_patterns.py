"""Names of modules by pattern: as PEFT matches them, in linear time."""

import re

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.name_patterns import NamePatterns

PATHS = [
    "down_blocks.0.attentions.0.to_q",
    "down_blocks.0.attentions.0.to_k",
    "down_blocks.10.attentions.0.to_q",
    "mid_block.to_q",
    "mid_block.attentions.0.proj_in",
    "to_q",
    "not_to_q",
    "conv-in.x",
]


@pytest.mark.parametrize(
    "pattern",
    [
        "to_q",
        "attentions.0.to_q",
        "down_blocks.0.attentions.0.to_q",
        "^to_q",
        "^to_q$",
        "to_q$",
        "to_q|to_k",
        "^to_q|proj_in",
        "(to_q|proj_in)",
        "(?:to_q|to_k)",
        "^(?:mid_block\\.to_q|down_blocks\\.0\\.attentions\\.0\\.to_k)",
        "^(?:to_q|to_k)$",
        ".*to_q",
        "down_blocks.*to_q",
        "down_blocks.*.0.to_q",
        "^down_blocks.*0.*to_.*",
        "block.*q",
        "mid_block.*",
        ".*",
        "conv\\-in\\.x",
        "a|b",
    ],
)
def test_matches_equal_peft(pattern):
    ours = {path for path in PATHS if NamePatterns({pattern: 1.0}, "x").value(path) is not None}
    assert ours == {path for path in PATHS if re.match(rf"(.*\.)?({pattern})$", path)}


def test_the_first_pattern_wins():
    patterns = NamePatterns({"proj_in": 1.0, ".*to_q": 2.0, "to_q": 3.0, "to_k|to_q": 4.0}, "x")
    values = {path: patterns.value(path) for path in PATHS}
    assert values["to_q"] == 2.0
    assert values["mid_block.attentions.0.proj_in"] == 1.0
    assert values["down_blocks.0.attentions.0.to_k"] == 4.0
    assert values["conv-in.x"] is None


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+", "a{5}", "[ab]", "\\d+", "a?", "", "a||b", "(?=a)", "a\\", "((a))", "(a|b)c", "a\0b"],
)
def test_invalid_patterns_raise_an_error(pattern):
    with pytest.raises(UsageError, match=r"^the file's metadata has the pattern .*expected module names") as info:
        NamePatterns({pattern: 1.0}, "the file's metadata")
    assert "\n" not in str(info.value)


def test_plain_patterns_use_a_lookup():
    """100,000 patterns and 1,000 names of 500 parts: one by one this takes an hour."""
    patterns = NamePatterns({f"block.{n}": float(n) for n in range(100_000)}, "x")
    tail = ".block.99999"
    assert {patterns.value("a." * n + tail[1:]) for n in range(400)} == {99_999.0}


def test_wildcards_are_limited_and_do_not_backtrack():
    assert NamePatterns({".*a" * 300 + "b": 1.0}, "x").value("a" * 900) is None
    with pytest.raises(UsageError, match=r"x has 33 patterns with \.\*; expected at most 32"):
        NamePatterns({f".*{n}": 1.0 for n in range(33)}, "x")
