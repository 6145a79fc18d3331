"""The argument parser, the types of its arguments, and the examples that its help shows."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

EXAMPLES = """\
examples:
  mindone-tcd generate "a red circle on a blue background"
  mindone-tcd generate "a small green star on black" --count 4 --grid --out stars.png
  mindone-tcd generate "a white heart above a pink moon on a purple background" --steps 8 --seed 5
  mindone-tcd generate "a photo of a lighthouse" --model /models/sdxl-base --lora /models/TCD-SDXL-LoRA --size 1024
  mindone-tcd info image.png
  mindone-tcd info image.png --again
  mindone-tcd info lighthouse.png --again --model /models/sdxl-base --lora /models/TCD-SDXL-LoRA

The model "shapes" is in the package and needs no network. It draws shapes: circle, square, triangle, star, ring,
cross, heart, diamond, moon; in red, green, blue, yellow, orange, purple, pink, cyan, white, black, gray, brown.
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def integer(text: str) -> int:
    if len(text) > 100:
        raise argparse.ArgumentTypeError(f"a number of {len(text)} characters; at most 100 are possible")
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 128, or 192x128 for width x height")
    return int(match[1]), int(match[2] or match[1])
