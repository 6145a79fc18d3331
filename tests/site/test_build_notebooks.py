import base64

import pages
import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason='notebooks need pip install -e ".[docs]"')
pytest.importorskip("nbclient")

import build_images  # noqa: E402
import build_notebooks  # noqa: E402

TEXT = """# Stars { #stars }

A [link](other.md#x), a [paper](https://example.org), and [`code`](api.md).

!!! tip "Small stars"
    Use a small star.

    Or two.

=== "Shipped model (CPU, offline)"

    ```python
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save("red.png")
    print(6 * 7)
    ```

=== "Published checkpoints (Ascend)"

    ```python
    nonsense
    ```

| one | two |
|---|---|
| ![A red image](../assets/tutorials/page/red.png){ width="64" } | ![Again](../assets/tutorials/page/red.png) |

![A photo of a star](photo.png){ width="64" }

```sh
mindone-tcd --version
```
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(TEXT, encoding="utf-8")
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    return path


def test_a_page_becomes_cells(page):
    notebook = build_notebooks.convert(page)
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown", "code", "markdown", "code", "markdown", "code"]
    text, code, published, display, photo, command = notebook.cells
    assert text.source.startswith(
        "# Stars\n\nA link, a [paper](https://example.org), and `code`.\n\n> **Small stars**\n>\n"
    )
    assert text.source.endswith("> Or two.\n\n**Shipped model (CPU, offline)**")
    assert code.source.startswith("from PIL import Image\n\nImage.new(")
    assert published.source == "**Published checkpoints (Ascend)**\n\n```python\nnonsense\n```"
    assert display.source.endswith('view.display(view.Image("red.png"), view.Image("red.png"))')
    assert photo.source == "![A photo of a star](attachment:photo.png)"
    assert list(photo.attachments) == ["photo.png"]
    assert command.source == "%%sh\nmindone-tcd --version"


def test_outputs_are_those_of_the_same_code(page):
    one, two = build_notebooks.convert(page), build_notebooks.convert(page)
    one.cells[1].outputs = [nbformat.v4.new_output("stream", text="42\n")]
    assert build_notebooks.with_outputs(two, one).cells[1].outputs[0].text == "42\n"
    two.cells[1].source += " # other"
    with pytest.raises(ValueError, match="different code"):
        build_notebooks.with_outputs(two, one)


def images(notebook):
    """The images in the outputs, as bytes."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    data = [output.get("data", {}) for output in outputs]
    return [base64.b64decode(each[kind]) for each in data for kind in ("image/png", "image/gif") if kind in each]


@pytest.mark.slow
def test_a_notebook_runs(page):
    notebook = build_notebooks.execute(build_notebooks.convert(page))
    assert [output.text for output in notebook.cells[1].outputs] == ["42\n"]
    assert len(images(notebook)) == 2


STORED = [
    pytest.param(name, suffix, id=f"{name}{suffix}")
    for name in pages.NOTEBOOKS
    for suffix in build_notebooks.SUFFIXES
    if build_notebooks.page_of(name, suffix).is_file()
]


@pytest.mark.parametrize(("name", "suffix"), STORED)
def test_a_stored_notebook_is_that_of_its_page(name, suffix):
    stored = nbformat.read(build_notebooks.path_of(name, suffix), as_version=4)
    nbformat.validate(stored)
    made = build_notebooks.convert(build_notebooks.page_of(name, suffix))
    assert [cell.source for cell in stored.cells] == [cell.source for cell in made.cells], (
        f"build it again: python tools/docs/build_notebooks.py {name}"
    )
    assert not [cell for cell in stored.cells if cell.cell_type == "code" and cell.execution_count is None]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in pages.NOTEBOOKS if build_notebooks.page_of(name).is_file()])
def test_a_stored_notebook_has_the_outputs_of_a_run(name, tmp_path):
    stored = nbformat.read(build_notebooks.path_of(name), as_version=4)
    executed = build_notebooks.execute(build_notebooks.convert(build_notebooks.page_of(name)))
    assert len(images(stored)) == len(images(executed))
    for k, pair in enumerate(zip(images(stored), images(executed), strict=True)):
        paths = tmp_path / f"{k}-stored", tmp_path / f"{k}-executed"
        for path, data in zip(paths, pair, strict=True):
            path.write_bytes(data)
        build_images.check_equal(*paths)
