"""Images and masks from files, URLs and Python, read and checked without MindSpore."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..errors import UsageError, UsageWarning, first_line, shown, warn_user
from .download import fetch, is_url

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""The formats that are read, by the names that Pillow uses."""

MOST_BYTES = 1 << 28
"""Maximum bytes of a file."""

MOST_PIXELS = 1 << 26
MOST_SIDE = 1 << 15
LEAST_SIDE = 8
"""Limits of an image's size in pixels. They are checked before any pixel is decoded."""

_EXPECTED = "a PNG, JPEG, WebP, BMP or GIF image"
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class InputImage:
    """An image that a user passed.

    Attributes:
        image: mode RGB, or L for a mask; 8 bits, upright, without metadata.
        name: the path as given, or the URL; None for pixels passed from Python.
        sha256: the digest of the file's bytes; for pixels, of mode, size and bytes of ``image``.
    """

    image: Image.Image
    name: str | None
    sha256: str


def open_image(source: str | os.PathLike[str] | Image.Image | np.ndarray, what: str) -> InputImage:
    """Return an image in mode RGB.

    The first frame of an animation is used. An alpha channel is put on white. Gray levels of 16 bits, and floats, are
    scaled to 8 bits.

    Args:
        source: the path or the URL (http, https) of a PNG, JPEG, WebP, BMP or GIF file; a PIL image of any mode; or an
            array of RGB values (H, W, 3), uint8 or float from 0 to 1. A PIL image of mode ``I`` has values from 0 to
            65535, one of mode ``F`` from 0 to 1.
        what: the name of the argument, for messages.

    Raises:
        UsageError: if the file is missing, unreadable or not such an image, its size is outside the limits, or an
            array has another shape, type or range.

    Warns:
        UserWarning: if the image is animated or partly transparent.
    """
    return _opened(source, what, _rgb, ndims=(3,))


def open_mask(source: str | os.PathLike[str] | Image.Image | np.ndarray, what: str = "mask") -> InputImage:
    """Return a mask in mode L. White marks where an image changes.

    Transparent pixels are not marked: an alpha channel is put on black. If all visible pixels have one color, as in a
    layer that was painted with one brush, the alpha channel itself is the mask.

    Args:
        source: as for :func:`open_image`; also an array (H, W), uint8, bool or float from 0 to 1.
        what: the name of the argument, for messages.

    Raises:
        UsageError: as :func:`open_image`.

    Warns:
        UserWarning: if the mask is animated or partly transparent.
    """
    return _opened(source, what, _gray, ndims=(2, 3))


def fit_mask(mask: InputImage, size: tuple[int, int]) -> Image.Image:
    """Return a mask's image, mode L, in the size (width, height) of the image that it is for.

    Raises:
        UsageError: if no pixel is at least 128.

    Warns:
        UserWarning: if the mask has another size, or every pixel is at least 128.
    """
    image, label = mask.image, "the mask" if mask.name is None else f"mask {shown(mask.name)}"
    if image.size != size:
        warn_user(f"{label} has {_pixels(image.size)} pixels, but its image has {_pixels(size)}; it was resized")
        image = image.resize(size, Image.Resampling.NEAREST)
    levels = np.asarray(image)
    if levels.max() < 128:
        raise UsageError(f"{label} is black, so there is nothing to change; white marks where the image changes")
    if levels.min() >= 128:
        warn_user(f"{label} is white, so the whole image changes; black marks what stays")
    return image


def _opened(
    source: Any, what: str, convert: Callable[[Image.Image, str], Image.Image], ndims: tuple[int, ...]
) -> InputImage:
    name, content, label = None, None, f"the {what}"
    if isinstance(source, np.ndarray):
        decoded = _from_array(source, label, ndims)
    elif isinstance(source, Image.Image):
        with _readable(label):
            decoded = _upright(source, label)
    else:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        if not isinstance(name, str):
            raise UsageError(
                f"{what} has the type {type(source).__name__}; expected a path, a URL, a PIL image, or a NumPy array"
            )
        label = f"{what} {shown(name)}"
        content = _content(source, name, what, label)
        with _readable(label):
            decoded = _decoded(content, label)
    with _readable(label):
        image = convert(decoded, label)
    image.info = {}
    digest = hashlib.sha256(f"{image.mode} {_pixels(image.size)} ".encode() if content is None else content)
    if content is None:
        digest.update(image.tobytes())
    return InputImage(image, name, digest.hexdigest())


def _content(source: Any, name: str, what: str, label: str) -> bytes:
    """Return the bytes of a file or at a URL. They are read once, so that the digest is that of the decoded bytes."""
    if isinstance(source, str) and is_url(name):
        content = fetch(name, what, MOST_BYTES)
    else:
        if os.path.isdir(name):
            raise UsageError(f"{label} is a folder; pass {_EXPECTED} in it")
        if not os.path.isfile(name):  # returns False, instead of an error, for a name that is too long
            why = "is not a regular file" if os.path.exists(name) else "does not exist"
            raise UsageError(f"{label} {why}; pass the path of {_EXPECTED}")
        try:
            with open(name, "rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > MOST_BYTES:
                    raise UsageError(f"{label} has more than {MOST_BYTES} bytes; pass a smaller file")
                content = stream.read(size)
        except OSError as error:
            raise UsageError(f"{label} cannot be read ({error.strerror or error}); check its permissions") from error
    if not content:
        raise UsageError(f"{label} is empty (0 bytes); pass {_EXPECTED}")
    return content


@contextlib.contextmanager
def _readable(label: str) -> Iterator[None]:
    """Turn any exception of Pillow, which raises many kinds for damaged files, into a :class:`UsageError`."""
    try:
        yield
    except (UsageError, UsageWarning):  # a warning is raised if the user turned warnings into errors
        raise
    except Image.DecompressionBombError:
        raise UsageError(f"{label} has too many pixels; {_LIMITS}") from None
    except Image.UnidentifiedImageError as error:
        raise UsageError(
            f"{label} is not {_EXPECTED}, or its beginning is damaged; convert it to PNG and pass that"
        ) from error
    except Exception as error:
        raise UsageError(
            f"{label} cannot be decoded ({first_line(error)}); it may be truncated or damaged: save it again as PNG"
        ) from error


_LIMITS = f"expected {LEAST_SIDE} to {MOST_SIDE} pixels per side and at most {MOST_PIXELS} pixels; resize it"


def _check_size(size: tuple[int, int], label: str) -> None:
    width, height = size
    if min(size) < LEAST_SIDE or max(size) > MOST_SIDE or width * height > MOST_PIXELS:
        raise UsageError(f"{label} has {_pixels(size)} pixels; {_LIMITS}")


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _decoded(content: bytes, label: str) -> Image.Image:
    """Return the first frame of a file, upright."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of sizes that are refused, and of damaged metadata
        with Image.open(BytesIO(content), formats=FORMATS) as file:
            image = _upright(file, label)
            # A JPEG with a preview image states several frames too, but is no animation.
            animated = file.format != "MPO" and _is_animated(file)
    if animated:
        warn_user(f"{label} is animated; its first frame is used")
    return image


def _is_animated(file: Image.Image) -> bool:
    try:
        return getattr(file, "is_animated", False)
    except Exception:  # the second frame of a GIF is damaged, but the first one was read
        return True


def _upright(image: Image.Image, label: str) -> Image.Image:
    """Return a decoded copy of an image, turned as its EXIF orientation states."""
    _check_size(image.size, label)
    image.load()
    orientation = None
    with contextlib.suppress(Exception):  # damaged EXIF data is no reason to refuse the pixels
        orientation = image.getexif().get(_ORIENTATION)
    turn = _TURNED.get(orientation) if isinstance(orientation, int) else None
    return image.copy() if turn is None else image.transpose(turn)


def _from_array(values: np.ndarray, label: str, ndims: tuple[int, ...]) -> Image.Image:
    shapes = "(H, W) or (H, W, 3)" if 2 in ndims else "(H, W, 3)"
    if values.ndim not in ndims or (values.ndim == 3 and values.shape[2] != 3):
        raise UsageError(f"{label} is an array of shape {values.shape}; expected {shapes}")
    _check_size((values.shape[1], values.shape[0]), label)
    if values.dtype == bool and 2 in ndims:
        values = values * np.uint8(255)
    elif values.dtype.kind == "f":
        values = _to_bytes(values, 1, label, "an array of floats")
    elif values.dtype != np.uint8:
        raise UsageError(f"{label} is an array of {values.dtype}; expected uint8, or float from 0 to 1")
    return Image.fromarray(np.ascontiguousarray(values))


def _to_bytes(values: np.ndarray, most: int, label: str, kind: str) -> np.ndarray:
    """Scale values from 0 to ``most`` to uint8, rounded.

    Raises:
        UsageError: if a value is outside the range, or NaN.
    """
    least, largest = values.min(), values.max()
    if not (least >= 0 and largest <= most):
        raise UsageError(
            f"{label} is {kind} with values from {least:g} to {largest:g}; expected 0 to {most}: scale the values, or "
            "pass 8 bits"
        )
    return np.rint(values.astype(np.float32) * np.float32(255 / most)).astype(np.uint8)


def _eight_bits(image: Image.Image, label: str) -> Image.Image:
    """Return an image of 16-bit, 32-bit or float gray levels in mode L, or LA if one level is transparent."""
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    gray = Image.fromarray(_to_bytes(values, 1 if image.mode == "F" else 65535, label, f"of mode {image.mode}"))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray.putalpha(Image.fromarray((values != transparent) * np.uint8(255)))
    return gray


def _translucent(image: Image.Image) -> Image.Image | None:
    """Return an image in mode RGBA, or None if all its pixels are opaque."""
    if image.mode == "La":
        image = image.convert("LA")  # has no direct conversion to RGBA
    alpha_in_palette = image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"
    if image.mode not in ("RGBA", "RGBa", "LA", "PA") and "transparency" not in image.info and not alpha_in_palette:
        return None
    image = image.convert("RGBA")
    return image if np.asarray(image.getchannel("A")).min() < 255 else None


def _rgb(image: Image.Image, label: str) -> Image.Image:
    image = _eight_bits(image, label)
    translucent = _translucent(image)
    if translucent is None:
        return image.convert("RGB")
    warn_user(f"{label} has an alpha channel; it was put on white")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, translucent).convert("RGB")


def _gray(image: Image.Image, label: str) -> Image.Image:
    image = _eight_bits(image, label)
    translucent = _translucent(image)
    if translucent is None:
        return image.convert("L")
    warn_user(f"{label} has an alpha channel; its transparent pixels mark what stays")
    alpha = translucent.getchannel("A")
    visible = np.asarray(translucent)[np.asarray(alpha) > 0][:, :3]
    if (visible == visible[:1]).all():
        return alpha
    black = Image.new("RGBA", image.size, "black")
    return Image.alpha_composite(black, translucent).convert("L")
