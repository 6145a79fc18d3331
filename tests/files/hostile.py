"""A program that loads models with code or pickles. Its argument is a folder to work in.

An audit hook records forbidden events: opened files, imports, executed code and unpickling. Each attack changes a copy
of the shipped model and defines how it is loaded. The output is one line of JSON with the outcome of each attack.
"""

import importlib
import json
import os
import pickle
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

PAYLOAD = "open('payload_ran', 'w').close()\nclass Scheduler: pass\nScheduler.from_pretrained = Scheduler\n"
UNWANTED = {"this", "p", "diffusers"}  # modules that no model needs: two of them installed
REFUSED, LOADED = "UsageError", "loaded"
ANY, SDXL, AUTO = "DiffusionPipeline", "StableDiffusionXLPipeline", "AutoPipelineForText2Image"


def index(**entries):
    return lambda folder: change(folder / "model_index.json", entries)


def config(file, **entries):
    return lambda folder: change(folder / file, entries)


def optional_part(folder):
    index(feature_extractor=["payload", "Scheduler"])(folder)
    (folder / "feature_extractor").mkdir()
    (folder / "feature_extractor" / "payload.py").write_text(PAYLOAD)


def only_pickle(file, name):
    def edit(folder):
        (folder / file).unlink()
        (folder / file).with_name(name).write_bytes(pickle.dumps(Unpickled()))

    return edit


def harmless(folder):
    """Code and pickles that no file names, and components that are links."""
    for name in ("None.py", "payload.py", "pipeline.py", "__init__.py", "scheduler/diffusers.py", "unet/diffusers.py"):
        (folder / name).write_text(PAYLOAD)
    for name in ("text_encoder/transformers.py", "tokenizer/transformers.py", "tokenizer/tokenization.py"):
        (folder / name).write_text(PAYLOAD)
    for name in ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin", "tokenizer/tokenizer.pkl"):
        (folder / name).write_bytes(pickle.dumps(Unpickled()))
    elsewhere = folder.with_name(f"{folder.name}_elsewhere")
    shutil.move(folder / "vae", elsewhere)
    (elsewhere / "diffusers.py").write_text(PAYLOAD)
    (folder / "vae").symlink_to(elsewhere, target_is_directory=True)


def tokenizer_of_code(folder):
    """A tokenizer whose class transformers reads from a configuration that names code."""
    change(folder / "tokenizer" / "tokenizer_config.json", {"tokenizer_class": None})
    text = {"model_type": "payload", "auto_map": {"AutoConfig": "payload.Config"}}
    (folder / "tokenizer" / "config.json").write_text(json.dumps(text))
    (folder / "tokenizer" / "payload.py").write_text(PAYLOAD)


def text_encoder_of_code(folder):
    change(folder / "text_encoder" / "config.json", {"auto_map": {"AutoConfig": "payload.Config"}})
    (folder / "text_encoder" / "payload.py").write_text(PAYLOAD)


class Unpickled:
    def __reduce__(self):
        return exec, (PAYLOAD,)


ENTRIES = {
    "module of the folder": ["payload", "Scheduler"],
    "module above the folder": ["../../payload2", "Scheduler"],
    "module of the current folder": ["payload_cwd", "Scheduler"],
    "installed module": ["this", "Zen"],
    "installed package": ["diffusers.utils", "logging"],
    "module in builtins": ["builtins", "eval"],
    "os": ["os", "system"],
    "attribute of mindone": ["mindone.diffusers", "os"],
    "function of transformers": ["transformers", "pipeline"],
    "dots": ["diffusers", "utils.os"],
    "dunder": ["diffusers", "__builtins__"],
    "dunder package": ["__builtins__", "eval"],
    "list of lists": [["payload", "Scheduler"], ["this", "Zen"]],
    "three": ["payload", "Scheduler", "x"],
    "none": [],
    "two letters": "pq",
    "long": ["p" * 100_000, "Scheduler"],
}

# Name: how it is loaded (class, folder or hub id, options), the changes, the required outcome.
ATTACKS = {
    **{f"scheduler: {name}": (ANY, "", {}, [index(scheduler=entry)], REFUSED) for name, entry in ENTRIES.items()},
    "optional part": (SDXL, "", {}, [optional_part], REFUSED),
    "part that is passed": (SDXL, "", {"unet": None}, [index(unet=["payload", "Scheduler"])], REFUSED),
    "explicit class": (SDXL, "", {}, [index(scheduler=["payload", "Scheduler"])], REFUSED),
    "auto pipeline": (AUTO, "", {}, [index(scheduler=["payload", "Scheduler"])], REFUSED),
    "part that is a path": (ANY, "", {}, [index(**{"../payload": ["diffusers", "AutoencoderKL"]})], REFUSED),
    "pipeline of code": (SDXL, "", {}, [index(_class_name=["payload", "Scheduler"])], REFUSED),
    "pipeline that is no class": (ANY, "", {}, [index(_class_name="os")], REFUSED),
    "pipeline of another library": (ANY, "", {}, [index(_class_name="CLIPTextModel")], REFUSED),
    "weird version": (ANY, "", {}, [index(_diffusers_version=["payload"])], REFUSED),
    "version that imports diffusers": (
        "StableDiffusionInpaintPipeline",
        "",
        {},
        [index(_class_name="StableDiffusionInpaintPipeline", _diffusers_version="0.5.0")],
        None,
    ),
    "custom pipeline": (ANY, "", {"custom_pipeline": "payload"}, [], REFUSED),
    "trusted code": (ANY, "", {"trust_remote_code": True}, [], REFUSED),
    "archive": (ANY, "", {"dduf_file": "model.dduf"}, [], REFUSED),
    "use_safetensors=False": (ANY, "", {"use_safetensors": False}, [], REFUSED),
    "code of a tokenizer": (ANY, "", {}, [tokenizer_of_code], REFUSED),
    "code of a text encoder": (ANY, "", {}, [text_encoder_of_code], REFUSED),
    "code of a text encoder alone": ("CLIPTextModel", "text_encoder", {}, [text_encoder_of_code], REFUSED),
    "a text encoder's code, trusted": ("CLIPTextModel", "text_encoder", {"trust_remote_code": True}, [], REFUSED),
    "another model of transformers": ("T5EncoderModel", "text_encoder", {}, [text_encoder_of_code], REFUSED),
    "tokenizer's file elsewhere": (
        ANY,
        "",
        {},
        [config("tokenizer/tokenizer_config.json", vocab_file="../payload_secret.json")],
        REFUSED,
    ),
    "shard elsewhere": (
        "UNet2DConditionModel",
        "unet",
        {},
        [
            lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(
                json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": "../../payload_secret.safetensors"}})
            )
        ],
        REFUSED,
    ),
    "model of any class": ("AutoModel", "", {"subfolder": "unet"}, [index(unet=["payload", "Scheduler"])], REFUSED),
    "code of a model of any class": ("AutoModel", "text_encoder", {}, [text_encoder_of_code], REFUSED),
    "class of a scheduler": (
        "TCDScheduler",
        "scheduler",
        {},
        [config("scheduler/scheduler_config.json", _class_name=["payload", "Scheduler"])],
        REFUSED,
    ),
    "pickle of a text encoder": (
        SDXL,
        "",
        {},
        [only_pickle("text_encoder/model.safetensors", "pytorch_model.bin")],
        REFUSED,
    ),
    "pickle of a unet": (
        "UNet2DConditionModel",
        "unet",
        {},
        [only_pickle("unet/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")],
        REFUSED,
    ),
    "checkpoint of a unet": (
        "UNet2DConditionModel",
        "unet",
        {},
        [only_pickle("unet/diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.ckpt")],
        REFUSED,
    ),
    "pickle of another model": (
        "T5EncoderModel",
        "text_encoder",
        {},
        [only_pickle("text_encoder/model.safetensors", "pytorch_model.bin")],
        REFUSED,
    ),
    "hub: module of the folder": (ANY, "hub", {}, [index(scheduler=["payload", "Scheduler"])], REFUSED),
    "hub: explicit class": (SDXL, "hub", {}, [index(scheduler=["../../payload2", "Scheduler"])], REFUSED),
    "hub: auto pipeline": (AUTO, "hub", {}, [index(scheduler=["this", "Zen"])], REFUSED),
    "hub: pipeline of code": (SDXL, "hub", {}, [index(_class_name=["payload", "Scheduler"])], REFUSED),
    "hub: code of a tokenizer": (ANY, "hub", {}, [tokenizer_of_code], REFUSED),
    "hub: code of a text encoder": (ANY, "hub", {}, [text_encoder_of_code], REFUSED),
    "hub: model of any class": (
        "AutoModel",
        "hub",
        {"subfolder": "unet"},
        [index(unet=["payload", "Scheduler"])],
        REFUSED,
    ),
    "hub: class of a scheduler": (
        "TCDScheduler",
        "hub",
        {"subfolder": "scheduler"},
        [config("scheduler/scheduler_config.json", _class_name="__builtins__")],
        REFUSED,
    ),
    "hub: all that is not named": (SDXL, "hub", {}, [harmless], LOADED),
    "all that is not named": (ANY, "", {}, [harmless], LOADED),
}


def change(path, entries):
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **entries}))


seen = []


def note(event, args):
    """The audit hook, which records forbidden events."""
    subject = None
    if event in ("open", "import"):
        subject = str(args[0])
    elif event == "exec":
        subject = getattr(args[0], "co_filename", "")
    elif event == "pickle.find_class":
        subject = "payload " + ".".join(args)
    if subject is None:
        return
    name = Path(subject).name
    unwanted = (subject if event == "import" else name).partition(".")[0] in UNWANTED
    code = name in ("None.py", "pipeline.py", "diffusers.py", "transformers.py", "tokenization.py") and ROOT in subject
    if unwanted or code or "payload" in name or (name.endswith((".bin", ".pkl", ".ckpt")) and ROOT in subject):
        seen.append(f"{event} {subject}"[:200])


def made(number, source, edits):
    """A changed copy of the shipped model, and the arguments of ``from_pretrained`` for it."""
    from mindone_tcd.shapes.folder import SHAPES_FOLDER

    folder, name = Path(ROOT) / f"model{number}", f"owner/model{number}"
    if source == "hub":
        repository = Path(os.environ["HF_HUB_CACHE"]) / f"models--owner--model{number}"
        folder = repository / "snapshots" / ("a" * 40)
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("a" * 40)
    shutil.copytree(SHAPES_FOLDER, folder, ignore=shutil.ignore_patterns("*_lora"))
    (folder / "payload.py").write_text(PAYLOAD)
    for edit in edits:
        edit(folder)
    return name if source == "hub" else str(folder / source)


def get(name):
    from mindone_tcd.exports import MODULES
    from mindone_tcd.exports import get as ours

    if name in MODULES:
        return ours(name)
    ours(ANY)
    return getattr(
        importlib.import_module("mindone." + ("transformers" if name.startswith("T5") else "diffusers")), name
    )


def outcome(call):
    seen.clear()
    try:
        call()
        result = [LOADED, ""]
    except Exception as error:
        result = [type(error).__name__, str(error)[:600]]
    return [*result, [*seen, *(f"module {name}" for name in unloaded())]]


def unloaded():
    """The forbidden modules that were imported. They are removed, so that the next attack must import them again."""
    names = [name for name in sys.modules if name.partition(".")[0] in UNWANTED or "payload" in name]
    for name in names:
        del sys.modules[name]
    return names[:3]


def below():
    """Call the functions of mindone and transformers that import code directly, as a future caller might."""
    from mindone.diffusers.pipelines import pipeline_loading_utils as loading
    from mindone.diffusers.utils.dynamic_modules_utils import get_class_from_dynamic_module
    from transformers.dynamic_module_utils import get_class_from_dynamic_module as of_transformers

    from mindone_tcd.checks import classes

    folder = Path(made("network", "", [index(scheduler=["payload", "Scheduler"])]))

    def over_a_network():
        from mindone.diffusers.pipelines import pipeline_utils

        files = [SimpleNamespace(rfilename="model_index.json"), SimpleNamespace(rfilename="scheduler/payload.py")]
        pipeline_utils.model_info = lambda *_, **__: SimpleNamespace(siblings=files)
        pipeline_utils.hf_hub_download = lambda *_, **__: str(folder / "model_index.json")
        get(ANY).download("owner/model", trust_remote_code=True)

    def trusted():
        with classes.loading():
            of_transformers("payload.Scheduler", ROOT)

    pipe = get(SDXL)
    return {
        "class of a part": lambda: loading.get_class_obj_and_candidates("payload", "Scheduler", {}, None, False),
        "class of a part, beside it": lambda: loading.get_class_obj_and_candidates(
            "payload", "Scheduler", {}, None, False, "scheduler", ROOT
        ),
        "class": lambda: loading.simple_get_class_obj("payload", "Scheduler"),
        "custom pipeline by its file": lambda: loading._get_custom_pipeline_class(f"{ROOT}/payload.py"),
        "from_pipe": lambda: pipe.from_pipe(SimpleNamespace(config={}), custom_pipeline=f"{ROOT}/payload.py"),
        "over a network": over_a_network,
        "code of mindone": lambda: get_class_from_dynamic_module(ROOT, "payload.py", "Scheduler"),
        "code of transformers": trusted,
    }


def main():
    for name in ("payload.py", "payload2.py", "payload_cwd.py", "p.py"):
        (Path(ROOT) / name).write_text(PAYLOAD)
    Path(ROOT, "payload_secret.json").write_text("{}")
    get(ANY)
    sys.addaudithook(note)
    results = {}
    for number, (name, (kind, source, options, edits, _)) in enumerate(ATTACKS.items()):
        cls, where = get(kind), made(number, source, edits)
        results[name] = outcome(lambda cls=cls, where=where, options=options: cls.from_pretrained(where, **options))
        shutil.rmtree(where, ignore_errors=True)
    results |= {f"below: {name}": outcome(call) for name, call in below().items()}
    results["ran"] = [str(path) for path in Path(ROOT).rglob("payload_ran")]
    print(json.dumps(results))


if __name__ == "__main__":
    ROOT = os.path.realpath(sys.argv[1])
    os.chdir(ROOT)
    sys.path.insert(0, ROOT)
    main()
