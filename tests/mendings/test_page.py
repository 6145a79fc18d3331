"""The documentation's page on mindone's defects against the table in the code."""

import re
from pathlib import Path

from mindone_tcd.mendings import MENDINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mindone-defects.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_page_and_code_name_the_same_defects():
    names = [mending.name for mending in MENDINGS]
    assert list(SECTIONS) == names
    rows = re.findall(r"^\| \[(.+?)\]\(#", PAGE, re.MULTILINE)
    assert rows == names


def test_each_is_told_whole():
    for mending in MENDINGS:
        section = SECTIONS[mending.name]
        for part in ("**Where:**", "**What happens:**", "```py\n", "**Expected:**", "**Remedy:**"):
            assert part in section, (mending.name, part)
        for file in re.findall(r"[\w/]+\.py", mending.where):
            assert file in section, (mending.name, file)
