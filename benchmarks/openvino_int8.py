"""Compare int8 networks with float ones: MindSpore's weights in int8, and OpenVINO's models quantized by NNCF.

    python benchmarks/openvino_int8.py [--control] [--prompts 96]   # the shipped model: needs the [openvino] extra
    python benchmarks/openvino_int8.py --model sd15 --apart --calibration 4 --prompts 0

All sides have the same weights, with the LoRA fused, and the same inputs. As in the OpenVINO guides, NNCF quantizes
weights and activations of the UNet, and of the ControlNet with `--control`, with 200 recorded inputs of 4-step images
as calibration data. Each side has its own process. They alternate, and the script compares the medians of 5 turns. A
step is one call of the UNet, with `--control` of both networks. Then each side generates the same images, which the
judge counts, and which are compared with those of the float side of the same framework. sd15 has the dimensions of
Stable Diffusion 1.5 and random weights, so it has no images. "MB" is the size of the networks' files: weights in
float16, or in int8. "processor" is the time of all threads together, which other programs affect less.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import THREADS, Contestant, machine, table
from PIL import Image
from sizes import SIZES, TIMESTEP, add_folder, inputs, unet_folder

from mindone_tcd.compare.metrics import judged, similarity
from mindone_tcd.compare.prompts import unseen_scenes
from mindone_tcd.shapes import maps
from mindone_tcd.shapes.drawing import draw
from mindone_tcd.shapes.grammar import Scene, caption, random_scene
from mindone_tcd.shapes.models import model as shipped_folder

STEPS = 4
ETA = 0.3
WEIGHTS = "diffusion_pytorch_model.safetensors"
CONTROLNET = "controlnet-canny"
TOKENS = 32
"""The number of tokens of a prompt in the shipped pipeline."""
FIRST_CALIBRATION_SEED = 100_000
"""The seeds of the calibration images, which no other image has."""

Case = tuple[str, np.ndarray | None, int]
"""A prompt, the drawing that the ControlNet follows, and a seed."""


def cases_of(scenes: list[Scene], control: bool, first: int) -> list[Case]:
    """The calls for scenes. A ControlNet's prompts name neither a size nor a position."""
    found: list[Case] = []
    for k, scene in enumerate(scenes):
        drawing = None
        if control:
            pixels = draw(scene, 128, np.random.default_rng([first + k, 7]))
            drawing = (pixels * 255).round().clip(0, 255).astype(np.uint8)
            scene = replace(scene, size=None, position=None)
        found.append((caption(scene), drawing, first + k))
    return found


def step_inputs(model: str, control: bool) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The inputs of a step: sample, timestep, prompt embeddings and what is added to them; the map of a ControlNet."""
    sample, states, *added = inputs(model, 1, SIZES[model].latent).values()
    if model == "shipped":  # OpenVINO's models have the shapes of the pipeline
        states = np.random.default_rng(1).standard_normal((1, TOKENS, states.shape[-1]), np.float32)
    drawing = draw(random_scene(np.random.default_rng(0), 0.0), 128)
    hint = maps.edges((drawing * 255).astype(np.uint8)).astype(np.float32).transpose(2, 0, 1)[None] / 255
    return [sample, np.array(TIMESTEP, np.int64), states, *added], hint if control else None


def call(unet: Callable, controlnet: Callable | None, tensors: list[Any], hint: Any) -> Any:
    """One step, in either framework. The named arguments have the order of diffusers' pipelines."""
    sample, timestep, states, *added = tensors
    last: dict[str, Any] = {"return_dict": False}
    if added:
        last = {"added_cond_kwargs": dict(zip(("text_embeds", "time_ids"), added, strict=True)), **last}
    more: dict[str, Any] = {}
    if controlnet is not None:
        down, mid = controlnet(
            sample, timestep, encoder_hidden_states=states, controlnet_cond=hint, conditioning_scale=1.0, **last
        )
        more = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    return unet(sample, timestep, encoder_hidden_states=states, **more, **last)[0]


def files_size(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def weight_files(folder: str, control: bool) -> list[Path]:
    return [Path(folder) / WEIGHTS, *([shipped_folder(CONTROLNET) / WEIGHTS] if control else [])]


def with_processor_time(run: Callable[[], np.ndarray]) -> Callable[[], tuple[np.ndarray, float]]:
    """A function that also returns the processor seconds of all threads."""

    def timed() -> tuple[np.ndarray, float]:
        before = time.process_time()
        result = run()
        return result, time.process_time() - before

    return timed


def turn(side: Contestant) -> tuple[float, float]:
    """The seconds and the processor seconds of a step: medians of four, after one that wakes up the threads."""
    seconds, (_, used) = side.run("step")
    if seconds >= 1:
        return seconds, used
    runs = [side.run("step") for _ in range(4)]
    return statistics.median(run[0] for run in runs), statistics.median(run[1][1] for run in runs)


def images_of(cases: list[Case], generate: Callable[[Case], np.ndarray]) -> Callable[[], np.ndarray]:
    """A function that generates the image of the next case at each call, uint8 (H, W, 3)."""
    left = iter(cases)
    return lambda: generate(next(left))


class TorchPipeline:
    """The shipped model in diffusers, with its TCD-LoRA fused, and a ControlNet."""

    def __init__(self, control: bool) -> None:
        from family import TorchBackend

        self.backend = TorchBackend(THREADS)
        parts, name = {}, "StableDiffusionXLPipeline"
        if control:
            name = "StableDiffusionXLControlNetPipeline"
            parts["controlnet"] = self.backend.network("ControlNetModel", shipped_folder(CONTROLNET))
        self.pipe = self.backend.pipeline(name, "tcd", **parts)
        self.pipe.fuse_lora()
        self.pipe.unload_lora_weights()
        self.unet, self.controlnet = self.pipe.unet, parts.get("controlnet")

    def generate(self, case: Case) -> np.ndarray:
        from mindone_tcd.random import generator

        prompt, drawing, seed = case
        options: dict[str, Any] = {"num_inference_steps": STEPS, "guidance_scale": 0.0, "eta": ETA}
        if drawing is not None:
            options.update(image=[Image.fromarray(maps.edges(drawing))], controlnet_conditioning_scale=1.0)
        found = self.backend.call(self.pipe, [generator(seed)], prompt=[prompt], **options)[0]
        return (found * 255).round().astype(np.uint8)


def prepare(model: str, folder: str, control: bool, count: int, place: str) -> dict:
    """Write the OpenVINO models, in float16 and in int8."""
    import diffusers
    import torch
    from openvino_side import recorded, store

    torch.set_num_threads(THREADS)
    if model != "shipped":
        unet = diffusers.UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
        tensors = [torch.from_numpy(np.asarray(each)) for each in step_inputs(model, False)[0]]
        calls = []
        for k in range(count):
            noise = torch.from_numpy(np.random.default_rng(k).standard_normal(tensors[0].shape, np.float32))
            timestep = torch.tensor(999 - 1000 // STEPS * (k % STEPS))
            calls.append(((noise, timestep), {"encoder_hidden_states": tensors[2], "return_dict": False}))
        store(unet, calls, Path(place) / "unet.xml")
        return {}
    pipeline = TorchPipeline(control)
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng, 0.0 if control else 0.2) for _ in range(-(-count // STEPS))]
    networks = {"unet": pipeline.unet, **({"controlnet": pipeline.controlnet} if control else {})}
    with contextlib.ExitStack() as stack:
        calls_of = {name: stack.enter_context(recorded(network)) for name, network in networks.items()}
        for case in cases_of(scenes, control, FIRST_CALIBRATION_SEED):
            pipeline.generate(case)
    for name, network in networks.items():
        store(network, calls_of[name][:count], Path(place) / f"{name}.xml")
    return {}


def torch_side(model: str, folder: str, control: bool, cases: list[Case]) -> dict:
    """diffusers on torch, eager."""
    import diffusers
    import torch

    torch.set_num_threads(THREADS)
    tensors, hint = step_inputs(model, control)
    arguments = [torch.from_numpy(np.asarray(each)) for each in tensors]
    mapped = None if hint is None else torch.from_numpy(hint)
    found: dict[str, Callable] = {}
    if model == "shipped":
        pipeline = TorchPipeline(control)
        unet, controlnet = pipeline.unet, pipeline.controlnet
        found["image"] = images_of(cases, pipeline.generate)
    else:
        unet = diffusers.UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
        controlnet = None

    def step() -> np.ndarray:
        with torch.no_grad():
            return call(unet, controlnet, arguments, mapped).numpy()

    return {
        "step": with_processor_time(step),
        **found,
        "size": lambda: files_size(weight_files(folder, control)),
        "precision": lambda: "f32",
    }


def openvino_side(
    model: str, folder: str, control: bool, cases: list[Case], place: str, narrow: bool, precision: str
) -> dict:
    """OpenVINO, with the models that `prepare` wrote. The other networks of the pipeline run in torch."""
    from openvino_side import stored, tensors_of

    end = "-int8" if narrow else ""
    paths = {name: Path(place) / f"{name}{end}.xml" for name in ("unet", *(["controlnet"] if control else []))}
    runs = {name: stored(path, precision) for name, path in paths.items()}
    tensors, hint = step_inputs(model, control)
    unet = runs["unet"][0]
    found: dict[str, Callable] = {}

    def step() -> np.ndarray:
        residuals = []
        if hint is not None:
            residuals = runs["controlnet"][0]([*tensors[:3], hint, *tensors[3:]])
        return unet([*tensors[:3], *residuals, *tensors[3:]])[0]

    if model == "shipped":
        import torch

        pipeline = TorchPipeline(control)

        def through(name: str) -> Callable:
            def forward(*args: Any, **kwargs: Any) -> Any:
                given = [tensor.numpy() for tensor in tensors_of((args, kwargs))[1]]
                outputs = [torch.from_numpy(each) for each in runs[name][0](given)]
                return (outputs[:-1], outputs[-1]) if name == "controlnet" else (outputs[0],)

            return forward

        pipeline.unet.forward = through("unet")
        if pipeline.controlnet is not None:
            pipeline.controlnet.forward = through("controlnet")
        found["image"] = images_of(cases, pipeline.generate)

    def size() -> float:
        return files_size([path.with_suffix(suffix) for path in paths.values() for suffix in (".xml", ".bin")])

    return {"step": with_processor_time(step), **found, "size": size, "precision": runs["unet"][1]}


def our_side(model: str, folder: str, control: bool, cases: list[Case], quantize: str | None) -> dict:
    """MindSpore, with the networks as compiled graphs."""
    import mindspore as ms

    from mindone_tcd import UNet2DConditionModel, load
    from mindone_tcd.compiled.graph import Part
    from mindone_tcd.quantize.files import save
    from mindone_tcd.quantize.network import quantize_network

    tensors, hint = step_inputs(model, control)
    found: dict[str, Callable] = {}
    controlnet = None
    if model == "shipped":
        # An installed graph serves the pipeline, too.
        pipe = load("controlnet" if control else "text-to-image", quantize=quantize)
        pipe.pipeline.set_progress_bar_config(disable=True)
        if quantize is None:
            pipe.pipeline.fuse_lora()
        unet, controlnet = pipe.pipeline.unet, getattr(pipe.pipeline, "controlnet", None)

        def generate(case: Case) -> np.ndarray:
            prompt, drawing, seed = case
            given = {} if drawing is None else {"control": Image.fromarray(drawing)}
            return np.asarray(pipe(prompt, seed=seed, steps=STEPS, eta=ETA, **given)[0].image)

        found["image"] = images_of(cases, generate)
    else:
        kind = ms.float16 if quantize else ms.float32  # as load reads a model that it quantizes
        unet = UNet2DConditionModel.from_pretrained(folder, mindspore_dtype=kind)
        unet.set_train(False)
        if quantize:
            quantize_network(unet, ms.float32)
    networks = [network for network in (unet, controlnet) if network is not None]
    parts = [Part(network, "O0") for network in networks]
    for part in parts:
        part.install()
    arguments = [ms.Tensor(each) for each in tensors]
    mapped = None if hint is None else ms.Tensor(hint)

    def calls() -> Iterator[np.ndarray]:
        with (
            contextlib.ExitStack() as stack
        ):  # inside it, as in an image, the model is checked only before the first step
            for part in parts:
                stack.enter_context(part.checked_once())
            while True:
                yield call(unet, controlnet, arguments, mapped).asnumpy()

    steps = calls()
    atexit.register(steps.close)

    def size() -> float:
        if quantize is None:
            return files_size(weight_files(folder, control))
        with tempfile.TemporaryDirectory() as place:
            files = [Path(place) / f"{k}.safetensors" for k in range(len(networks))]
            for network, file in zip(networks, files, strict=True):
                save(network, file)
            return files_size(files)

    step = with_processor_time(lambda: next(steps))
    return {"step": step, **found, "size": size, "precision": lambda: "f32"}


FLOATS = {
    "MindSpore int8": "MindSpore",
    "OpenVINO int8, f32": "OpenVINO, f32",
    "OpenVINO int8, default": "OpenVINO, f32",
}
"""For an int8 side, the float side to compare its images with."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("shipped", "sd15"), default="shipped")
    parser.add_argument("--control", action="store_true", help="with the shipped ControlNet for edges")
    parser.add_argument("--prompts", type=int, default=96, help="the number of images of each side; 0 for none")
    parser.add_argument("--calibration", type=int, default=200, help="the number of recorded inputs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apart", action="store_true", help="one side after the other, to save memory")
    parser.add_argument("--only", nargs="+", default=[""], help="sides whose name begins with this text, and torch")
    add_folder(parser)
    args = parser.parse_args()
    if args.model != "shipped" and (args.control or args.prompts):
        parser.error("only the shipped model has a ControlNet and images; leave out --control, and add --prompts 0")

    folder = unet_folder(args.model, args.folder)
    scenes = unseen_scenes(args.prompts, 0.0)[0] if args.prompts else []
    if args.control:
        scenes = [replace(scene, size=None, position=None) for scene in scenes]
    cases = cases_of(scenes, args.control, 0)
    given = (args.model, folder, args.control, cases)
    name = f"openvino-{args.model}{'-control' if args.control else ''}-{args.calibration}"
    with tempfile.TemporaryDirectory(prefix="mindone-tcd-openvino-") as temporary:
        place = temporary if args.folder is None else str(args.folder / name)
        entries = {
            "torch": (torch_side, given),
            "MindSpore": (our_side, (*given, None)),
            "MindSpore int8": (our_side, (*given, "int8")),
            "OpenVINO, f32": (openvino_side, (*given, place, False, "f32")),
            "OpenVINO int8, f32": (openvino_side, (*given, place, True, "f32")),
            "OpenVINO, default": (openvino_side, (*given, place, False, "")),
            "OpenVINO int8, default": (openvino_side, (*given, place, True, "")),
        }
        entries = {name: each for name, each in entries.items() if name.startswith(("torch", *args.only))}
        print(machine("mindspore", "mindone", "torch", "diffusers", "openvino", "nncf"))
        how = "one side after the other" if args.apart else "alternating"
        what = f"{args.model}{' with a ControlNet' if args.control else ''}"
        print(f"{what}, batch 1, medians of {args.rounds} rounds, {how}; {args.calibration} calibration inputs")
        there = (Path(place) / "done").exists()
        if any(name.startswith("OpenVINO") for name in entries) and not there:
            Path(place).mkdir(parents=True, exist_ok=True)
            Contestant(prepare, args.model, folder, args.control, args.calibration, place).close()
            (Path(place) / "done").touch()
        groups = [dict([one]) for one in entries.items()] if args.apart else [entries]
        results = {}
        for group in groups:
            results |= measured(group, args.rounds, len(cases))
    show(results, scenes)


def measured(entries: dict[str, tuple], rounds: int, images: int) -> dict[str, dict[str, Any]]:
    """The measurements of sides that alternate."""
    with tempfile.TemporaryDirectory(prefix="mindone-tcd-graphs-") as graphs:
        fresh = {"MINDONE_TCD_CACHE": graphs}
        sides = {name: Contestant(make, *given, environment=fresh) for name, (make, given) in entries.items()}
        found: dict[str, dict[str, Any]] = {name: {"images": []} for name in sides}
        for name, side in sides.items():
            found[name]["result"] = side.run("step")[1][0]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                times[name].append(turn(side))
        for _ in range(images):
            for name, side in sides.items():
                found[name]["images"].append(side.run("image")[1])
        for name, side in sides.items():
            notes = {note: side.run(note)[1] for note in ("size", "precision")}
            seconds, used = (statistics.median(values) for values in zip(*times[name], strict=True))
            found[name] |= {**notes, "seconds": seconds, "processor": used, "peak": side.close()}
    return found


def show(results: dict[str, dict[str, Any]], scenes: list[Scene]) -> None:
    """Print the table."""
    torchs, rows = results["torch"], []
    for name, one in results.items():
        base = results.get(FLOATS.get(name, ""))
        row = [
            f"{name} ({one['precision']})" if name.endswith("default") else name,
            f"{1e3 * one['seconds']:.1f}",
            f"{one['seconds'] / torchs['seconds']:.2f}",
            "" if base is None else f"{one['seconds'] / base['seconds']:.2f}",
            f"{1e3 * one['processor']:.1f}",
            f"{one['processor'] / torchs['processor']:.2f}",
            "" if base is None else f"{one['processor'] / base['processor']:.2f}",
            f"{one['size']:.1f}",
            f"{one['peak']:.0f}",
            f"{abs(one['result'] - torchs['result']).max():.1e}",
        ]
        if scenes:
            counts = judged(one["images"], scenes)
            row += [f"{100 * counts.right / counts.images:.1f}", f"{100 * counts.strict / counts.images:.1f}"]
            row += [""] * 3 if base is None else alike(base["images"], one["images"])
        rows.append(row)
    head = [
        "step",
        "ms",
        "times torch",
        "times float",
        "processor, ms",
        "times torch",
        "times float",
        "MB",
        "peak memory, MB",
        "largest difference from torch",
    ]
    if scenes:
        head += ["right, %", "right at 0.9, %", "PSNR, dB", "SSIM", "mean difference, of 255"]
    table(head, rows)


def alike(expected: list[np.ndarray], found: list[np.ndarray]) -> list[str]:
    one = similarity(expected, found)
    psnr = statistics.median(one.psnr)
    return ["equal" if math.isinf(psnr) else f"{psnr:.1f}", f"{statistics.fmean(one.ssim):.4f}", f"{one.mean:.3f}"]


if __name__ == "__main__":
    main()
