"""Which values a field of a configuration may have."""

import math

import pytest

from mindone_tcd.errors import UsageError
from mindone_tcd.files.config_fields import _KINDS, FIELDS, LARGEST_COUNT, check_fields, class_of

TOKEN = {"content": "<s>"}
GOOD_AND_BAD = {
    "null": ([None], [0, False, ""]),
    "bool": ([True, False], [0, 1, None, "true"]),
    "bools": ([[True, False]], [[], [1], True]),
    "text": (["", "a"], [1, None, ["a"]]),
    "texts": ([["a", "b"]], [[], ["a", 1], "a"]),
    "count": ([1, LARGEST_COUNT], [0, -1, LARGEST_COUNT + 1, True, 1.0, "1", None]),
    "counts": ([[1, 2]], [[], [1, 0], 1]),
    "nested": ([[1, [2, 3]]], [[], [[]], [[[1]]], [0]]),
    "whole": ([0, LARGEST_COUNT], [-1, LARGEST_COUNT + 1, False, 0.0]),
    "wholes": ([[0, 1]], [[], [-1], 0]),
    "number": ([0, -1.5, 1e37], [math.nan, math.inf, 1e38, 10**400, True, "1"]),
    "positive": ([1e-9, 3], [0, -1, math.nan]),
    "numbers": ([[0, 1.5]], [[], [None], 1]),
    "steps": ([1, 100_000], [0, 100_001, 10.0]),
    "side": ([1, 16_384], [0, 16_385, 512.0]),
    "sides": ([[16, 32]], [[], [16_385], 16]),
    "kernel": ([0, 64], [-1, 65, True]),
    "length": ([1, 77, 1e30], [0, True, "77"]),
    "token": (["", TOKEN], [None, {}, {"content": 1}, 1]),
    "object": ([{}, {"a": 1}], [[], None, "a"]),
    "list": ([[], [1]], [{}, None, "a"]),
    "tokens by number": ([{}, {"49407": TOKEN}], [{"a": TOKEN}, {"1": "a"}, {"1" * 10: TOKEN}, []]),
}


def test_there_are_values_for_each_kind():
    assert set(GOOD_AND_BAD) == set(_KINDS)


@pytest.mark.parametrize("kind", GOOD_AND_BAD)
def test_values_of_a_kind(kind, monkeypatch):
    monkeypatch.setitem(FIELDS, "Probe", {"field": kind})
    good, bad = GOOD_AND_BAD[kind]
    for value in good:
        check_fields({"field": value}, "Probe", "config.json")
    for value in bad:
        with pytest.raises(UsageError, match=r"^config\.json: field is "):
            check_fields({"field": value}, "Probe", "config.json")


def test_the_message_has_every_choice():
    with pytest.raises(UsageError) as caught:
        check_fields({"in_channels": 4, "layers_per_block": "two"}, "UNet2DConditionModel", "unet/config.json")
    assert str(caught.value) == (
        "unet/config.json: layers_per_block is 'two'; expected a positive integer or a list of positive integers: "
        "fetch or save the model again"
    )


def test_missing_and_unknown_fields_and_kinds_pass():
    check_fields({}, "UNet2DConditionModel", "config.json")
    check_fields({"a_new_field": object()}, "UNet2DConditionModel", "config.json")
    check_fields({"in_channels": "four"}, "AnotherModel", "config.json")
    check_fields({"in_channels": "four"}, None, "config.json")


def test_each_field_names_kinds_that_exist():
    for kind, fields in FIELDS.items():
        for field, kinds in fields.items():
            assert set(kinds.split("|")) <= _KINDS.keys(), f"{kind}.{field}"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"_class_name": "A"}, "A"),
        ({"_class_name": "A", "architectures": ["B"]}, "A"),
        ({"architectures": ["B"]}, "B"),
        ({"architectures": ["B", "C"]}, None),
        ({"architectures": "B"}, None),
        ({"_class_name": ["A"]}, None),
        ({"architectures": [1]}, None),
        ({}, None),
    ],
)
def test_the_class_of_a_configuration(config, name):
    assert class_of(config) == name
