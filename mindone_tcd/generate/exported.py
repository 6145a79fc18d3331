"""Plan and load exported folders, which run without mindone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..deploy.manifest import Manifest, read_manifest
from ..deploy.runner import check_files
from ..environment import require_mindspore
from ..errors import UsageError, shown
from ..files.model_folder import Model
from .families import FAMILIES
from .parts import Part, maps_of
from .recipes import Recipe
from .record_fields import check_record
from .setup import Setup
from .tasks import PART_FEATURES, TASKS

if TYPE_CHECKING:
    from .loaded import LoadedPipeline
    from .plan import Extras

_NEEDED = ("model", "model_from", "model_sha256", "method", "lora", "lora_from", "lora_sha256")
"""The fields of a manifest's record."""


def controlnet_name(index: int) -> str:
    """Return the name of a ControlNet's graph."""
    return f"controlnet_{index}"


def plan_exported(task: str, folder: Path, method: str | None, lora: str | None, extras: Extras) -> Setup:
    """Return what an exported folder consists of, after a check of its manifest.

    Args:
        task: a name in :data:`~mindone_tcd.generate.tasks.TASKS`.
        folder: the exported folder.
        method: the method that the user asked for, if any.
        lora: the LoRA that the user asked for, if any.
        extras: the parts that the user asked for.

    Raises:
        UsageError: if the manifest is damaged, or the folder does not have what the user asked for.
    """
    manifest = read_manifest(folder)
    record = _record(manifest, folder)
    recipe = _recipe(manifest, folder)
    _check_asked(folder, recipe, method, lora, extras)
    if "vae_encoder" not in manifest.parts() and task == "image-to-image":
        raise UsageError(f"{folder} has no encoder of images; export the pipeline again")
    if task not in ("text-to-image", "image-to-image", "controlnet"):
        raise UsageError(
            f"exported pipelines have no task {task}; they have text-to-image, image-to-image and controlnet: load "
            "the model itself"
        )
    parts = _parts(record, folder)
    networks = [part for part in parts if part.role == "controlnet"]
    asked = maps_of(extras.control, "control") if extras.control not in (None, False) else []
    if task == "controlnet" and not asked:
        asked = [(part.kind, None) for part in networks] or [("canny", None)]
    if not asked:
        parts = [part for part in parts if part.role != "controlnet"]
    elif [kind.removesuffix("-map") for kind, _ in asked] != [part.kind for part in networks]:
        exported = ", ".join(part.kind for part in networks) or "none"
        wanted = ", ".join(kind for kind, _ in asked)
        raise UsageError(
            f"the ControlNets of {folder} are: {exported}; the call needs: {wanted}; export them together with the "
            "model, or ask for all of them in this order"
        )
    roles = {part.role for part in parts}
    own = TASKS[task].feature
    return Setup(
        task,
        _model(manifest, record, folder),
        recipe,
        FAMILIES[manifest.family][0],
        (*([own] if own else []), *(PART_FEATURES[role] for role in PART_FEATURES if role in roles)),
        tuple(parts),
        tuple(kind.endswith("-map") for kind, _ in asked),
        exported=manifest,
    )


def load_exported(
    setup: Setup,
    dtype: str | None,
    form: str | None = None,
    record_paths: bool = False,
    quantize: str | None = None,
) -> LoadedPipeline:
    """Load what :func:`plan_exported` found, without importing mindone.

    Raises:
        UsageError: if a file is missing or was changed, MindSpore is missing, or an argument contradicts the manifest.
    """
    from .loaded import LoadedPipeline

    manifest = setup.exported
    assert manifest is not None
    folder = Path(setup.model.location)
    held = manifest.record.get("quantize")
    if form is not None:
        raise UsageError(f"{folder} is exported, and always runs as graphs; leave compile out")
    for name, given, present in (("dtype", dtype, manifest.dtype), ("quantize", quantize, held)):
        if given is not None and given != present:
            raise UsageError(
                f"{folder} was exported with {name} {present or 'none'}, not {given}; leave {name} out, or export again"
            )
    check_files(manifest, folder)
    require_mindspore(mindone=False)
    from .. import cpu
    from ..deploy.pipeline import ExportedPipeline

    cpu.prepare_runtime()
    count = len(setup.of("controlnet"))
    pipe = ExportedPipeline(
        manifest, folder, TASKS[setup.task].mode, [controlnet_name(index) for index in range(count)]
    )
    pipe.set_progress_bar_config(desc=f"{setup.recipe.method} steps", leave=False)
    return LoadedPipeline(pipe, setup, manifest.dtype, record_paths=record_paths, quantize=held)


def _record(manifest: Manifest, folder: Path) -> Mapping[str, Any]:
    where = f"the record in {folder / 'manifest.json'}"
    record = check_record(dict(manifest.record), where)
    missing = [name for name in _NEEDED if name not in record]
    if missing:
        raise UsageError(f"{where} lacks {', '.join(missing)}; export the pipeline again")
    return record


def _recipe(manifest: Manifest, folder: Path) -> Recipe:
    where = f"the recipe in {folder / 'manifest.json'}"
    found = check_record(dict(manifest.recipe), where)
    try:
        return Recipe(found["method"], None, found["steps"], float(found["guidance_scale"]), found["eta"])
    except KeyError as error:
        raise UsageError(f"{where} lacks {error}; export the pipeline again") from error


def _model(manifest: Manifest, record: Mapping[str, Any], folder: Path) -> Model:
    about = manifest.model
    return Model(
        record["model"],
        str(folder.resolve()),
        True,
        FAMILIES[manifest.family][0],
        about["vae_scale"],
        about["sample_size"],
        about["cross_attention_dim"],
        about["prediction_type"],
        about["guidance_embedded"],
        foreign=record["model_from"] != "package",
    )


def _parts(record: Mapping[str, Any], folder: Path) -> list[Part]:
    return [
        Part(part["role"], part["kind"], str(folder), part["from"], part["weight"]) for part in record.get("parts", [])
    ]


def _check_asked(folder: Path, recipe: Recipe, method: str | None, lora: str | None, extras: Extras) -> None:
    if method is not None and method != recipe.method:
        raise UsageError(f"{folder} was exported for the method {recipe.method}, not {method}; export it again")
    given = {
        "lora": lora,
        "t2i": extras.t2i,
        "ip_adapter": extras.ip_adapter,
        "style": extras.style,
        "motion_adapter": extras.motion_adapter,
        "motion": extras.motion,
    }
    for name, value in given.items():
        if value not in (None, False, []):
            raise UsageError(
                f"{name} is {shown(value)}, but {folder} is exported: its weights are final; leave it out, or load the "
                "model itself"
            )
    if isinstance(extras.control, Mapping):
        raise UsageError(f"control names other ControlNets, but those of {folder} are exported; name only kinds")
