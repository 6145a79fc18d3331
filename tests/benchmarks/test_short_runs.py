"""The scripts of benchmarks/ and tools/ run to their end, with the smallest sizes that they take.

accuracy.py, fuzz.py and the scripts that store references of the tests have tests of their own.
"""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.shapes.models import FAMILY_FOLDER

ROOT = Path(__file__).resolve().parents[2]


SCRIPTS = [path for folder in ("benchmarks", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]


def names_of(path: Path) -> set[str]:
    """The names that a file defines or imports outside of functions and classes."""
    found = set()
    blocks = [ast.parse(path.read_text(encoding="utf-8")).body]
    while blocks:
        for node in blocks.pop():
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            else:
                blocks += [getattr(node, part, None) or [] for part in ("body", "orelse", "handlers", "finalbody")]
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_that_a_script_takes_from_its_neighbors_exist(path):
    """Without the packages that the scripts need."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        neighbor = path.parent / f"{node.module}.py" if isinstance(node, ast.ImportFrom) and node.module else None
        if neighbor is not None and neighbor.is_file():
            missing = {alias.name for alias in node.names} - names_of(neighbor)
            assert not missing, f"line {node.lineno}: {neighbor.name} has no {', '.join(sorted(missing))}"


def run(script: str, *arguments: object) -> str:
    """What a script prints; it has to end with status 0."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, ROOT / script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, f"{script} ended with status {ran.returncode}:\n{ran.stdout}\n{ran.stderr[-4000:]}"
    return ran.stdout


def case(script: str, arguments: str, printed: str, *marks: pytest.MarkDecorator) -> object:
    """A script, its arguments, and a regular expression of its output."""
    return pytest.param(script, arguments.split(), printed, id=script, marks=marks)


slow, parity = pytest.mark.slow, pytest.mark.parity
NUMBER = r"\d+\.\d+"


@pytest.mark.parametrize(
    ("script", "arguments", "printed"),
    [
        case("tools/fuzzing/check_model_folders.py", "--every 60", r"^\d+ refused by find_model, \d+ taken in "),
        case(
            "benchmarks/scheduler_step.py",
            "--size 8 --rounds 1 --steps 2",
            rf"TCD ours +\d+ \(0, 0\) +\d+ \(0, 0\) +{NUMBER} +{NUMBER}\n(?s:.*)LCM: {NUMBER} times faster",
            slow,
        ),
        case(
            "benchmarks/threads.py",
            "--threads 2 --images 1 --steps 1",
            r"^eager, 1 pipeline\(s\), 2 threads: 2 images, 0 differ\n",
            slow,
        ),
        case(
            "tools/fuzzing/adapters.py", "--count 1", r"\n1 files, 0 errors that changed a pipeline, .*: none\n", slow
        ),
        case("benchmarks/operations.py", "--steps 1", r"^\| ours, compiled: trajectory \| 0 \| \d+ \|", slow),
        case("benchmarks/startup.py", "--rounds 1", rf"^load\(\): {NUMBER} s, import mindspore: {NUMBER} s", slow),
        case(
            "benchmarks/graph_memory.py",
            "undo --part decoder --changes 1",
            r"\n1 changes, 1 compilations: [+-]\d+ MB, ",
            slow,
        ),
        case("benchmarks/equal_quality.py", "--prompts 4", rf"\| ours, compiled: .*\| {NUMBER} \| {NUMBER} \|", slow),
        case(
            "benchmarks/accuracy.py",
            "--prompts 2 --batch 2 --drawings 8 --seeds 0",
            rf"TCD-LoRA, 4 steps, seed 0 *\|.*{NUMBER}",
            slow,
        ),
        case(
            "benchmarks/family.py",
            "--part t2i_canny --cases 2",
            rf"\| TCD-LoRA, with, scale 1 \|.* {NUMBER} \|\n",
            slow,
        ),
        case(
            "benchmarks/kernels.py",
            "--model shapes --only silu --kinds stock --rounds 1",
            rf"\nsilu[^\n]* {NUMBER} +{NUMBER} \( *{NUMBER}\)",
            parity,
        ),
        case(
            "benchmarks/unet_step.py",
            "--latent 8 --rounds 1 --only ours,",
            rf"\| ours, compiled before \| {NUMBER} \|",
            parity,
            slow,
        ),
        case("benchmarks/image.py", "--rounds 1 --only ours,", rf"\| ours, compiled \| {NUMBER} \|", parity, slow),
        case(
            "benchmarks/openvino_int8.py",
            "--prompts 1 --calibration 2 --rounds 1 --only OpenVINO",
            rf"\| OpenVINO int8, f32 \| {NUMBER} \|",
            parity,
            slow,
            pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="needs the [openvino] extra"),
        ),
        case("benchmarks/scaling.py", "--latents 8 --batches 1 --rounds 1", r": \d+ GFLOP/s$", parity, slow),
    ],
)
def test_a_script_runs_to_its_end(script, arguments, printed):
    said = run(script, *arguments)
    assert re.search(printed, said, re.MULTILINE), said


@pytest.mark.slow
def test_the_images_of_the_readme(tmp_path):
    run("tools/shapes/readme_images.py", "--example", "inpainting", "--out", tmp_path)
    assert [path.name for path in (tmp_path / "uses").iterdir()] == ["inpainting.png"]
    run("tools/shapes/readme_images.py", "--only-model", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"red-circle.png", "steps.png", "prompts.png", "uses"}


STEP = "--steps", 1, "--batch", 2, "--threads", 1


@pytest.mark.parity
@pytest.mark.slow
def test_the_shapes_model_is_trained_and_put_together(tmp_path):
    vae, latents, teacher, folder = (tmp_path / name for name in ("vae", "latents", "teacher", "folder"))
    loras = {method: tmp_path / method for method in ("tcd", "lcm")}
    run("tools/shapes/train_vae.py", *STEP, "--out", vae)
    run("tools/shapes/cache_latents.py", "--vae", vae, "--out", latents, "--chunks", 1, "--images", 8)
    run("tools/shapes/train_teacher.py", *STEP, "--latents", latents, "--out", teacher)
    common = *STEP, "--teacher", teacher, "--latents", latents, "--rank", 2
    run("tools/shapes/distill.py", "tcd", *common, "--out", loras["tcd"])
    run("tools/shapes/distill.py", "lcm", *common, "--init", loras["tcd"], "--out", loras["lcm"])
    options = [option for name, path in loras.items() for option in ("--lora", f"{name}={path}")]
    run("tools/shapes/assemble.py", "--vae", vae, "--teacher", teacher, *options, "--out", folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    shipped = {path.relative_to(SHAPES_FOLDER).as_posix() for path in SHAPES_FOLDER.rglob("*") if path.is_file()}
    assert {name for name in shipped if name.endswith((".safetensors", ".json"))} <= found


@pytest.mark.parity
@pytest.mark.slow
def test_a_lora_is_sharpened(tmp_path):
    source = "--teacher", SHAPES_FOLDER, "--vae", SHAPES_FOLDER / "vae", "--init", SHAPES_FOLDER / "tcd_lora"
    run("tools/shapes/sharpen.py", "tcd", *STEP, *source, "--rounds", 1, "--images", 4, "--out", tmp_path / "sharp")
    assert (tmp_path / "sharp" / "pytorch_lora_weights.safetensors").is_file()


@pytest.mark.parity
@pytest.mark.slow
def test_the_family_is_trained_and_put_together(tmp_path):
    latents, family = tmp_path / "latents", tmp_path / "family"
    run("tools/shapes/cache_latents.py", "--vae", SHAPES_FOLDER / "vae", "--out", latents, "--chunks", 1, "--images", 8)
    folders = {path.name: tmp_path / path.name for path in FAMILY_FOLDER.iterdir()}
    trained = {
        "controlnet_canny": ("train_control.py", "controlnet", "canny"),
        "controlnet_depth": ("train_control.py", "controlnet", "depth"),
        "t2i_canny": ("train_control.py", "t2i", "canny"),
        "inpainting": ("train_inpainting.py", "--images", 8),
        "style_badge": ("train_style.py", "--images", 8),
        "lcm_unet": ("train_embedded.py",),
        "tiny_vae": ("train_tiny_vae.py", "--images", 8),
    }
    for name, (script, *arguments) in trained.items():
        run(f"tools/shapes/{script}", *arguments, *STEP, "--latents", latents, "--out", folders[name])
    for part, *arguments in (("encoder",), ("adapter", "--images", 8)):
        adapter = "tools/shapes/train_ip_adapter.py", part, *arguments, *STEP, "--latents", latents
        run(*adapter, "--out", folders["ip_adapter"])
    options = [option for name, path in folders.items() for option in ("--part", f"{name}={path}")]
    run("tools/shapes/assemble_family.py", *options, "--out", family)
    found, shipped = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (family, FAMILY_FOLDER)
    )
    assert found == shipped


@pytest.mark.parity
@pytest.mark.slow
def test_a_controlnet_is_trained_on_its_own_trajectories(tmp_path):
    latents = tmp_path / "latents"
    run("tools/shapes/cache_latents.py", "--vae", SHAPES_FOLDER / "vae", "--out", latents, "--chunks", 1, "--images", 8)
    start = "--init", FAMILY_FOLDER / "controlnet_canny", "--own", 2
    control = "tools/shapes/train_control.py", "controlnet", "canny", *STEP, "--latents", latents
    run(*control, *start, "--out", tmp_path / "own")
    assert (tmp_path / "own" / "diffusion_pytorch_model.safetensors").is_file()
