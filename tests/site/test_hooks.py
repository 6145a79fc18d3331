from types import SimpleNamespace

import pages
import pytest
import yaml

pytest.importorskip("mkdocs", reason='the site needs pip install -e ".[docs]"')

import hooks


def test_the_pages_of_nav_in_order():
    nav = [{"Quickstart": "index.md"}, {"Tutorials": [{"One": "b.md"}, "a.md"]}]
    assert list(hooks.in_nav(nav)) == ["index.md", "b.md", "a.md"]


@pytest.fixture
def tutorials(tmp_path, monkeypatch):
    """Two tutorials, one of them with images and a Chinese page."""
    monkeypatch.setattr(pages, "ASSETS", tmp_path / "assets" / "tutorials")
    folder = tmp_path / "tutorials"
    folder.mkdir()
    text = "# Stars\n\n![A star](../assets/tutorials/one/star.png)\n\n![A photo](../assets/photo.png)\n"
    (folder / "one.md").write_text(text, encoding="utf-8")
    chinese = text.replace("Stars", "星星 { #stars }").replace("A star", "一颗星")
    (folder / "one.zh.md").write_text(chinese, encoding="utf-8")
    (folder / "two.md").write_text("# Two\n", encoding="utf-8")
    return [folder / "one.md", folder / "two.md"]


def test_the_gallery_shows_what_tutorials_make(tutorials, tmp_path):
    english = hooks.gallery(tutorials, ".md", tmp_path)
    assert english.startswith("## [Stars](tutorials/one.md) { #one }\n")
    assert "[![A star](assets/tutorials/one/star.png)](tutorials/one.md)" in english
    assert "photo" not in english
    assert "Two" not in english
    chinese = hooks.gallery(tutorials, ".zh.md", tmp_path)
    assert chinese.startswith("## [星星](tutorials/one.md) { #one }\n")
    assert "[![一颗星](assets/tutorials/one/star.png)](tutorials/one.md)" in chinese


def test_every_tutorial_is_in_nav():
    nav = yaml.safe_load((pages.ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    expected = {path.relative_to(pages.DOCS).as_posix() for path in pages.english_pages()[1:]}
    expected |= {path.relative_to(pages.DOCS).as_posix() for path in (pages.DOCS / "api").glob("*.md")}
    assert sorted(hooks.in_nav(nav)) == sorted(expected)


@pytest.mark.parametrize(
    ("page", "suffix", "link"),
    [
        ("index.md", ".md", '[Download this page as a Jupyter notebook](notebooks/quickstart.ipynb){ download="'),
        ("tutorials/controlnet.md", ".zh.md", "[下载本页的 Jupyter 笔记本](../notebooks/controlnet.ipynb){ download="),
    ],
)
def test_a_page_links_to_its_notebook(tmp_path, monkeypatch, page, suffix, link):
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    assert hooks.with_notebook("# Title\n\nText.\n", page, suffix) == "# Title\n\nText.\n"
    (tmp_path / "notebooks").mkdir()
    for name in pages.NOTEBOOKS:
        (tmp_path / "notebooks" / f"{name}{suffix.removesuffix('.md')}.ipynb").write_text("{}")
    lines = hooks.with_notebook("\n# Title\n\nText.\n", page, suffix).splitlines()
    assert lines[0] == "# Title"
    assert lines[2].startswith(link)
    assert lines[-1] == "Text."


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [("zh/", "..", "."), ("zh/api/load/", "../../..", "../.."), ("", ".", "."), ("api/load/", "../..", "../..")],
)
def test_chinese_pages_have_the_base_of_their_language(url, base, expected):
    html = '<script id="__config">{"annotate": null, "base": "BASE", "features": []}</script>'
    page = SimpleNamespace(url=url)
    assert hooks.on_post_page(html.replace("BASE", base), page=page, config={}) == html.replace("BASE", expected)


def test_an_index_for_each_language():
    entries = [{"location": location, "text": location} for location in ("", "api/", "zh/", "zh/api/#x")]
    english, chinese = hooks.in_two({"config": {"lang": ["en", "zh"], "separator": "x"}, "docs": entries})
    assert english["config"] == {"lang": ["en"], "separator": "x"}
    assert chinese["config"]["lang"] == ["en", "zh"]
    assert [entry["location"] for entry in english["docs"]] == ["", "api/"]
    assert [entry["location"] for entry in chinese["docs"]] == ["", "api/#x"]
