"""Build Jupyter notebooks from pages of the site, run them, and store them with their outputs in docs/notebooks.

    python tools/docs/build_notebooks.py
    python tools/docs/build_notebooks.py controlnet

The blocks of a page that run become code cells, and everything else becomes text. Where the page shows an image that a
block wrote, the notebook displays it. A Chinese notebook has the outputs of the English one: their code is the same.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from build_images import optimized
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pages import DOCS, NOTEBOOKS, Part, images, parts

FOLDER = DOCS / "notebooks"
SUFFIXES = "", ".zh"

_ATTRIBUTES = re.compile(r"[ \t]*\{[ \t]*(?:#[\w-]+|\w+=[^}]*)[ \t]*\}")
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])+)\]\((?!https?:)[^)]*\)")
_ADMONITION = re.compile(r'^(?:!!!|\?\?\?\+?) \w+(?: "(.*)")?\n((?:    .*\n|\n)+)', re.MULTILINE)


def page_of(name: str, suffix: str = "") -> Path:
    """The page of a notebook in a language."""
    page = DOCS / NOTEBOOKS[name]
    return page.with_name(f"{page.stem}{suffix}.md")


def path_of(name: str, suffix: str = "") -> Path:
    return FOLDER / f"{name}{suffix}.ipynb"


def plain(text: str) -> str:
    """Text of a page as Markdown that Jupyter knows: without attributes, admonitions and links to other pages."""

    def quote(match: re.Match[str]) -> str:
        lines = [line.removeprefix("    ") for line in match[2].rstrip().splitlines()]
        return "\n".join(f"> {line}".rstrip() for line in [f"**{match[1]}**", "", *lines]) + "\n\n"

    return _ATTRIBUTES.sub("", _LINK.sub(r"\1", _ADMONITION.sub(quote, text)))


def cells_of_text(text: str, page: Path, made: set[str]) -> list[NotebookNode]:
    """The cells of a text: its paragraphs, and the display of each image that a block made."""
    cells: list[NotebookNode] = []
    for paragraph in re.split(r"\n{2,}(?! )", plain(text).strip("\n")):
        shown = images(paragraph)
        names = [Path(image.target).name for image in shown]
        if names and all(name in made for name in names):
            code = ", ".join(f'view.Image("{name}")' for name in names)
            # Not `import Image`, because blocks of the page import Pillow's.
            cells.append(new_code_cell(f"import IPython.display as view\n\nview.display({code})"))
            continue
        cell = new_markdown_cell(paragraph)
        for image, name in zip(shown, names, strict=True):
            data = base64.b64encode((page.parent / image.target).read_bytes()).decode()
            cell.setdefault("attachments", {})[name] = {"image/png": data}
            cell.source = cell.source.replace(f"]({image.target})", f"](attachment:{name})")
        cells.append(cell)
    return cells


def cells_of(part: Part, page: Path, made: set[str]) -> list[NotebookNode]:
    if part.language is None:
        return cells_of_text(part.text, page, made)
    if not part.runs:
        return [new_markdown_cell(f"```{part.language}\n{part.text}```")]
    return [new_code_cell(("%%sh\n" if part.language == "sh" else "") + part.text.rstrip("\n"))]


def joined(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Join texts that follow each other, and number the cells."""
    found: list[NotebookNode] = []
    for cell in cells:
        before = found[-1] if found else None
        if cell.cell_type == "markdown" and before is not None and before.cell_type == "markdown":
            before.source += f"\n\n{cell.source}"
            if "attachments" in cell:
                before.setdefault("attachments", {}).update(cell.attachments)
        else:
            found.append(cell)
    for number, cell in enumerate(found):
        cell.id = f"cell-{number}"
    return found


def convert(page: Path) -> NotebookNode:
    """The notebook of a page, without outputs."""
    text = page.read_text(encoding="utf-8")
    asset_folder = page.name.partition(".")[0]
    made = {Path(image.target).name for image in images(text) if f"tutorials/{asset_folder}/" in image.target}
    cells: list[NotebookNode] = []
    tabs: tuple[str, ...] = ()
    for part in parts(text):
        if part.tabs != tabs and part.tabs:
            cells.append(new_markdown_cell(f"**{part.tabs[-1]}**"))
        tabs = part.tabs
        cells += cells_of(part, page, made)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=joined(cells), metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def smaller(data: str) -> str:
    """A PNG or GIF file in base64, with at most the size of an image of the site."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        path.write_bytes(base64.b64decode(data))
        return base64.b64encode(optimized(path)).decode()


def execute(notebook: NotebookNode) -> NotebookNode:
    """Run the cells in an empty folder. Progress bars and warnings are not stored."""
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=900,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            for kind in {"image/png", "image/gif"} & set(output.get("data", {})):
                output.data[kind] = smaller(output.data[kind])
    return notebook


def with_outputs(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Give a notebook the outputs of another with the same code.

    Raises:
        ValueError: if the code differs.
    """
    own, others = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, executed))
    if [cell.source for cell in own] != [cell.source for cell in others]:
        raise ValueError("the two pages have different code")
    for cell, other in zip(own, others, strict=True):
        cell.outputs, cell.execution_count = other.outputs, other.execution_count
    return notebook


def build(name: str) -> list[Path]:
    """Build the notebook of a page in each language in which the page exists."""
    FOLDER.mkdir(exist_ok=True)
    executed = execute(convert(page_of(name)))
    written = []
    for suffix in SUFFIXES:
        if page_of(name, suffix).is_file():
            notebook = with_outputs(convert(page_of(name, suffix)), executed)
            nbformat.validate(notebook)
            nbformat.write(notebook, path_of(name, suffix))
            written.append(path_of(name, suffix))
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", help=f"from {', '.join(NOTEBOOKS)} (default: all whose page exists)")
    args = parser.parse_args()
    for name in args.name or [name for name in NOTEBOOKS if page_of(name).is_file()]:
        for path in build(name):
            print(f"{path.relative_to(DOCS.parent)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
