"""Run the code blocks of pages, and store the images that the pages show.

    python tools/docs/build_images.py docs/tutorials/controlnet.md
    python tools/docs/build_images.py

A page shows the files that its blocks write as `../assets/tutorials/PAGE/FILE`. This script copies them there, without
metadata, and with fewer colors where a file would have more than 150 kB. It removes files that the page does not show.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import pages
from PIL import Image, ImageSequence

LARGEST = 150_000
"""Maximum size of an image of the site, in bytes."""


def frames(path: Path | io.BytesIO) -> list[Image.Image]:
    """The frames of a PNG or GIF file, as RGB."""
    with Image.open(path) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def optimized(source: Path) -> bytes:
    """A PNG or GIF file without metadata, with at most LARGEST bytes.

    Raises:
        ValueError: if 16 colors are still too many.
    """
    pictures = frames(source)
    with Image.open(source) as image:
        kind, duration = image.format, image.info.get("duration", 0)
    options = (
        {"save_all": True, "append_images": pictures[1:], "duration": duration, "loop": 0} if kind == "GIF" else {}
    )
    for colors in (None, 256, 128, 64, 32, 16):
        shown = pictures
        if colors:
            shown = [picture.quantize(colors, dither=Image.Dither.NONE) for picture in pictures]
        if options:
            options["append_images"] = shown[1:]
        stream = io.BytesIO()
        shown[0].save(stream, kind, optimize=True, **options)
        if stream.tell() <= LARGEST:
            return stream.getvalue()
    raise ValueError(f"{source.name} has more than {LARGEST} bytes, even with 16 colors: make it smaller")


def difference(first: Path, second: Path) -> tuple[float, float]:
    """How much two files differ: the mean difference, and the share of pixels that differ by more than 32 of 255.

    Raises:
        ValueError: if they have different sizes or numbers of frames.
    """
    one, two = (np.stack([np.asarray(frame, np.int16) for frame in frames(path)]) for path in (first, second))
    if one.shape != two.shape:
        raise ValueError(f"{first.name} has the shape {one.shape}, and not {two.shape}")
    differences = np.abs(one - two)
    return float(differences.mean()), float((differences.max(axis=-1) > 32).mean())


def check_equal(stored: Path, generated: Path) -> None:
    """Check that a stored image is the one that was generated.

    Other kernels and another number of threads change the order of sums: the mean changed by up to 0.00015, and no
    pixel by 32, also where guidance amplifies differences. Other processors may differ more, so the limits are a mean
    of 0.1, and 0.1 % of the pixels. A palette in a large file changes the mean by up to 2.3, and 3 % of the pixels.
    Another seed changes the mean by more than 20, and more than 16 % of the pixels.

    Raises:
        ValueError: if they differ by more.
    """
    with Image.open(stored) as image:
        largest, most = (4.0, 0.05) if image.mode == "P" else (0.1, 0.001)
    mean, share = difference(stored, generated)
    if mean > largest or share > most:
        raise ValueError(
            f"{stored.name} differs from what the page makes by {mean:.4f} of 255, and in {share:.2%} of the pixels by "
            "more than 32: look at it, and build it again with tools/docs/build_images.py"
        )


def build(page: Path) -> list[Path]:
    """Run a page's blocks and store the images that it shows.

    Raises:
        FileNotFoundError: if no block writes an image that the page shows.
    """
    targets = pages.made_images(page)
    if not targets:
        return []
    with tempfile.TemporaryDirectory() as folder:
        pages.run(page, Path(folder))
        for target in targets:
            source = Path(folder, target.name)
            if not source.is_file():
                raise FileNotFoundError(f"{page} shows {target.name}, but no block writes it")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(optimized(source))
    for path in sorted(targets[0].parent.iterdir()):
        if path not in targets:
            path.unlink()
    return targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="*", help="pages in English (default: all that show such images)")
    args = parser.parse_args()
    for page in args.page or pages.english_pages():
        for path in build(page.resolve()):
            print(f"{path.relative_to(pages.ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
