"""The built site. The fixture `built` fails for a broken link or anchor, and for any other warning of mkdocs."""

import re

import pages
import pytest

pytestmark = pytest.mark.slow

LOADED = re.compile(
    r'<(?:script|img|iframe|source|link(?! rel="canonical"))\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"'
)


def test_nothing_is_loaded_from_another_host(built):
    html = {path: path.read_text(encoding="utf-8") for path in sorted(built.rglob("*.html"))}
    assert len(html) > 40
    assert {path: found for path, text in html.items() if (found := LOADED.findall(text))} == {}
    css = {path: path.read_text(encoding="utf-8") for path in sorted(built.rglob("*.css"))}
    assert [path for path, text in css.items() if re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text)] == []


@pytest.mark.parametrize("page", pages.english_pages()[1:], ids=lambda page: page.relative_to(pages.DOCS).as_posix())
def test_each_page_exists_in_both_languages(built, page):
    name = page.relative_to(pages.DOCS).with_suffix("").as_posix()
    name = "index.html" if name == "index" else f"{name}/index.html"
    english, chinese = ((built / folder / name).read_text(encoding="utf-8") for folder in ("", "zh"))
    assert '<html lang="en"' in english
    assert '<html lang="zh"' in chinese
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese.partition("<article")[2])) > 100


def test_notebooks_are_linked(built):
    for name, page in pages.NOTEBOOKS.items():
        folder = page.removesuffix(".md").removesuffix("index")
        for language in ("", "zh"):
            html = (built / language / folder / "index.html").read_text(encoding="utf-8")
            assert f'download="{name}.ipynb"' in html
            assert (built / language / "notebooks" / f"{name}.ipynb").is_file()
