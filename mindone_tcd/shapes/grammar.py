"""The scenes that the shipped model can generate, their captions, and which scenes training never uses.

A :class:`Scene` describes an image. :func:`caption` turns it into an English phrase, :func:`parse` parses such a
phrase, and :func:`held_out` says whether a (shape, color, background) combination is excluded from training.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35),
    "green": (30, 150, 50),
    "blue": (35, 60, 215),
    "yellow": (245, 220, 40),
    "orange": (245, 130, 20),
    "purple": (130, 40, 170),
    "pink": (250, 150, 190),
    "cyan": (40, 205, 215),
    "white": (248, 248, 248),
    "black": (15, 15, 15),
    "gray": (130, 130, 130),
    "brown": (115, 65, 30),
}
"""Color names and their sRGB values (0 to 255)."""

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "ring", "cross", "heart", "diamond", "moon")

SIZES: dict[str, tuple[float, float]] = {"small": (0.26, 0.36), "medium": (0.42, 0.54), "large": (0.62, 0.78)}
"""Size words and their ranges of radii (the image spans -1 to 1)."""

POSITIONS: dict[str, tuple[int, int]] = {
    "center": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}
"""Position words and their direction (x to the right, y down)."""

DIRECTIONS: dict[str, tuple[int, int]] = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}
"""The words for directions of motion, and the directions."""

TOWARD: dict[str, str] = {"right": "right", "left": "left", "up": "top", "down": "bottom"}
"""The position toward which a thing moves. In a single image, a direction means the same as this position."""

RELATIONS: dict[str, tuple[int, int]] = {
    "to the left of": (-1, 0),
    "to the right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
}
"""Relations of the first object to the second, and the direction from the center to the first."""

FILLER: tuple[str, ...] = ("a", "an", "the", "of", "on", "in", "to", "and", "at", "with", "is", "picture", "image",
                           "background", "corner", ",", ".")  # fmt: skip

_UNTRAINED: tuple[str, ...] = ("grey", "middle", "centre", "big", "tiny")

VOCABULARY: tuple[str, ...] = tuple(
    dict.fromkeys(
        [*FILLER, *COLOURS, *SHAPES, *SIZES, *(w for p in POSITIONS for w in p.split()), "above", "below", *_UNTRAINED]
    )
)
"""The words that are one token each. Training captions use a subset: :data:`mindone_tcd.shapes.prompts.TRAINED`."""

HELD_OUT_SHARE = 0.15


@dataclass(frozen=True)
class Thing:
    """One object: its shape, color and position. Lengths are in half images, so the image spans -1 to 1 (y down)."""

    shape: str
    colour: str
    x: float = 0.0
    y: float = 0.0
    radius: float = 0.5


@dataclass(frozen=True)
class Scene:
    """The content of an image.

    Attributes:
        background: a color name.
        things: one or two objects; the first is the caption's subject.
        size: the size word of a single object; None if the caption has none.
        position: the position word of a single object, or None.
        relation: the relation of the first of two objects to the second, else None.
    """

    background: str
    things: tuple[Thing, ...]
    size: str | None = None
    position: str | None = None
    relation: str | None = None


def held_out(shape: str, colour: str, background: str) -> bool:
    """Return whether training excludes this combination (about 15 % of the 1,188), decided by a hash of the words."""
    digest = hashlib.sha256(f"{shape}/{colour}/{background}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < HELD_OUT_SHARE


def random_scene(rng: np.random.Generator, two: float = 0.2, unseen: bool | None = False) -> Scene:
    """Return a random scene.

    Args:
        rng: the random generator.
        two: the share of scenes with two objects.
        unseen: False for combinations used in training, True for held-out combinations only, None for all.
    """
    names = list(COLOURS)
    while True:
        background, first, second = rng.choice(names, 3)
        shapes = rng.choice(SHAPES, 2)
        if background in (first, second):
            continue
        pair = rng.random() < two
        if pair and first == second and shapes[0] == shapes[1]:
            continue
        combinations = [(shapes[0], first), (shapes[1], second)][: 2 if pair else 1]
        excluded = [held_out(str(s), str(c), str(background)) for s, c in combinations]
        if unseen is None or (all(excluded) if unseen else not any(excluded)):
            break
    if pair:
        relation = str(rng.choice(list(RELATIONS)))
        ux, uy = RELATIONS[relation]

        def place(sign: int, shape: str, colour: str) -> Thing:
            dx, dy = rng.uniform(-0.06, 0.06, 2)
            radius = rng.uniform(0.30, 0.42)
            return Thing(str(shape), str(colour), sign * ux * 0.48 + dx, sign * uy * 0.48 + dy, radius)

        return Scene(str(background), (place(1, shapes[0], first), place(-1, shapes[1], second)), relation=relation)
    size, position = str(rng.choice(list(SIZES))), str(rng.choice(list(POSITIONS)))
    radius = rng.uniform(*SIZES[size])
    room = 0.96 - radius
    ux, uy = POSITIONS[position]
    dx, dy = rng.uniform(-0.06, 0.06, 2) * min(room, 0.6)
    thing = Thing(str(shapes[0]), str(first), ux * room * 0.85 + dx, uy * room * 0.85 + dy, radius)
    return Scene(str(background), (thing,), size=size, position=position)


def caption(
    scene: Scene, rng: np.random.Generator | None = None, say_size: bool = True, say_position: bool = True
) -> str:
    """Return the scene as a phrase.

    Args:
        scene: the scene.
        rng: if given, it selects one of several wordings; else the plainest wording is used.
        say_size: state the size, if the scene has one.
        say_position: state the position, if the scene has one.
    """
    first = scene.things[0]
    words = f"{first.colour} {first.shape}"
    if scene.relation is not None:
        second = scene.things[1]
        words += f" {scene.relation} a {second.colour} {second.shape}"
    else:
        if say_size and scene.size:
            words = f"{scene.size} {words}"
        if say_position and scene.position:
            words += f" in the {scene.position}"
    article = "an" if words[0] in "aeiou" else "a"
    pick = 0.0 if rng is None else rng.random()
    if pick < 0.7:
        return f"{article} {words} on a {scene.background} background"
    if pick < 0.8:
        return f"{article} {words}, {scene.background} background"
    if pick < 0.9:
        return f"{article} {words} on {scene.background}"
    return f"{words}, {scene.background} background"


_TOWARD = re.compile(rf" in the ({'|'.join(TOWARD.values())})(?= on|,)")
_DIRECTION_OF = {position: direction for direction, position in TOWARD.items()}


def moving(text: str) -> str:
    """Return a caption whose position, if a direction leads there, is replaced by this direction of motion."""
    return _TOWARD.sub(lambda match: f" moving {_DIRECTION_OF[match[1]]}", text)


def split_words(prompt: str) -> list[str]:
    """Return the prompt's words in lower case; a comma or full stop is a separate word."""
    return re.findall(r"[^\s,.]+|[,.]", prompt.lower())


def parse(prompt: str) -> Scene | None:
    """Parse a caption; return None if it does not match the grammar. Coordinates and radii keep their defaults."""
    text = " ".join(w for w in split_words(prompt) if w not in (",", ".", "a", "an"))
    colour, shape = "|".join(COLOURS), "|".join(SHAPES)
    single = (
        rf"(?:(?P<size>{'|'.join(SIZES)}) )?(?P<c1>{colour}) (?P<s1>{shape})"
        rf"(?: in the (?P<position>{'|'.join(sorted(POSITIONS, key=len, reverse=True))})(?: corner)?)?"
    )
    pair = (
        rf"(?P<c1>{colour}) (?P<s1>{shape}) (?P<relation>{'|'.join(RELATIONS)})(?: the)? "
        rf"(?P<c2>{colour}) (?P<s2>{shape})"
    )
    ending = rf"(?: on(?: the)?)? (?P<bg>{colour})(?: background)?"
    for pattern in (pair, single):
        match = re.fullmatch(pattern + ending, text)
        if match:
            found = match.groupdict()
            things = [Thing(found["s1"], found["c1"])]
            if "s2" in found:
                things.append(Thing(found["s2"], found["c2"]))
            return Scene(
                found["bg"], tuple(things), found.get("size"), found.get("position"), relation=found.get("relation")
            )
    return None
