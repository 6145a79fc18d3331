"""benchmarks/accuracy.py, from its command line to its files, with drawings instead of generated images."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import SHAPES, Scene, Thing, parse, random_scene
from mindone_tcd.shapes.judge import judge

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = ["--prompts", "10", "--drawings", "8", "--batch", "4"]


@pytest.fixture
def accuracy(monkeypatch):
    """The script with a sampler that draws the scene of the prompt, or a blurred star for LCM."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("accuracy")

    class Drawings:
        def __init__(self, folder, compile=False, quantize=None):
            self.folder, self.loaded = folder, []

        def load(self, row):
            self.loaded.append(row.name)

        def __call__(self, row, prompts, generators):
            assert 0 < len(prompts) == len(generators) <= 4
            assert row.name in self.loaded
            scenes = [parse(prompt) for prompt in prompts]
            if row.scheduler == "lcm":
                star = [Scene(s.background, (Thing("star", s.things[0].colour),)) for s in scenes]
                return np.stack([gaussian_filter(draw(s), (4, 4, 0)) for s in star])
            return np.stack([draw(scene) for scene in scenes])

    monkeypatch.setattr(module, "mindspore_sampler", Drawings)
    monkeypatch.setattr(module, "torch_sampler", lambda folder: pytest.fail("the script created the torch sampler"))
    return module


def rows_of(printed: str) -> dict[str, list[str]]:
    """The rows of the tables, by their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in cells}


def test_tables_numbers_and_sheets(accuracy, tmp_path, capsys):
    grids, numbers = tmp_path / "deep" / "grids", tmp_path / "numbers.json"
    accuracy.main([*SMALL, "--seeds", "0", "1", "--grid", str(grids), "--json", str(numbers)])
    rows = rows_of(capsys.readouterr().out)
    assert rows[""] == [*accuracy.PARTS, "distance", "seconds"]
    drawn = rows["TCD-LoRA, 4 steps, seed 0"]
    assert drawn[:6] == ["100.0"] * 6
    assert drawn[8:10] == ["0.0"] * 2, "ghosts and two-tone fills in drawings"
    blurred = dict(zip(rows[""], rows["LCM-LoRA, 4 steps, seed 1"], strict=True))
    assert (blurred["color"], blurred["background"], blurred["clean"]) == ("100.0", "100.0", "0.0")

    kept = json.loads(numbers.read_text(encoding="utf-8"))
    assert (kept["prompts"], kept["backend"]) == (10, "mindspore")
    assert [(row["row"], row["seed"]) for row in kept["rows"]] == [
        ("real drawings", None),
        *(("TCD-LoRA, 4 steps", seed) for seed in (0, 1)),
        *(("LCM-LoRA, 4 steps", seed) for seed in (0, 1)),
    ]
    for row in kept["rows"]:
        assert row["images"] == 10
        title = row["row"] if row["seed"] is None else f"{row['row']}, seed {row['seed']}"
        shares = [row[part] for part in accuracy.PARTS]
        assert rows[title][:-2] == ["–" if share is None else f"{100 * share:.1f}" for share in shares]
        assert 0 <= row["right at 0.9"] <= row["right"] <= 1
        assert row["problems"]["none"] == row["clean"]

    sheets = sorted(grids.iterdir())
    assert [sheet.name for sheet in sheets] == [
        f"{method}-LoRA-4-steps-seed-{seed}.png" for method in ("LCM", "TCD") for seed in (0, 1)
    ]
    with Image.open(sheets[2]) as sheet:
        assert (sheet.size, sheet.info) == ((8 * 128, 2 * 128), {})
        first = np.asarray(sheet)[:128, :128] / 255
    prompt = accuracy.unseen_scenes(10, 0.0, seed=31337)[1][0]
    assert judge(first, parse(prompt)).clean


def test_shares_of_shapes_and_problems(accuracy, capsys):
    accuracy.main([*SMALL, "--only", "LCM-LoRA, 4", "--seeds", "5", "--per-shape", "--problems"])
    rows = {}
    for part in capsys.readouterr().out.split("\n\n")[1:]:
        found = rows_of(part)
        rows[next(iter(found))] = found
    assert list(rows) == ["", "right at 0.9", "problems"]
    title = "LCM-LoRA, 4 steps, seed 5"
    assert [list(table)[-1] for table in rows.values()] == [title] * 3
    shapes = rows["right at 0.9"]
    assert shapes["right at 0.9"] == list(SHAPES)
    asked = {parse(prompt).things[0].shape for prompt in accuracy.unseen_scenes(10, 0.0, seed=31337)[1]}
    for shape, real, blurred in zip(SHAPES, shapes["real drawings"], shapes[title], strict=True):
        assert (real, blurred) == (("100.0", "0.0") if shape in asked else ("–", "–")), shape
    problems = dict(zip(rows["problems"]["problems"], rows["problems"][title], strict=True))
    assert problems["none"] == "0.0"
    assert float(problems["another shape or number"]) >= 70, "a star is no other shape"


def test_the_judge_reads_an_image_once(accuracy, monkeypatch):
    # Judging 512 images must not take longer than sampling them.
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(4)]
    images = np.stack([draw(scene) for scene in scenes])
    reference = np.array([accuracy.features(image) for image in images])
    judge_module = importlib.import_module("mindone_tcd.shapes.judge")
    count, whole = [], judge_module._read
    monkeypatch.setattr(judge_module, "_read", lambda image: count.append(0) or whole(image))
    result = accuracy.judged("row", 0, images, scenes, reference, 1.0)
    assert len(count) == len(images)
    assert [judge(image, scene) for image, scene in zip(images, scenes, strict=True)] == result.verdicts
    assert result.distance == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompts", "1"], "--prompts is 1; choose a number from 2 to 4096"),
        (["--prompts", "9999"], "--prompts is 9999"),
        (["--drawings", "0"], "--drawings is 0"),
        (["--batch", "0"], "--batch is 0"),
        (["--two", "1.5"], "--two is 1.5"),
        (["--seeds", "0", "-1"], "--seeds has -1"),
        (["--only", "euler"], "no row's name holds 'euler'; there are: teacher: DDIM, 50 steps, guidance 3; "),
        (["--json", "absent/numbers.json"], "cannot write absent/numbers.json"),
        (["--json", "."], "cannot write ."),
        (["--grid", "file"], "cannot write into file: it is a file"),
        (["--folder", "absent"], "absent"),
        (["--folder", "owner/name"], "owner/name"),
        (["--folder", "."], "has no model_index.json"),
    ],
)
def test_invalid_options_are_refused_before_sampling(accuracy, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    monkeypatch.setattr(accuracy, "unseen_scenes", lambda *args, **named: pytest.fail("work had begun"))
    with pytest.raises(SystemExit) as exit:
        accuracy.main(options)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_weights_elsewhere(accuracy, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in accuracy.SHAPES_FOLDER.iterdir():
        if path.name != "lcm_lora":
            (folder / path.name).symlink_to(path)
    asked = []
    drawings = accuracy.mindspore_sampler
    monkeypatch.setattr(accuracy, "mindspore_sampler", lambda given, *how: asked.append(given) or drawings(given, *how))
    # If a LoRA is missing, only the rows without it can run.
    accuracy.main([*SMALL, "--seeds", "0", "--folder", str(folder), "--only", "TCD-LoRA, 2"])
    assert asked == [folder]
    with pytest.raises(SystemExit):
        accuracy.main([*SMALL, "--seeds", "0", "--folder", str(folder)])
    assert re.search(r"no LoRA '.*lcm_lora", capsys.readouterr().err)


def test_names_of_rows(accuracy):
    names = [row.name for row in accuracy.ALL]
    assert len(set(names)) == len(names)
    assert names[0] == "teacher: DDIM, 50 steps, guidance 3"
    for method in ("TCD", "LCM"):
        steps = [f"{method}-LoRA, {steps}" for steps in ("1 step", "2 steps", "4 steps", "8 steps")]
        assert {*steps, f"no LoRA: {method}, 4 steps, no guidance"} <= set(names)


@pytest.mark.parity
def test_the_autoencoder_alone_causes_no_ghosts_or_two_tone_fills(accuracy):
    rng = np.random.default_rng(6)
    scenes = [random_scene(rng, two=0.2, unseen=None) for _ in range(64)]
    images = accuracy.reconstructions(np.stack([draw(s, 128, rng) for s in scenes]), accuracy.SHAPES_FOLDER)
    verdicts = [judge(image, scene) for image, scene in zip(images, scenes, strict=True)]
    faults = [(s, v) for s, v in zip(scenes, verdicts, strict=True) if v.ghosts or v.two_tone]
    assert not faults, faults[0]
    rounds = [v.roundness for v in verdicts if v.roundness is not None]
    assert len(rounds) > 4
    assert min(rounds) > 0.99
    assert np.mean([v.right_at(0.9) for v in verdicts]) > 0.9
