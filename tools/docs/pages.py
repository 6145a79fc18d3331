"""The code blocks and images of the site's pages.

In a page, the blocks with the languages `python` and `sh` run from top to bottom, in one namespace and one folder,
unless they are in a tab for published checkpoints. Blocks with other languages, such as `py`, `bash` and `text`, are
only shown. A `sh` block consists of `mindone-tcd` commands; a block with `pip` does not run.

A page shows the files that its blocks write from its folder in `docs/assets/tutorials`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ASSETS = DOCS / "assets" / "tutorials"

SHIPPED = "Shipped model (CPU, offline)", "内置模型（CPU，离线）"
PUBLISHED = "Published checkpoints (Ascend)", "公开权重（Ascend）"

NOTEBOOKS = {
    "quickstart": "index.md",
    "controlnet": "tutorials/controlnet.md",
    "animatediff": "tutorials/animatediff.md",
}
"""The pages that also exist as Jupyter notebooks, in docs/notebooks. `build_notebooks.py` builds them."""

_TAB = re.compile(r'( *)===\+? "(.*)"')
_FENCE = re.compile(r"( *)```(\S*).*")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


class Part(NamedTuple):
    """A code block, or the text between two blocks.

    Attributes:
        language: what follows the three backticks; None for a text.
        text: without the indentation of the tab.
        line: the number of its first line, from 1.
        tabs: the titles of the tabs that it is in, from the outside to the inside.
    """

    language: str | None
    text: str
    line: int
    tabs: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        if self.language not in ("python", "sh") or set(self.tabs) & set(PUBLISHED):
            return False
        return self.language == "python" or not re.search(r"^pip ", self.text, re.MULTILINE)


class Image(NamedTuple):
    """An image that a page shows."""

    alt: str
    target: str
    line: int


def parts(text: str) -> list[Part]:
    """Divide a page into texts and code blocks, in order."""
    found: list[Part] = []
    tabs: list[tuple[int, str]] = []
    fence: tuple[int, str] | None = None
    lines: list[str] = []
    first = 1

    def add(language: str | None) -> None:
        if language is not None or any(lines):
            titles = tuple(title for _, title in tabs)
            found.append(Part(language, "".join(f"{line}\n" for line in lines), first, titles))
        lines.clear()

    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None:
            indent, language = fence
            if line.strip() == "```" and line.startswith(" " * indent):
                add(language)
                fence, first = None, number + 1
            else:
                lines.append(line.removeprefix(" " * indent))
            continue
        if line.strip() and tabs and len(line) - len(line.lstrip()) <= tabs[-1][0]:
            add(None)
            first = number
            while tabs and len(line) - len(line.lstrip()) <= tabs[-1][0]:
                tabs.pop()
        if match := _TAB.fullmatch(line):
            add(None)
            tabs.append((len(match[1]), match[2]))
            first = number + 1
        elif match := _FENCE.fullmatch(line):
            add(None)
            fence, first = (len(match[1]), match[2]), number + 1
        else:
            lines.append(line.removeprefix(" " * 4 * len(tabs)))
    if fence is not None:
        raise ValueError(f"line {first - 1}: the code block has no end")
    add(None)
    return found


def blocks(text: str) -> list[Part]:
    """The code blocks of a page."""
    return [part for part in parts(text) if part.language is not None]


def images(text: str) -> list[Image]:
    """The images that a page shows, also those in tabs and tables, but not those in code blocks."""
    found = []
    for part in parts(text):
        if part.language is None:
            for match in _IMAGE.finditer(part.text):
                line = part.line + part.text.count("\n", 0, match.start())
                found.append(Image(match[1], match[2], line))
    return found


def english_pages() -> list[Path]:
    """The README, and the pages of the site in English, without those of the API."""
    pages = [path for path in sorted(DOCS.rglob("*.md")) if not path.name.endswith(".zh.md")]
    return [ROOT / "README.md", *(path for path in pages if DOCS / "api" not in path.parents)]


def made_images(page: Path) -> list[Path]:
    """The files in the page's folder of assets that it shows. Its blocks write files with these names."""
    folder = ASSETS / page.stem
    targets = [(page.parent / image.target).resolve() for image in images(page.read_text(encoding="utf-8"))]
    return [path for path in dict.fromkeys(targets) if path.parent == folder]


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a `sh` block, as lists of arguments."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def run(page: Path, folder: Path) -> None:
    """Run the blocks of a page in a folder.

    Raises:
        Exception: what a block raises. The traceback contains the line of the page.
        RuntimeError: if a command fails or is not `mindone-tcd`.
    """
    from mindone_tcd.cli import main

    names = {"__name__": "page"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks(page.read_text(encoding="utf-8")):
            if not block.runs:
                continue
            if block.language == "python":
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
                continue
            for words in commands(block.text):
                if words[0] != "mindone-tcd":
                    raise RuntimeError(
                        f"{page}:{block.line}: {words[0]} does not run here: use ```bash to only show it"
                    )
                code = main(words[1:])
                if code:
                    raise RuntimeError(f"{page}:{block.line}: {shlex.join(words)} ends with {code}")
    finally:
        os.chdir(before)
