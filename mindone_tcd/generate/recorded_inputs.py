"""Find the inputs of a recorded image again: its parts beside the model, and its input images.

A record may come from an untrusted source. It alone opens only parts in the package, and only files with the recorded
name in folders that the caller chose; each must have the recorded SHA-256.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError, shown
from ..files.download import is_url
from ..shapes.folder import SHAPES
from .inputs import Inputs
from .parts import TITLES, shipped_kinds
from .plan import Extras

_EXTRAS = {
    "controlnet": "control",
    "t2i-adapter": "t2i",
    "ip-adapter": "ip_adapter",
    "style": "style",
    "motion-adapter": "motion_adapter",
    "motion": "motion",
}
"""The argument of ``load`` for each role."""


def recorded_extras(
    record: Mapping[str, Any], path: Path, given: Mapping[str, str], trust_record: bool, shipped: bool
) -> Extras:
    """Return what to load beside the model.

    Args:
        record: the checked record.
        path: its file, for messages.
        given: the locations that the caller names, by role, or by role and kind: ``controlnet:canny``.
        trust_record: whether paths and hub ids in the record may be opened.
        shipped: whether the model that is loaded is in the package.

    Raises:
        UsageError: if a part is not in the package and the caller has not named it, it does not fit the model, or the
            caller names one that is not there.
    """
    parts = record.get("parts", [])
    names = {name for part in parts for name in (part["role"], f"{part['role']}:{part['kind']}")}
    for name in given:
        if name not in names:
            raise UsageError(f"the record in {path} has no part {name!r}; it has: {', '.join(sorted(names)) or 'none'}")
    maps = iter([source["kind"].endswith("-map") for source in record.get("inputs", []) if source["slot"] == "control"])
    found: dict[str, Any] = {}
    for part in parts:
        role, kind = part["role"], part["kind"]
        location = given.get(f"{role}:{kind}", given.get(role)) or _location(part, path, trust_record, shipped)
        if role in ("controlnet", "t2i-adapter"):
            entry: Any = (f"{kind}-map" if next(maps, False) else kind, location)
        elif role in ("style", "motion"):
            entry = (location or kind, part["weight"])
        elif _EXTRAS[role] in found:
            raise UsageError(f"the record in {path} has several {TITLES[role]}s; it cannot be used again")
        else:
            found[_EXTRAS[role]] = location or True
            continue
        found.setdefault(_EXTRAS[role], []).append(entry)
    return Extras(**found)


def _location(part: Mapping[str, Any], path: Path, trust_record: bool, shipped: bool) -> str | None:
    """Return the location of a recorded part; None for one in the package."""
    flag = f"--part {part['role']}=…"
    if part["from"] == "package":
        title = TITLES[part["role"]]
        if part["kind"] not in shipped_kinds(part["role"]):
            raise UsageError(
                f"the record in {path} says that the {title} {shown(part['kind'])} is in the package, but it is not"
            )
        if not shipped:
            raise UsageError(
                f"the record in {path} names the {title} of the model {SHAPES!r}, which fits no other model; pass "
                f"{flag}"
            )
        return None
    if not trust_record:
        raise UsageError(
            f"the record in {path} names the {TITLES[part['role']]} {part['name']!r}; a record alone does not decide "
            f"what is opened or downloaded: name it with {flag}, or add --trust-record"
        )
    if part["from"] == "hub":
        return part["name"]
    if "path" not in part:
        raise UsageError(
            f"the record in {path} has the name of the {TITLES[part['role']]}, {part['name']!r}, but not its path; "
            f"pass it with {flag}"
        )
    return part["path"]


def recorded_inputs(
    record: Mapping[str, Any], path: Path, folders: Sequence[Path], trust_record: bool
) -> dict[str, Any]:
    """Return the arguments of a call that depend on the task.

    Args:
        record: the checked record.
        path: its file, for messages.
        folders: where to look for the files.
        trust_record: whether paths outside these folders, and URLs, may be opened.

    Raises:
        UsageError: if a file cannot be found.
    """
    call: dict[str, Any] = {name: record[name] for name in ("strength", "frames") if name in record}
    controls = []
    for source in record.get("inputs", []):
        found = _find(source, path, folders, trust_record)
        if source["slot"] in call:
            raise UsageError(f"the record in {path} has several inputs {source['slot']}; it cannot be used again")
        if source["slot"] == "control":
            controls.append((found, source["scale"]))
        else:
            call[source["slot"]] = found
        if source["slot"] == "reference":
            call["reference_scale"] = source["scale"]
    if controls:
        call["control"], call["control_scale"] = map(list, zip(*controls, strict=True))
    return call


def _find(source: Mapping[str, Any], path: Path, folders: Sequence[Path], trust_record: bool) -> str:
    slot, name = source["slot"], source["name"]
    if name is None:
        raise UsageError(
            f"the {slot} of {path} was passed as pixels, so there is no file to read again; save inputs to files and "
            "pass their paths"
        )
    if is_url(name):
        if not trust_record:
            raise UsageError(f"the {slot} of {path} is the URL {name}; add --trust-record to download it again")
        return name
    short = posixpath.basename(name.replace("\\", "/"))
    places = [folder / short for folder in folders] if short not in ("", ".", "..") else []
    if trust_record:
        places.append(Path(name))
    for place in places:
        if os.path.isfile(place):
            return str(place)
    looked = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    raise UsageError(
        f"the {slot} of {path} is the file {short!r}, which is not in {looked}; pass its folder as --inputs"
    )


def check_same_inputs(record: Mapping[str, Any], inputs: Inputs) -> None:
    """Check that input images are those of the record.

    Raises:
        UsageError: if a file has another content.
    """
    for then, now in zip(record.get("inputs", []), inputs.sources, strict=True):
        if then["sha256"] != now.given.sha256:
            raise UsageError(
                f"the {then['slot']} {now.given.name} has changed since (SHA-256 {now.given.sha256[:16]}…, in the "
                f"record {then['sha256'][:16]}…); pass the folder of the original as --inputs"
            )
