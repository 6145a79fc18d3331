"""Making an image again from its record: which model and LoRA may be opened, and whether they are the same ones.

A PNG may come from a stranger. Its record alone never decides that a folder is opened or the hub asked: beyond what
ships in the package, the caller names the model and the LoRA, or says that the record is trusted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..schedulers.methods import find_method
from .folder import Model
from .plan import plan
from .recipes import SHAPES, SHAPES_FOLDER, Recipe
from .request import MOST_PIXELS_A_SIDE, Request, form_of, make_request
from .sources import lora_fields, model_fields
from .weights import weights_of_lora, weights_of_model

MOST_BATCH_PIXELS = 4 * MOST_PIXELS_A_SIDE**2
"""Of all images of a batch together: what the command itself computes at once, at most."""


@dataclass(frozen=True)
class Again:
    """What makes an image again.

    Attributes:
        model, recipe, request: as for a new image.
        seeds: of the batch that the image was in.
        dtype: the name of the dtype.
        form: of the compiled graphs, None for none.
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
    """Find out how to make an image again, without loading anything.

    Args:
        record: as :func:`~mindone_tcd.pipelines.png_record.read_record` gives it.
        path: of the PNG, for the messages.
        model: which the caller names; None for the record's.
        lora: which the caller names, ``none`` for no LoRA; None for the record's.
        trust_record: whether what the record names may be opened, or fetched from the hub.

    Raises:
        UsageError: if the record is incomplete, names what the caller has not allowed, or names what cannot work.
    """
    try:
        seeds = tuple(record["batch_seeds"])
        if record["seed"] not in seeds:
            raise KeyError("batch_seeds")
        if len(seeds) * record["width"] * record["height"] > MOST_BATCH_PIXELS:
            raise UsageError(
                f"the record in {path} asks for {len(seeds)} images of {record['width']}x{record['height']} at once; "
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
        form = form_of(record.get("compile"))  # images of version 0.1.0 and before do not say
    except (KeyError, TypeError) as error:
        raise UsageError(f"the record in {path} is incomplete ({error}); it cannot be made again") from error
    return Again(found, chosen, request, seeds, dtype, form)


def _names(
    record: dict[str, Any], path: Path, model: str | None, lora: str | None, trust_record: bool
) -> tuple[str, str]:
    """The model and the LoRA to open."""
    wanted = _Recorded("model", record), _Recorded("lora", record)
    given = model, lora
    asked = [part for part, name in zip(wanted, given, strict=True) if name is None and not part.harmless]
    if asked and not trust_record:
        held = " and ".join(f"the {part.title} {part.name!r}" for part in asked)
        flags = " and ".join(f"--{part.what}" for part in asked)
        raise UsageError(
            f"the record in {path} names {held}; an image alone does not decide what is opened or fetched: name it "
            f"with {flags}, or add --trust-record"
        )
    model = wanted[0].place(path) if model is None else model
    if lora is None:
        lora = wanted[1].place(path)
        if wanted[1].source == "package":
            if model != SHAPES:
                raise UsageError(
                    f"the record in {path} names the LoRA of the model {SHAPES!r}, which is for no other model; give "
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
    """What a record says of its model or LoRA.

    Attributes:
        what: ``model`` or ``lora``; ``title`` is the word for the messages.
        name: which the record holds; None for no LoRA.
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
                    f"the record says that the {self.title} {self.name!r} ships in the package, which it does not"
                )
        else:  # version 0.1.0 wrote paths, ids and the names of what ships, and no more
            absolute = os.path.isabs(self.name)
            self.source = "package" if self.name == shipped else "folder" if absolute else "hub"
            self._path = self.name if absolute else None

    @property
    def harmless(self) -> bool:
        return self.source in (None, "package")

    def place(self, path: Path) -> str:
        """What to open or fetch.

        Raises:
            UsageError: if the record holds the name of a folder only.
        """
        if self.source is None:
            return "none"
        if self.source != "folder":
            return self.name
        if self._path is None:
            raise UsageError(
                f"the record in {path} holds the name of the {self.title}, {self.name!r}, but not its path; give it "
                f"with --{self.what}"
            )
        return self._path


def sources_of(again: Again) -> dict[str, Any]:
    """The fields of a record that say what would be loaded; without digests for what is still to come from the hub."""
    lora = again.recipe.lora
    weights = weights_of_model(again.model) if again.model.local else None
    return {
        **model_fields(again.model, weights, paths=False),
        **lora_fields(again.model, again.recipe, None if lora is None else weights_of_lora(lora), paths=False),
    }


def check_same_weights(record: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    """Make sure that the model and the LoRA have the weights that the record's image was made with.

    Args:
        record: of the image.
        sources: from :func:`sources_of`, or of the loaded pipeline.

    Returns:
        a remark for each of them that cannot be compared, because a digest is missing.

    Raises:
        UsageError: if one has other weights, or there is a LoRA in one of the two only.
    """
    if (record["lora"] is None) != (sources["lora"] is None):
        then, now = (repr(fields["lora"]) if fields["lora"] is not None else "none" for fields in (record, sources))
        raise UsageError(f"the record's LoRA is {then}, here it is {now}; give the same with --lora")
    remarks = []
    for what, title in (("model", "model"), ("lora", "LoRA")):
        then, now = record.get(f"{what}_sha256"), sources[f"{what}_sha256"]
        if then and now and then != now:
            raise UsageError(
                f"the {title} {sources[what]!r} has other weights (SHA-256 {now[:16]}…) than the record's {title} "
                f"{record[what]!r} ({then[:16]}…); give the same {title} with --{what}"
            )
        if sources[what] is not None and not (then and now):
            where = "here" if then else "in the record"
            remarks.append(f"there is no digest of the {title}'s weights {where}, so it may be another {title}")
    return remarks
