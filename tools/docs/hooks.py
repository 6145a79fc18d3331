"""Hooks of mkdocs: the gallery shows the images of all tutorials."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages

MARK = "<!-- gallery -->"


def in_nav(nav: Any) -> Iterator[str]:
    """The pages of a part of `nav`, in order."""
    if isinstance(nav, str):
        yield nav
    elif nav:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from in_nav(each)


def gallery(tutorials: list[Path], suffix: str, start: Path) -> str:
    """The sections of the gallery.

    Args:
        tutorials: the pages in English. For another language, the pages beside them are used, if they exist.
        suffix: of the pages of the language, such as `.zh.md`.
        start: the folder that the links are relative to.
    """
    sections = []
    for english in tutorials:
        made = set(pages.made_images(english))
        localized = english.with_name(f"{english.stem}{suffix}")
        text = (localized if localized.is_file() else english).read_text(encoding="utf-8")
        title = next(line for line in text.splitlines() if line.startswith("# ")).removeprefix("# ").partition(" {")[0]
        link = Path(os.path.relpath(english, start)).as_posix()
        shown = {(english.parent / image.target).resolve(): image.alt for image in pages.images(text)}
        lines = [
            f"[![{alt}]({Path(os.path.relpath(path, start)).as_posix()})]({link})"
            for path, alt in shown.items()
            if path in made
        ]
        if lines:
            sections.append(
                f"## [{title}]({link}) {{ #{english.stem} }}\n\n"
                '<div class="gallery" markdown>\n\n' + "\n".join(lines) + "\n\n</div>\n"
            )
    return "\n".join(sections)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    if MARK not in markdown:
        return markdown
    source = Path(page.file.abs_src_path)
    tutorials = [pages.DOCS / name for name in in_nav(config["nav"]) if name.startswith("tutorials/")]
    return markdown.replace(MARK, gallery(tutorials, source.name.removeprefix("gallery"), source.parent))
