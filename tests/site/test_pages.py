"""The pages of the site: how they are read, that their blocks run, and the images that they show."""

import re
from pathlib import Path

import build_images
import pages
import pytest

ALL = [pages.ROOT / "README.md", *sorted(pages.DOCS.rglob("*.md"))]
WITH_BLOCKS = [page for page in pages.english_pages() if any(b.runs for b in pages.blocks(page.read_text("utf-8")))]
CHINESE = [page for page in ALL if page.name.endswith(".zh.md")]

TEXT = """# Title

```python
x = 1
```

=== "Shipped model (CPU, offline)"

    ![One](a.png){ width="256" }

    ```python
    for k in range(2):
        x += k

    ```

    === "Inner"

        ```sh
        mindone-tcd generate "a  b" \\
            --seed 3  # a comment
        ```

    ```py
    shown
    ```

=== "Published checkpoints (Ascend)"

    Text.

    ```python
    nonsense
    ```

- item

  ```sh
  pip install x
  ```

| a | b |
|---|---|
| ![Two](../b.png) | ![](c.gif) |

```text
![Three](d.png)
```
"""


def name(page: Path) -> str:
    return page.relative_to(pages.ROOT).as_posix()


def test_blocks_and_the_tabs_that_they_are_in():
    found = pages.blocks(TEXT)
    assert [(block.language, block.line, block.runs) for block in found] == [
        ("python", 4, True),
        ("python", 12, True),
        ("sh", 20, True),
        ("py", 25, False),
        ("python", 33, False),
        ("sh", 39, False),
        ("text", 47, False),
    ]
    assert found[1].text == "for k in range(2):\n    x += k\n\n"
    assert [block.tabs for block in found[:5]] == [
        (),
        (pages.SHIPPED[0],),
        (pages.SHIPPED[0], "Inner"),
        (pages.SHIPPED[0],),
        (pages.PUBLISHED[0],),
    ]
    assert list(pages.commands(found[2].text)) == [["mindone-tcd", "generate", "a  b", "--seed", "3"]]
    with pytest.raises(ValueError, match="line 3: the code block has no end"):
        pages.parts("a\n\n```python\nx")


def test_images_outside_code_blocks():
    assert pages.images(TEXT) == [("One", "a.png", 9), ("Two", "../b.png", 44), ("", "c.gif", 44)]


@pytest.fixture
def page(tmp_path):
    """A function that writes a page with one block, and returns its path."""

    def write(language, code):
        path = tmp_path / "page.md"
        path.write_text(f"# Title\n\n```{language}\n{code}\n```\n", encoding="utf-8")
        return path

    return write


def test_an_error_of_a_block_has_the_line_of_the_page(page, tmp_path):
    path = page("python", "x = 1\nraise KeyError(x)")
    with pytest.raises(KeyError) as error:
        pages.run(path, tmp_path)
    assert (Path(error.traceback[-1].path), error.traceback[-1].lineno + 1) == (path, 5)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("ls", "page.md:4: ls does not run here: use ```bash"),
        ("mindone-tcd generate x --steps 0", "page.md:4: mindone-tcd generate x --steps 0 ends with 2"),
    ],
)
def test_a_command_that_fails(page, tmp_path, command, message):
    with pytest.raises(RuntimeError, match=message):
        pages.run(page("sh", command), tmp_path)


def test_blocks_are_python():
    for page in ALL:
        for block in pages.blocks(page.read_text(encoding="utf-8")):
            if block.language == "python":
                compile(block.text, f"{name(page)}:{block.line}", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name)
def test_blocks_run_and_make_the_images_of_the_page(page, tmp_path, added_methods):
    pages.run(page, tmp_path)
    for stored in pages.made_images(page):
        build_images.check_equal(stored, tmp_path / stored.name)


@pytest.mark.parametrize("page", ALL, ids=name)
def test_images_are_small_and_described(page):
    for image in pages.images(page.read_text(encoding="utf-8")):
        place = f"{name(page)}:{image.line}"
        path = (page.parent / image.target).resolve()
        assert path.is_file(), f"{place}: there is no {image.target}"
        assert path.stat().st_size <= build_images.LARGEST, f"{place}: {image.target} is too large"
        assert len(image.alt.split()) > 1 or re.search(r"[\u4e00-\u9fff]{3}", image.alt), f"{place}: no alt text"


def test_each_stored_image_is_shown():
    shown = {path for page in pages.english_pages() for path in pages.made_images(page)}
    stored = {path for path in pages.ASSETS.rglob("*") if path.is_file()}
    assert stored - shown == set()


@pytest.mark.parametrize("page", pages.english_pages()[1:], ids=name)
def test_each_page_has_a_chinese_page(page):
    assert page.with_name(f"{page.stem}.zh.md").is_file()


@pytest.mark.parametrize("page", CHINESE, ids=name)
def test_a_chinese_page_has_the_blocks_and_images_of_the_english_one(page):
    text = page.read_text(encoding="utf-8")
    english = page.with_name(page.name.replace(".zh.md", ".md")).read_text(encoding="utf-8")
    own, expected = ([(b.language, b.text) for b in pages.blocks(each)] for each in (text, english))
    assert own == expected
    assert [i.target for i in pages.images(text)] == [i.target for i in pages.images(english)]
    assert not [i for i in pages.images(text) if not re.search(r"[\u4e00-\u9fff]", i.alt)], "alt text in English"
    titles = [title for part in pages.parts(text) for title in part.tabs]
    assert not {pages.SHIPPED[0], pages.PUBLISHED[0]} & set(titles), "use the Chinese titles of tabs"
