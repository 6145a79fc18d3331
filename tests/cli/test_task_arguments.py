"""The arguments of `generate` that choose its task."""

import argparse
from pathlib import Path

import pytest

from mindone_tcd.cli.task_arguments import (
    add_task_arguments,
    asked,
    control_files,
    default_suffix,
    preview_file,
    weighted,
)
from mindone_tcd.errors import UsageError
from mindone_tcd.generate.plan import Extras
from mindone_tcd.generate.tasks import TASKS


def parsed(text: str):
    parser = argparse.ArgumentParser()
    add_task_arguments(parser)
    return asked(parser.parse_args(text.split()))


@pytest.mark.parametrize(
    ("text", "name", "weight"),
    [
        ("outline", "outline", None),
        ("a:0.5", "a", 0.5),
        ("a:1", "a", 1.0),
        ("a:-0.5", "a", -0.5),
        ("a:.5", "a", 0.5),
        ("a:2.", "a", 2.0),
        ("a:b:0.5", "a:b", 0.5),
        ("a:", "a:", None),
        (":0.5", ":0.5", None),
        ("a:x", "a:x", None),
        ("a:nan", "a:nan", None),
        ("a:1e-1", "a:1e-1", None),
        ("a.png", "a.png", None),
        ("a\nb:0.5", "a\nb", 0.5),
        ("C:\\pictures\\a.png", "C:\\pictures\\a.png", None),
        ("http://host:8080", "http://host:8080", None),
        ("http://host:8080/a.png", "http://host:8080/a.png", None),
        ("https://host:8080/a.png:0.5", "https://host:8080/a.png", 0.5),
        ("https://host/a.png:0.5", "https://host/a.png", 0.5),
        ("HTTP://host:8080", "HTTP://host:8080", None),
    ],
)
def test_a_name_with_a_weight(text, name, weight):
    assert weighted(text) == (name, weight)


@pytest.mark.parametrize(
    ("text", "task", "extras", "call"),
    [
        ("", "text-to-image", {}, {}),
        ("--image a.png", "image-to-image", {}, {"image": "a.png"}),
        ("--image a.png --strength 0", "image-to-image", {}, {"image": "a.png", "strength": 0.0}),
        ("--image a.png --mask b.png", "inpainting", {}, {"image": "a.png", "mask": "b.png"}),
        ("--control canny:a.png", "controlnet", {"control": [("canny", None)]}, {"control": ["a.png"]}),
        (
            "--control canny:a.png:0.5 --control depth-map:b.png:1 --controlnet depth=/m",
            "controlnet",
            {"control": [("canny", None), ("depth-map", "/m")]},
            {"control": ["a.png", "b.png"], "control_scale": [0.5, 1.0]},
        ),
        (
            "--control canny:http://h:80/a.png",
            "controlnet",
            {"control": [("canny", None)]},
            {"control": ["http://h:80/a.png"]},
        ),
        (
            "--control canny:a.png --image b.png",
            "image-to-image",
            {"control": [("canny", None)]},
            {"image": "b.png", "control": ["a.png"]},
        ),
        ("--t2i canny:a.png", "t2i-adapter", {"t2i": [("canny", None)]}, {"control": ["a.png"]}),
        (
            "--t2i canny:a.png --t2i-adapter canny=o/n",
            "t2i-adapter",
            {"t2i": [("canny", "o/n")]},
            {"control": ["a.png"]},
        ),
        (
            "--control depth:a.png --depth-model o/d",
            "controlnet",
            {"control": [("depth", None)], "depth_model": "o/d"},
            {"control": ["a.png"]},
        ),
        ("--reference a.png", "ip-adapter", {"ip_adapter": True}, {"reference": "a.png"}),
        (
            "--reference a.png:0.3 --ip-adapter /m",
            "ip-adapter",
            {"ip_adapter": "/m"},
            {"reference": "a.png", "reference_scale": 0.3},
        ),
        (
            "--reference a.png --image b.png",
            "image-to-image",
            {"ip_adapter": True},
            {"reference": "a.png", "image": "b.png"},
        ),
        ("--style outline:0.8 --style o/n", "text-to-image", {"style": [("outline", 0.8), ("o/n", 1.0)]}, {}),
        ("--frames 3", "animate", {}, {"frames": 3}),
        ("--motion zoom-in --motion-adapter /m", "animate", {"motion": [("zoom-in", 1.0)], "motion_adapter": "/m"}, {}),
        ("--frames 3 --reference a.png", "animate", {"ip_adapter": True}, {"frames": 3, "reference": "a.png"}),
    ],
)
def test_the_task(text, task, extras, call):
    found = parsed(text)
    assert (found.task, found.extras, found.call) == (task, Extras(**extras), call)
    assert task in TASKS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--mask b.png", "--mask needs --image; add it, or leave --mask out"),
        ("--strength 0.5", "--strength needs --image; add it"),
        ("--strength 0", "--strength needs --image; add it"),
        ("--ip-adapter /m", "--ip-adapter needs --reference; add it"),
        ("--controlnet canny=/m", "--controlnet needs --control; add it"),
        ("--t2i-adapter canny=/m", "--t2i-adapter needs --t2i; add it"),
        ("--controlnet canny=/m --t2i canny:a.png", "--controlnet needs --control; add it"),
        ("--depth-model o/d", "--depth-model needs --control or --t2i; add it"),
        ("--save-control", "--save-control needs --control or --t2i; add it"),
        ("--motion-adapter /m", "--motion-adapter needs --frames; add it"),
        ("--frames 3 --image a.png", "--image and --frames do not combine: clips start from text only"),
        ("--frames 0 --image a.png", "--image and --frames do not combine"),
        ("--motion zoom-in --control canny:a.png", "--control and --frames do not combine"),
        ("--frames 3 --t2i canny:a.png", "--t2i and --frames do not combine"),
        ("--control canny:a.png --t2i canny:a.png", "--control and --t2i do not combine: no pipeline has"),
        ("--control canny", "--control is 'canny'; expected KIND:IMAGE[:SCALE], such as canny:photo.png:0.5"),
        ("--control canny:", "--control is 'canny:'; expected KIND:IMAGE[:SCALE]"),
        ("--control a.png", "--control is 'a.png'; expected KIND:IMAGE[:SCALE]"),
        ("--control :a.png", "--control is ':a.png'; expected KIND:IMAGE[:SCALE]"),
        ("--control Canny:a.png", "--control is 'Canny:a.png'; expected KIND:IMAGE[:SCALE]"),
        ("--t2i ../x:a.png", "--t2i is '../x:a.png'; expected KIND:IMAGE[:SCALE]"),
        (
            "--control canny:a.png:0.5 --control depth:b.png",
            "--control has a scale for some images only; give one for each, or for none",
        ),
        ("--control canny:a.png --controlnet canny", "'canny' names no network; expected KIND=MODEL"),
        ("--control canny:a.png --controlnet =/m", "'=/m' names no network; expected KIND=MODEL"),
        ("--control canny:a.png --controlnet canny=", "'canny=' names no network; expected KIND=MODEL"),
        (
            "--control canny:a.png --controlnet depth=/m",
            "no --control has the kind depth, for which a network is given",
        ),
        (
            "--control canny:a.png --controlnet canny=/a --controlnet canny=/b",
            "--controlnet names several networks for the kind canny; name one",
        ),
        ("--t2i canny:a.png --t2i-adapter depth=/m", "no --t2i has the kind depth, for which a network is given"),
    ],
)
def test_arguments_that_do_not_combine(text, message):
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_files_of_control_maps():
    out = Path("d/c.png")
    assert control_files(out, []) == []
    assert control_files(out, ["canny", "depth"]) == [Path("d/c-canny.png"), Path("d/c-depth.png")]
    assert control_files(out, ["canny", "depth", "canny"]) == [
        Path("d/c-canny-1.png"),
        Path("d/c-depth.png"),
        Path("d/c-canny-2.png"),
    ]


def test_the_file_of_a_preview():
    assert preview_file(Path("d/c.gif")) == Path("d/c-preview.png")


def test_the_suffix_of_a_task():
    assert {task: default_suffix(task) for task in TASKS} == {
        task: ".gif" if task == "animate" else ".png" for task in TASKS
    }


def test_each_task_has_an_example_in_the_help():
    parser = argparse.ArgumentParser()
    add_task_arguments(parser)
    assert parser.format_help().count("example: generate") == 7
