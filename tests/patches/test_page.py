"""The documentation page on mindone's defects agrees with the table of patches."""

import re
from pathlib import Path

import pytest

from mindone_tcd.patches.table import PATCHES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "mindone-defects.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ELSEWHERE = dict(re.findall(r"^\| \[(.+?)\]\(#.*?\| `(mindone_tcd/.+?)` \|$", PAGE, re.MULTILINE))


def test_page_and_code_name_the_same_defects():
    rows = {patch.name for patch in PATCHES if patch.defect}
    assert {patch.name for patch in PATCHES if patch.group == "bug"} < rows
    names = [name for name in SECTIONS if name in rows] + [*ELSEWHERE]
    assert list(SECTIONS) == names
    assert rows <= set(names)
    rows = re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", PAGE, re.MULTILINE)
    assert rows == [(name, re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-")) for name in names]


@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_is_complete(name):
    for part in ("**Where:**", "**What happens:**", "```py\n", "**Expected:**", "**Remedy:**"):
        assert part in SECTIONS[name], part


def test_each_patch_is_described_with_its_files():
    for patch in PATCHES:
        for file in re.findall(r"[\w/]+\.py", patch.where):
            assert file in SECTIONS[patch.name], (patch.name, file)


def test_defects_without_a_row_name_their_module():
    assert len(ELSEWHERE) > 5
    for name, file in ELSEWHERE.items():
        assert (ROOT / file).is_file(), file
        assert f"`{file}`" in SECTIONS[name].partition("**Remedy:**")[2], name
