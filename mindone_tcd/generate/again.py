"""Generate an image again from its record: which model and LoRA may be opened, and whether they are the same ones.

A PNG may come from an untrusted source. Its record alone never causes a folder to be opened or a hub to be contacted.
For anything that is not in the package, the caller names the model and the LoRA, or states that the record is trusted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compiled.forms import form_of
from ..errors import UsageError
from ..files.model_folder import Model
from ..schedulers.methods import find_method
from ..shapes.folder import SHAPES, SHAPES_FOLDER
from .plan import plan
from .recipes import Recipe
from .request import MOST_PIXELS_A_SIDE, Request, make_request
from .sources import lora_fields, model_fields
from .weights import weights_of_lora, weights_of_model

MOST_BATCH_PIXELS = 4 * MOST_PIXELS_A_SIDE**2
"""Maximum pixels of all images of a batch together: the most that the command itself computes at once."""


@dataclass(frozen=True)
class Again:
    """Everything needed to generate an image again.

    Attributes:
        model, recipe, request: as for a new image.
        seeds: the seeds of the batch that contained the image.
        dtype: the name of the dtype.
        form: the form of the compiled graphs, None for none.
    """

    model: Model
    recipe: Recipe
    request: Request
    seeds: tuple[int, ...]
    dtype: str
    form: str | None


def plan_again(
    record: dict[str, Any],
    path: Path,
    model: str | None = None,
    lora: str | None = None,
    trust_record: bool = False,
) -> Again:
    """Determine how to generate an image again, without loading anything.

    Args:
        record: the result of :func:`~mindone_tcd.generate.png_record.read_record`.
        path: the PNG, for error messages.
        model: the model that the caller names; None for the record's.
        lora: the LoRA that the caller names, ``none`` for no LoRA; None for the record's.
        trust_record: whether the model and LoRA of the record may be opened, or downloaded from the hub.

    Raises:
        UsageError: if the record is incomplete, names a model or LoRA that the caller has not allowed, or has values
            that are not valid together.
    """
    try:
        seeds = tuple(record["batch_seeds"])
        if record["seed"] not in seeds:
            raise KeyError("batch_seeds")
        if len(seeds) * record["width"] * record["height"] > MOST_BATCH_PIXELS:
            raise UsageError(
                f"the record in {path} requests {len(seeds)} images of {record['width']}x{record['height']} at once; "
                f"at most {MOST_BATCH_PIXELS} pixels are possible"
            )
        method, dtype = record["method"], record["dtype"]
        names = _names(record, path, model, lora, trust_record)
        found, chosen = plan(names[0], method, names[1])
        request = make_request(
            found,
            chosen,
            record["prompt"],
            negative_prompt=record["negative_prompt"],
            seed=record["seed"],
            steps=record["steps"],
            guidance_scale=record["guidance_scale"],
            eta=record["eta"],
            size=(record["width"], record["height"]),
        )
        form = form_of(record.get("compile"))  # records of version 0.1.0 and earlier lack this field
    except (KeyError, TypeError) as error:
        raise UsageError(f"the record in {path} is incomplete ({error}); it cannot be used again") from error
    return Again(found, chosen, request, seeds, dtype, form)


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
            if model != SHAPES:
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
            lora = str(SHAPES_FOLDER / shipped)
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
        shipped = SHAPES if what == "model" else "shipped"
        if self.name is None:
            self.source = None
        elif f"{what}_from" in record:
            self.source = record[f"{what}_from"]
            if self.source is None:
                raise KeyError(f"{what}_from")
            if self.source == "package" and self.name != shipped:
                raise UsageError(
                    f"the record says that the {self.title} {self.name!r} is in the package, but it is not"
                )
        else:  # version 0.1.0 stored only paths, ids, and the names of shipped models and LoRAs
            absolute = os.path.isabs(self.name)
            self.source = "package" if self.name == shipped else "folder" if absolute else "hub"
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
    lora = again.recipe.lora
    weights = weights_of_model(again.model) if again.model.local else None
    return {
        **model_fields(again.model, weights, paths=False),
        **lora_fields(again.model, again.recipe, None if lora is None else weights_of_lora(lora), paths=False),
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
    for what, title in (("model", "model"), ("lora", "LoRA")):
        then, now = record.get(f"{what}_sha256"), sources[f"{what}_sha256"]
        if then and now and then != now:
            raise UsageError(
                f"the {title} {sources[what]!r} has other weights (SHA-256 {now[:16]}…) than the record's {title} "
                f"{record[what]!r} ({then[:16]}…); pass the same {title} with --{what}"
            )
        if sources[what] is not None and not (then and now):
            where = "here" if then else "in the record"
            remarks.append(f"the digest of the {title}'s weights is missing {where}, so the {title} may differ")
    return remarks
