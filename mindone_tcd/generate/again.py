"""Generate an image again from its record: which model and LoRA may be opened, and whether they are the same ones.

A PNG may come from an untrusted source. Its record alone never causes a folder to be opened or a hub to be contacted.
For anything that is not in the package, the caller names the model and the LoRA, or states that the record is trusted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compiled.forms import form_of
from ..deploy.manifest import is_exported
from ..errors import UsageError
from ..files.model_folder import local_path
from ..quantize.kinds import kind_of
from ..schedulers.methods import find_method
from ..shapes.folder import SHAPES
from ..shapes.models import PIPELINES as SHIPPED
from ..shapes.models import lora_folder
from .loaded import read_inputs
from .parts import TITLES
from .plan import Extras, plan
from .recorded_inputs import check_same_inputs, recorded_extras, recorded_inputs
from .request import MOST_PIXELS_A_SIDE, Request, request_for
from .setup import Setup
from .sources import exported_fields, lora_fields, model_fields, part_fields
from .weights import weights_of_lora, weights_of_model, weights_of_part

MOST_BATCH_PIXELS = 4 * MOST_PIXELS_A_SIDE**2
"""Maximum pixels of all images of a batch together: the most that the command itself computes at once."""


@dataclass(frozen=True)
class Again:
    """Everything needed to generate an image again.

    Attributes:
        setup, request: as for a new image.
        seeds: the seeds of the batch that contained the image.
        dtype: the name of the dtype.
        form: the form of the compiled graphs, None for none.
        quantize: the kind of quantization, None for none.
    """

    setup: Setup
    request: Request
    seeds: tuple[int, ...]
    dtype: str
    form: str | None
    quantize: str | None = None


def plan_again(
    record: dict[str, Any],
    path: Path,
    model: str | None = None,
    lora: str | None = None,
    trust_record: bool = False,
    parts: Mapping[str, str] | None = None,
    folders: Sequence[Path] | None = None,
) -> Again:
    """Determine how to generate an image again, without loading anything.

    Args:
        record: the result of :func:`~mindone_tcd.generate.png_record.read_record`.
        path: the PNG, for error messages.
        model: the model that the caller names; None for the record's.
        lora: the LoRA that the caller names, ``none`` for no LoRA; None for the record's.
        trust_record: whether the model, LoRA, parts and inputs of the record may be opened, or downloaded.
        parts: the locations of other parts that the caller names, by role, such as ``controlnet``.
        folders: where to look for the input images; None for the folder of ``path`` and the current one.

    Raises:
        UsageError: if the record is incomplete, names a model or LoRA that the caller has not allowed, or has values
            that are not valid together.
    """
    try:
        seeds = tuple(record["batch_seeds"])
        if record["seed"] not in seeds:
            raise KeyError("batch_seeds")
        images = len(seeds) * record.get("frames", 1)
        if images * record["width"] * record["height"] > MOST_BATCH_PIXELS:
            raise UsageError(
                f"the record in {path} requests {images} images of {record['width']}x{record['height']} at once; "
                f"at most {MOST_BATCH_PIXELS} pixels are possible"
            )
        method, dtype = record["method"], record["dtype"]
        if model is not None and is_exported(local_path(model)):
            names: tuple[str, str | None] = (model, lora)
            kinds = [part["kind"] for part in record.get("parts", []) if part["role"] == "controlnet"]
            extras = Extras(control=_maps(record, kinds) or None)
        else:
            names = _names(record, path, model, lora, trust_record)
            extras = recorded_extras(record, path, parts or {}, trust_record, names[0] in SHIPPED)
        setup = plan(record.get("task", "text-to-image"), names[0], method, names[1], extras)
        if [part.role for part in setup.parts] != [part["role"] for part in record.get("parts", [])]:
            needed = ", ".join(TITLES[part.role] for part in setup.parts)
            raise UsageError(
                f"the parts in the record of {path} are not those of its task ({needed}); it cannot be used"
            )
        places = [path.parent, Path()] if folders is None else folders
        inputs = read_inputs(setup, recorded_inputs(record, path, places, trust_record))
        check_same_inputs(record, inputs)
        request = request_for(
            setup,
            record["prompt"],
            negative_prompt=record["negative_prompt"],
            seed=record["seed"],
            steps=record["steps"],
            guidance_scale=record["guidance_scale"],
            eta=record["eta"],
            size=(record["width"], record["height"]),
            inputs=inputs,
        )
        form = form_of(record.get("compile"))  # records of version 0.1.0 and earlier lack this field
    except (KeyError, TypeError) as error:
        raise UsageError(f"the record in {path} is incomplete ({error}); it cannot be used again") from error
    if setup.exported is not None:
        form = None  # the record of an eager or compiled image
    return Again(setup, request, seeds, dtype, form, kind_of(record.get("quantize")))


def _maps(record: Mapping[str, Any], kinds: Sequence[str]) -> list[str]:
    """Return the kinds of a record's ControlNets, with ``-map`` where the call passed a finished map."""
    sources = [source["kind"] for source in record.get("inputs", []) if source["slot"] == "control"]
    return [f"{kind}-map" if source.endswith("-map") else kind for kind, source in zip(kinds, sources, strict=True)]


def _names(
    record: dict[str, Any], path: Path, model: str | None, lora: str | None, trust_record: bool
) -> tuple[str, str]:
    """Return the model and the LoRA to open."""
    wanted = _Recorded("model", record), _Recorded("lora", record)
    given = model, lora
    asked = [part for part, name in zip(wanted, given, strict=True) if name is None and not part.harmless]
    if asked and not trust_record:
        held = " and ".join(f"the {part.title} {part.name!r}" for part in asked)
        flags = " and ".join(f"--{part.what}" for part in asked)
        raise UsageError(
            f"the record in {path} names {held}; a record alone does not decide what is opened or downloaded: name it "
            f"with {flags}, or add --trust-record"
        )
    model = wanted[0].location(path) if model is None else model
    if lora is None:
        lora = wanted[1].location(path)
        if wanted[1].source == "package":
            if model not in SHIPPED:
                raise UsageError(
                    f"the record in {path} names the LoRA of the model {SHAPES!r}, which fits no other model; pass "
                    "--lora"
                )
            shipped = find_method(record["method"]).shipped_lora
            if shipped is None:
                raise UsageError(
                    f"the record in {path} names the shipped LoRA, but none ships for the method {record['method']}; "
                    "give --lora"
                )
            lora = str(lora_folder(model, shipped))
    return model, lora


class _Recorded:
    """A record's model or LoRA.

    Attributes:
        what: ``model`` or ``lora``; ``title`` is the word for messages.
        name: the name in the record; None for no LoRA.
        source: ``package``, ``folder``, ``hub``, or None for no LoRA.
    """

    def __init__(self, what: str, record: dict[str, Any]) -> None:
        self.what, self.title, self.name = what, {"model": "model", "lora": "LoRA"}[what], record[what]
        self._path = record.get(f"{what}_path")
        shipped = SHIPPED if what == "model" else ("shipped",)
        if self.name is None:
            self.source = None
        elif f"{what}_from" in record:
            self.source = record[f"{what}_from"]
            if self.source is None:
                raise KeyError(f"{what}_from")
            if self.source == "package" and self.name not in shipped:
                raise UsageError(
                    f"the record says that the {self.title} {self.name!r} is in the package, but it is not"
                )
        else:  # version 0.1.0 stored only paths, ids, and the names of shipped models and LoRAs
            absolute = os.path.isabs(self.name)
            self.source = "package" if self.name in shipped else "folder" if absolute else "hub"
            self._path = self.name if absolute else None

    @property
    def harmless(self) -> bool:
        return self.source in (None, "package")

    def location(self, path: Path) -> str:
        """Return what to open or download.

        Raises:
            UsageError: if the record has only the name of a folder.
        """
        if self.source is None:
            return "none"
        if self.source != "folder":
            return self.name
        if self._path is None:
            raise UsageError(
                f"the record in {path} has the name of the {self.title}, {self.name!r}, but not its path; pass it "
                f"with --{self.what}"
            )
        return self._path


def sources_of(again: Again) -> dict[str, Any]:
    """Return the record fields of what would be loaded, without digests for what is not downloaded yet."""
    setup = again.setup
    lora = setup.recipe.lora
    if setup.exported is not None:
        return exported_fields(setup)
    weights = weights_of_model(setup.model) if setup.model.local else None
    return {
        **model_fields(setup.model, weights, paths=False),
        **lora_fields(setup.model, setup.recipe, None if lora is None else weights_of_lora(lora), paths=False),
        **part_fields(setup, [weights_of_part(part) for part in setup.parts], paths=False),
    }


def check_same_weights(record: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    """Check that the model and the LoRA have the same weights as those of the record's image.

    Args:
        record: the image's record.
        sources: the fields from :func:`sources_of`, or of the loaded pipeline.

    Returns:
        A remark for each of them that cannot be compared because a digest is missing.

    Raises:
        UsageError: if the weights differ, or only one of the two has a LoRA.
    """
    if (record["lora"] is None) != (sources["lora"] is None):
        old, new = (repr(fields["lora"]) if fields["lora"] is not None else "none" for fields in (record, sources))
        raise UsageError(f"the record's LoRA is {old}, but here it is {new}; pass the same LoRA with --lora")
    remarks = []
    pairs: list[tuple[str, str, Any, Any, Any, Any]] = [
        (title, f"--{what}", record[what], record.get(f"{what}_sha256"), sources[what], sources[f"{what}_sha256"])
        for what, title in (("model", "model"), ("lora", "LoRA"))
    ]
    for then, now in zip(record.get("parts", []), sources.get("parts", []), strict=True):
        title, flag = TITLES[now["role"]], f"--part {now['role']}=…"
        pairs.append((title, flag, then["name"], then["sha256"], now["name"], now["sha256"]))
    for title, flag, old_name, old, name, new in pairs:
        if old and new and old != new:
            raise UsageError(
                f"the {title} {name!r} has other weights (SHA-256 {new[:16]}…) than the record's {title} {old_name!r} "
                f"({old[:16]}…); pass the same {title} with {flag}"
            )
        if name is not None and not (old and new):
            where = "here" if old else "in the record"
            remarks.append(f"the digest of the {title}'s weights is missing {where}, so the {title} may differ")
    return remarks
