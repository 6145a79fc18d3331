"""Endless, seeded streams of bad input, one for each family, for ``tools/fuzz.py``."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import adapter_files
import model_folders
import numpy as np
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.shapes.folder import SHAPES_FOLDER


class Changed(Exception):
    """A refused adapter file changed the pipeline."""


@dataclass(frozen=True)
class Case:
    """One input: its description, and the function that gives it to the package."""

    name: str
    run: Callable[[], object]


opened: list[str] = []
"""The forbidden events that the current input caused; :func:`note` fills the list."""

_PAYLOAD = "fuzz_payload"
_UNWANTED = {_PAYLOAD, "this", "antigravity", "turtle", "smtpd"}


def note(event: str, args: tuple) -> None:
    """An audit hook that records imports of unwanted modules, opened payload files, and unpickling."""
    if event == "import" and str(args[0]).partition(".")[0] in _UNWANTED:
        opened.append(f"import {args[0]}")
    elif event == "open" and f"{_PAYLOAD}.py" in str(args[0]) and args[1] in ("r", "rb"):
        opened.append(f"open {args[0]}")
    elif event == "pickle.find_class" and args[0].partition(".")[0] in _UNWANTED:
        opened.append(f"unpickle {args[0]}.{args[1]}")


ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 4, 50, 51, 10**12, 10**400, 0.3, -0.5, 1e308, float("nan"), float("inf"), "", "4",
    "a red circle", "\x00", "\x1b[2J", "\ud800", "‮", "蓝色背景上的红色圆形", "x" * 10_000, [], [1], (64, 64), (0, 128),
    (8192, 8192), (1, 2, 3), {}, b"bytes", object, ..., 1j,
)  # fmt: skip
"""Values of many types. Some arguments accept some of them."""


def requests(seed: int, folder: Path) -> Iterator[Case]:
    """arguments of a loaded pipeline, checked before any work"""
    from mindone_tcd.files.model_folder import find_model
    from mindone_tcd.generate.recipes import recipe
    from mindone_tcd.generate.request import make_request

    dice = random.Random(seed)
    model = find_model("shapes")
    names = ("negative_prompt", "seed", "count", "steps", "guidance_scale", "eta", "size")
    while True:
        chosen = {name: dice.choice(ODD) for name in dice.sample(names, dice.randrange(4))}
        prompt = dice.choice(ODD) if dice.random() < 0.3 else _prompt(dice)
        method = dice.choice(("tcd", "lcm"))
        yield Case(
            f"{method} {prompt!r} {chosen!r}",
            lambda m=method, p=prompt, c=chosen: make_request(model, recipe(m, model), p, **c),
        )


def _prompt(dice: random.Random) -> str:
    words = "a red circle on grey background above 红色 的 圆形 ， to left of 🙂"
    return " ".join(dice.choices([*words.split(), "\x07"], k=dice.randrange(12)))


class _Reached(Exception):
    """Raised where the command would load the model."""


def command(seed: int, folder: Path) -> Iterator[Case]:
    """arguments of the command mindone-tcd, up to the point where it loads the model"""
    from mindone_tcd import cli

    dice = random.Random(seed)
    flags = (
        *("--steps", "--seed", "--count", "--eta", "--guidance", "--size", "--method", "--model", "--lora", "--dtype"),
        *("--negative", "--out", "--hub", "--grid", "--compile", "--overwrite", "--nonsense", "--preview"),
        *("--image", "--mask", "--strength", "--control", "--t2i", "--reference", "--style", "--frames", "--motion"),
        *("--controlnet", "--t2i-adapter", "--ip-adapter", "--motion-adapter", "--depth-model", "--save-control"),
    )
    values = (
        *("0", "-1", "4", "51", "1e400", "nan", "0x10", "", " ", "tcd", "lcm", "none", "shapes", "/", "/dev/null", "."),
        *("canny:x.png", "canny:", ":", "canny:/dev/null:2", "depth-map:.", "a=b", "=", "badge:nan", "badge:0.5"),
        *("~nobody/x", "a/b", "x.png", "no/such/x.png", "128x", "64x64", "٤", "\ud800", "-", "--", "\n", "é" * 300),
    )

    def run(argv: list[str]) -> None:
        def reached(*_: object, **__: object) -> None:
            raise _Reached

        printed = io.StringIO()
        with (
            mock.patch.object(cli.pipeline, "load", reached),
            contextlib.redirect_stderr(printed),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.chdir(folder),
            warnings.catch_warnings(),
        ):
            try:
                status = cli.main(argv)
            except SystemExit as error:
                status = error.code
        text = printed.getvalue()
        if status == 2:
            raise UsageError(" ".join(text.split("\n")) if text.count("\n") < 8 else text)
        if "unexpected" in text and "_Reached" not in text:
            raise RuntimeError(text)

    while True:
        argv = [dice.choice(("generate", "info", "generate", "genrate"))]
        argv += [dice.choice(("a red circle on a blue background", *values))] * (dice.random() < 0.95)
        for flag in dice.sample(flags, dice.randrange(4)):
            argv += [flag] if flag in ("--grid", "--compile", "--overwrite") else [flag, dice.choice(values)]
        yield Case(repr(argv), lambda argv=argv: run(argv))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def records(seed: int, folder: Path) -> Iterator[Case]:
    """PNG files with damaged or hostile metadata"""
    from mindone_tcd.generate.again import plan_again
    from mindone_tcd.generate.png_record import read_record
    from mindone_tcd.generate.record_text import KEY

    dice = random.Random(seed)
    sound = {
        "prompt": "a red circle", "negative_prompt": None, "steps": 4, "guidance_scale": 0.0, "eta": 0.3, "width": 128,
        "height": 128, "seed": 0, "batch_seeds": [0], "model": "shapes", "method": "tcd", "lora": "shipped",
        "dtype": "float32", "compile": False, "device": "CPU", "kernels": "stock", "versions": {"mindspore": "2.7.1"},
    }  # fmt: skip
    source = {"slot": "image", "kind": "", "name": "in.png", "sha256": "0" * 64, "scale": None}
    part = {"role": "style", "kind": "badge", "name": "x", "from": "folder", "sha256": None, "weight": 1.0}
    more = {"task": "image-to-image", "strength": 0.6, "inputs": [source], "parts": [part]}
    path = folder / "image.png"

    def run(content: bytes) -> object:
        path.write_bytes(content)
        return plan_again(read_record(path), path)

    while True:
        record: Any = {**sound, **(more if dice.random() < 0.5 else {})}
        for entry in (record.get("inputs", [{}])[0], record.get("parts", [{}])[0]):
            if entry and dice.random() < 0.5:
                field = dice.choice(list(entry))
                record = json.loads(
                    json.dumps(record).replace(json.dumps(entry), json.dumps({**entry, field: _odd(dice)}))
                )
        record = {**record, **{dice.choice(list(sound)): dice.choice(model_folders.WRONG) for _ in range(2)}}
        text = json.dumps(record).encode()
        change = dice.randrange(6)
        if change == 0:
            text = b"[" * dice.randrange(1, 200_000)
        elif change == 1:
            text = text[: dice.randrange(len(text))]
        elif change == 2:
            text = text.replace(b"{", b'{"prompt": "twice", ', 1)
        size = struct.pack(">IIBBBBB", dice.choice((*[128] * 12, 0, 1 << 31, 1 << 16)), 128, 8, 2, 0, 0, 0)
        body = KEY.encode() + b"\0\0\0\0\0" + text
        if dice.random() < 0.2:
            body = KEY.encode() + b"\0\1\0\0\0" + zlib.compress(bytes(dice.randrange(1, 1 << 22)))
        chunks = [_chunk(b"IHDR", size)] + [_chunk(b"iTXt", body)] * dice.choice((*[1] * 12, 2, 70))
        content = bytearray(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""))
        for _ in range(dice.choice((*[0] * 12, 1, 8))):
            content[dice.randrange(len(content))] = dice.randrange(256)
        if dice.random() < 0.1:
            del content[dice.randrange(len(content)) :]
        yield Case(f"record {record!r}, change {change}", lambda content=bytes(content): run(content))


def _odd(dice: random.Random) -> object:
    """A value that JSON can hold, for a field of a record."""
    return dice.choice(
        (None, True, -1, 10**30, 0.5, "", "../x.png", "/etc/hostname", "http://127.0.0.1:9/x.png", [], {})
    )


def inputs(seed: int, folder: Path) -> Iterator[Case]:
    """images, masks and numbers of a task, checked before any work"""
    from mindone_tcd.files.images import open_mask
    from mindone_tcd.generate.any_record import read_any_record
    from mindone_tcd.generate.loaded import read_inputs
    from mindone_tcd.generate.plan import plan

    dice = random.Random(seed)
    setup = plan("image-to-image", "shapes", "tcd", None)
    sound = {}
    for suffix, mode in (("png", "RGBA"), ("jpeg", "RGB"), ("gif", "P"), ("bmp", "RGB"), ("webp", "RGB")):
        stream = io.BytesIO()
        Image.effect_noise((24, 20), 60).convert(mode).save(stream, suffix)
        sound[suffix] = stream.getvalue()
    path = folder / "input.png"

    def run(content: bytes, call: Callable[[Path], object]) -> object:
        path.write_bytes(content)
        return call(path)

    while True:
        if dice.random() < 0.5:
            content = bytearray(sound[dice.choice(list(sound))])
            for _ in range(dice.choice((0, 1, 4, 30))):
                content[dice.randrange(len(content))] = dice.randrange(256)
            if dice.random() < 0.3:
                del content[dice.randrange(len(content)) :]
            call = dice.choice((lambda p: read_inputs(setup, {"image": p}), open_mask, read_any_record))
            yield Case("a damaged image", lambda content=bytes(content), call=call: run(content, call))
        else:
            names = ("image", "strength", "mask", "control", "frames", "nonsense")
            given = {name: dice.choice(ODD) for name in dice.sample(names, dice.randrange(1, 4))}
            yield Case(f"inputs {given!r}", lambda given=given: read_inputs(setup, given))


def folders(seed: int, folder: Path) -> Iterator[Case]:
    """model folders with one damage each, checked before MindSpore is imported"""
    from mindone_tcd.files.model_folder import find_model

    turn = 0
    while True:
        for damage in model_folders.damages(seed + turn, values=4):
            place = folder / "model"

            def run(damage: model_folders.Damage = damage, place: Path = place) -> None:
                try:
                    damage.apply(model_folders.copy(place))
                    find_model(str(place))
                finally:
                    shutil.rmtree(place, ignore_errors=True)

            yield Case(damage.name, run)
        turn += 1


def classes(seed: int, folder: Path) -> Iterator[Case]:
    """model folders whose files name code, modules and files that no model may use"""
    from mindone_tcd.files.model_folder import find_model

    dice = random.Random(seed)
    sys.path.append(str(folder))
    (folder / f"{_PAYLOAD}.py").write_text("raise SystemExit('the payload ran')\n")
    names = (_PAYLOAD, f"../{_PAYLOAD}", "this", "os", "builtins", "diffusers", "transformers", "diffusers.utils",
             "mindone.diffusers", "stable_diffusion", "", "..", None, 3, ["this"], "p" * 10_000)  # fmt: skip
    kinds = ("Scheduler", "eval", "system", "__class__", "UNet2DConditionModel", "pipeline", "os", "a.b", "", None, 7)
    source = json.loads((SHAPES_FOLDER / "model_index.json").read_text())

    def run(change: Callable[[Path], None]) -> None:
        place = folder / "model"
        try:
            model_folders.copy(place)
            shutil.copyfile(folder / f"{_PAYLOAD}.py", place / f"{_PAYLOAD}.py")
            change(place)
            opened.clear()  # the lines above opened files too
            find_model(str(place))
        finally:
            shutil.rmtree(place, ignore_errors=True)

    while True:
        entry = dice.choice(([dice.choice(names), dice.choice(kinds)], dice.choice(names), [dice.choice(names)]))
        key = dice.choice((*source, "_class_name", "image_encoder", f"../{_PAYLOAD}", "auto_map"))
        file = dice.choice(("model_index.json", "unet/config.json", "tokenizer/tokenizer_config.json"))

        def change(place: Path, file: str = file, key: str = key, entry: Any = entry) -> None:
            path = place / file
            path.write_text(json.dumps({**json.loads(path.read_text()), key: entry}))

        yield Case(f"{file}: {key} = {entry!r}"[:300], lambda change=change: run(change))


def tensors(seed: int, folder: Path) -> Iterator[Case]:
    """damaged safetensors files, read as adapter files"""
    from mindone_tcd.adapters.files import read_safetensors

    rng = np.random.default_rng(seed)
    sound = {f"unet.block.{k}.lora_A.weight": rng.normal(size=(4, 8)).astype(np.float32) for k in range(6)}
    path = folder / "adapter.safetensors"

    def run(content: bytes) -> object:
        path.write_bytes(content)
        return read_safetensors(path)

    for name, content in adapter_files.mutations(rng, sound):
        yield Case(name, lambda content=content: run(content))


def adapters(seed: int, folder: Path) -> Iterator[Case]:
    """damaged LoRA, IP-Adapter and motion files, loaded into tiny pipelines on MindSpore"""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "adapters"))
    import fuzz_files

    fuzzer = fuzz_files.Fuzzer(folder, seed)

    def run(number: int) -> None:
        result = fuzzer.next(number)
        if result.changed:
            raise Changed(f"{result.source}, {result.mutation}: {'; '.join(result.changed)}")
        if result.error is not None:
            raise result.error

    number = 0
    while True:
        yield Case(f"adapter file {number}", lambda number=number: run(number))
        number += 1


def exports(seed: int, folder: Path) -> Iterator[Case]:
    """exported folders with a damaged or hostile manifest, and MindIR files"""
    from mindone_tcd.deploy.mindir import model_proto, read_graph
    from mindone_tcd.generate.plan import plan

    dice = random.Random(seed)
    networks = ("text_encoder", "unet", "unet_controlled", "controlnet_0", "vae_decoder", "vae_encoder")
    part = {"role": "controlnet", "kind": "canny", "name": "x", "from": "folder", "sha256": None, "weight": 1.0}
    value = {"name": "x", "shape": [1, 4], "dtype": "float32"}
    sound = {
        "format": "mindone-tcd export 1", "family": "SD", "dtype": "float32", "vae_dtype": "float32", "batch": 1,
        "model": {"sample_size": 64, "vae_scale": 8, "cross_attention_dim": 8, "prediction_type": "epsilon",
                  "guidance_embedded": False},
        "recipe": {"method": "tcd", "steps": 4, "guidance_scale": 0.0, "eta": 0.3},
        "record": {"model": "m", "model_from": "folder", "model_sha256": None, "method": "tcd", "lora": None,
                   "lora_from": None, "lora_sha256": None, "parts": [part]},
        "settings": {"scaling_factor": 0.2, "latent_channels": 4, "latents_mean": None, "latents_std": None,
                     "zero_negative": False, "guidance_width": None},
        "scheduler": {}, "versions": {}, "sizes": [[64, 64]],
        "graphs": [{"part": name, "size": [64, 64], "file": f"{name}.mindir", "weights": None, "inputs": [value],
                    "outputs": [value]} for name in networks],
        "files": {f"{name}.mindir": "ab" * 32 for name in networks},
    }  # fmt: skip
    proto = model_proto()
    proto.primitives.add(name="MatMul:1", op_type="MatMul")
    proto.graph.node.add(op_type="REF::MatMul:1", name="a")
    graph = proto.SerializeToString()
    path = folder / "graph.mindir"

    def read(content: bytes) -> object:
        path.write_bytes(content)
        return read_graph(path)

    def planned(content: str, task: str) -> object:
        (folder / "manifest.json").write_text(content, encoding="utf-8", errors="surrogatepass")
        return plan(task, folder)

    while True:
        if dice.random() < 0.3:
            damaged = bytearray(graph)
            for _ in range(dice.randrange(1, 6)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            content = bytes(damaged[: dice.choice((len(damaged), dice.randrange(len(damaged))))])
            yield Case(f"MindIR {content!r}", lambda content=content: read(content))
            continue
        manifest: Any = json.loads(json.dumps(sound))
        for _ in range(dice.randrange(1, 3)):
            place = manifest
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                key = dice.choice(keys) if keys else None
                if key is None or not isinstance(place[key], dict | list) or dice.random() < 0.3:
                    break
                place = place[key]
            if key is not None:
                place[key] = _odd(dice)
        text = json.dumps(manifest)
        task = dice.choice(("text-to-image", "controlnet", "image-to-image"))
        yield Case(f"{task} {text[:300]}", lambda text=text, task=task: planned(text, task))


FAMILIES: dict[str, Callable[[int, Path], Iterator[Case]]] = {
    family.__name__: family
    for family in (requests, command, records, inputs, folders, classes, tensors, exports, adapters)
}
SLOW = {"adapters"}
"""Families that load a model. They get more time."""
