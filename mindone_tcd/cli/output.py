"""The files that a command writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..generate.generated_clip import GeneratedClip, check_clip_writable
from ..generate.generated_image import GeneratedImage, check_writable
from ..generate.output_names import free, refuse_existing, save_new


def output_paths(
    args: argparse.Namespace, default: Path, files: Callable[[Path], list[Path]], clips: int = 0
) -> list[Path]:
    """Return the files to write, of ``--out`` or of a new name from the default one. Check that they can be written.

    Args:
        args: the arguments of the command.
        default: the name to use without ``--out``.
        files: returns the files of a run for a name.
        clips: how many of the first files are clips.
    """
    if args.overwrite or args.out:
        paths = files(args.out or default)
        if not args.overwrite:
            refuse_existing(paths)
    else:
        paths = free(default, files)
    for k, path in enumerate(paths):
        (check_clip_writable if k < clips else check_writable)(path)
    return paths


def save(image: GeneratedImage | GeneratedClip, path: Path, overwrite: bool) -> Path:
    """Save an image or clip, print its path and return it."""
    saved = save_new(image, path, overwrite)
    if saved != path:
        print(f"warning: another process has written {path} in the meantime; this is {saved}", file=sys.stderr)
    print(saved, flush=True)
    return saved
