"""Hooks of mkdocs: the gallery, the links to the Jupyter notebooks, and a search index for each language.

The search of the theme has one index, whose results would be pages of both languages.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages
from mkdocs.plugins import event_priority

MARK = "<!-- gallery -->"

DOWNLOAD = {".md": "Download this page as a Jupyter notebook", ".zh.md": "下载本页的 Jupyter 笔记本"}


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


def with_notebook(markdown: str, page: str, suffix: str) -> str:
    """Add a link to the notebook of a page, if there is one, below the page's title."""
    for name, source in pages.NOTEBOOKS.items():
        if source == page and (pages.DOCS / "notebooks" / f"{name}{suffix.removesuffix('.md')}.ipynb").is_file():
            link = Path(os.path.relpath(pages.DOCS / "notebooks" / f"{name}.ipynb", (pages.DOCS / page).parent))
            title, _, rest = markdown.lstrip().partition("\n")
            return f'{title}\n\n[{DOWNLOAD[suffix]}]({link.as_posix()}){{ download="{name}.ipynb" }}\n{rest}'
    return markdown


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    source = Path(page.file.abs_src_path)
    suffix = ".zh.md" if source.name.endswith(".zh.md") else ".md"
    english = source.with_name(f"{source.name.removesuffix(suffix)}.md")
    markdown = with_notebook(markdown, english.relative_to(pages.DOCS).as_posix(), suffix)
    if MARK not in markdown:
        return markdown
    tutorials = [pages.DOCS / name for name in in_nav(config["nav"]) if name.startswith("tutorials/")]
    return markdown.replace(MARK, gallery(tutorials, suffix, source.parent))


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """Let the Chinese pages search in their own index, which is below their base: the folder of the language."""
    if not page.url.startswith("zh/"):
        return output
    return re.sub(r'("base": ?")\.\.(?:/(\.\.[^"]*))?"', lambda match: f'{match[1]}{match[2] or "."}"', output, count=1)


def in_two(index: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide an index into those of the English and of the Chinese pages."""
    prefix = "zh/"
    chinese = [entry for entry in index["docs"] if entry["location"].startswith(prefix)]
    english = [entry for entry in index["docs"] if not entry["location"].startswith(prefix)]
    chinese = [{**entry, "location": entry["location"].removeprefix(prefix)} for entry in chinese]
    return {**index, "config": {**index["config"], "lang": ["en"]}, "docs": english}, {**index, "docs": chinese}


@event_priority(-200)  # after the plugin i18n, which joins the entries of both languages
def on_post_build(*, config: Any) -> None:
    folder = Path(config["site_dir"])
    whole = folder / "search" / "search_index.json"
    english, chinese = in_two(json.loads(whole.read_text(encoding="utf-8")))
    whole.write_text(json.dumps(english), encoding="utf-8")
    if chinese["docs"]:
        (folder / "zh" / "search").mkdir(parents=True, exist_ok=True)
        (folder / "zh" / "search" / whole.name).write_text(json.dumps(chinese), encoding="utf-8")
