"""The documentation's page on mindone's defects against the table in the code."""

import re
from pathlib import Path

import pytest

from mindone_tcd.mendings import MENDINGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "mindone-defects.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ELSEWHERE = dict(re.findall(r"^\| \[(.+?)\]\(#.*?\| `(mindone_tcd/.+?)` \|$", PAGE, re.MULTILINE))


def test_page_and_code_name_the_same_defects():
    names = [*(mending.name for mending in MENDINGS), *ELSEWHERE]
    assert list(SECTIONS) == names
    rows = re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", PAGE, re.MULTILINE)
    assert rows == [(name, re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-")) for name in names]


@pytest.mark.parametrize("name", SECTIONS)
def test_each_is_told_whole(name):
    for part in ("**Where:**", "**What happens:**", "```py\n", "**Expected:**", "**Remedy:**"):
        assert part in SECTIONS[name], part


def test_each_mending_is_told_with_its_files():
    for mending in MENDINGS:
        for file in re.findall(r"[\w/]+\.py", mending.where):
            assert file in SECTIONS[mending.name], (mending.name, file)


def test_what_is_handled_elsewhere_says_where():
    assert len(ELSEWHERE) > 5
    for name, room in ELSEWHERE.items():
        assert (ROOT / room).is_file(), room
        assert f"`{room}`" in SECTIONS[name].partition("**Remedy:**")[2], name
