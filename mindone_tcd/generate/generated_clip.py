"""A clip and its record. GIF and PNG files store the record, which says how to generate the clip again."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from ..errors import UsageError, first_line, shown
from ..storage.own_files import temporary_folder
from .gif_record import PREFIX
from .output_file import Kind, check_output, check_path, png_info, saving
from .record_text import to_text

MOST_FPS = 50
"""Maximum frames per second. GIF states durations in 1/100 s, and browsers slow down frames of less than 2/100 s."""

_KIND = Kind("clips are GIF, animated PNG or MP4 files", (".gif", ".png", ".apng", ".mp4"))


@dataclass(frozen=True)
class GeneratedClip:
    """A sequence of images.

    Attributes:
        frames: PIL images of one size, RGB; at least one.
        record: everything needed to generate the clip again, as for
            :class:`~mindone_tcd.generate.generated_image.GeneratedImage`.
        fps: frames per second, from 1 to 50.
    """

    frames: list[Image.Image]
    record: dict[str, Any]
    fps: int = 8

    def __post_init__(self) -> None:
        if not self.frames:
            raise UsageError("a clip has no frames; expected at least one image")
        sizes = sorted({frame.size for frame in self.frames})
        if len(sizes) > 1:
            raise UsageError(f"the frames of a clip have the sizes {sizes[0]} and {sizes[1]}; expected one size")
        if isinstance(self.fps, bool) or not isinstance(self.fps, int) or not 1 <= self.fps <= MOST_FPS:
            raise UsageError(f"fps is {shown(self.fps)}; expected an integer from 1 to {MOST_FPS}")

    def save(self, path: str | Path, overwrite: bool = True) -> Path:
        """Write a GIF, an animated PNG or an MP4 file. The file is written atomically.

        A GIF has at most 256 colors, the same for all frames; it contains the record as a comment. A PNG is lossless
        and contains the record as an image does. Both repeat endlessly. An MP4 file contains no record; it needs the
        package imageio-ffmpeg, and even numbers of pixels.

        Args:
            path: the file; its name ends in ``.gif``, ``.png``, ``.apng`` or ``.mp4``.
            overwrite: whether an existing file is replaced.

        Returns:
            The path.

        Raises:
            FileExistsError: if the file exists and ``overwrite`` is False.
            UsageError: if the file cannot be written.
        """
        path = Path(path)
        check_path(path, _KIND)
        frames = [frame.convert("RGB") for frame in self.frames]
        suffix = path.suffix.lower()
        if suffix == ".mp4":
            width, height = frames[0].size
            if width % 2 or height % 2:
                raise UsageError(
                    f"cannot write {path}: the frames have {width}x{height} pixels, but MP4 needs even numbers; give a "
                    "name that ends in .gif or .png"
                )
            ffmpeg = _ffmpeg(path)
            with saving(path, overwrite) as stream:
                _write_mp4(stream, frames, self.fps, ffmpeg)
        elif suffix == ".gif":
            comment = PREFIX + to_text(self.record, path, ascii_only=True).encode()
            frames, palette = _of_one_palette(frames)
            with saving(path, overwrite) as stream:
                frames[0].save(
                    stream, "GIF", save_all=True, append_images=frames[1:], comment=comment,
                    duration=_durations(len(frames), self.fps, 10), loop=0, palette=palette,
                )  # fmt: skip
        else:
            info = png_info(self.record, path)
            with saving(path, overwrite) as stream:
                frames[0].save(
                    stream, "PNG", save_all=True, append_images=frames[1:], pnginfo=info,
                    duration=_durations(len(frames), self.fps, 1), loop=0,
                )  # fmt: skip
        return path


def check_clip_writable(path: str | Path) -> None:
    """Check, before any work, that a clip can be written to this path.

    Raises:
        UsageError: if the path is a folder, has another suffix than ``GeneratedClip.save`` accepts, is in a missing
            folder, has a name that is too long, no file can be created there, or the package for MP4 files is missing.
    """
    path = Path(path)
    check_output(path, _KIND)
    if path.suffix.lower() == ".mp4":
        _ffmpeg(path)


def _durations(count: int, fps: int, unit: int) -> list[int]:
    """Return the duration of each frame in ms, in multiples of ``unit`` ms. Rounding errors do not add up."""
    ends = [k * 1000 // (fps * unit) * unit for k in range(count + 1)]
    return [end - start for start, end in itertools.pairwise(ends)]


def _of_one_palette(frames: list[Image.Image]) -> tuple[list[Image.Image], bytes]:
    """Return the frames in one palette, and the palette, so that colors do not flicker.

    Without dithering, equal areas of successive frames stay equal.
    """
    width, height = frames[0].size
    strip = Image.new("RGB", (width, height * len(frames)))
    for k, frame in enumerate(frames):
        strip.paste(frame, (0, k * height))
    strip = strip.quantize(256, dither=Image.Dither.NONE)
    assert strip.palette is not None
    palette = bytes(strip.palette.palette)
    return [strip.crop((0, k * height, width, (k + 1) * height)) for k in range(len(frames))], palette


def _ffmpeg(path: Path) -> str:
    """Return the program that writes MP4 files.

    Raises:
        UsageError: if its package is not installed.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            f"cannot write {path}: MP4 files need imageio-ffmpeg ({first_line(error)}); install it with "
            "'pip install imageio-ffmpeg', or give a name that ends in .gif"
        ) from error


@functools.cache
def _folder() -> Path:
    return temporary_folder("clips")


def _write_mp4(stream: BinaryIO, frames: list[Image.Image], fps: int, ffmpeg: str) -> None:
    """Write an H.264 video, through a temporary file because ffmpeg needs one in which it can seek.

    Raises:
        OSError: if ffmpeg fails.
    """
    width, height = frames[0].size
    handle, name = tempfile.mkstemp(suffix=".mp4", dir=_folder())
    os.close(handle)
    try:
        done = subprocess.run(
            [
                *(ffmpeg, "-loglevel", "error", "-y"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"),
                *("-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
                # Players assume different color matrices for small and large videos, unless one is stated.
                *("-vf", "scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709"),
                name,
            ],
            input=b"".join(frame.tobytes() for frame in frames),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise OSError(f"ffmpeg failed: {shown(lines[-1]) if lines else done.returncode}")
        with open(name, "rb") as video:
            shutil.copyfileobj(video, stream)
    finally:
        os.unlink(name)
