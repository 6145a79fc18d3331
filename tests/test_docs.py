"""Every Python block of the README and the site runs, but those that need a real checkpoint."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)

QUICK = ("README.md-0", "docs/adapters.md-0")
"""Blocks that plain pytest runs; the others are slow."""


def blocks():
    for page in PAGES:
        for k, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8"))):
            indent, code = match.groups()
            code = "\n".join(line.removeprefix(indent) for line in code.splitlines())
            if "stabilityai/" not in code:
                name = f"{page.relative_to(ROOT)}-{k}"
                yield pytest.param(code, id=name, marks=() if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("code", blocks())
def test_block_runs(code, tmp_path, monkeypatch, added_methods):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "block", "exec"), {"__name__": "block"})
    saved = re.findall(r'\.save\("([^"]+)"\)', code)
    assert sorted(os.listdir(tmp_path)) == sorted(saved)


def test_the_quick_blocks_are_there():
    names = {parameter.id for parameter in blocks()}
    assert set(QUICK) <= names
    assert len(names) > len(QUICK)


def test_every_block_is_python():
    for parameter in blocks():
        compile(*parameter.values, parameter.id, "exec")


def test_the_readme_has_exactly_two_set_up_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^pip install .*$", text, re.MULTILINE)
    assert commands == [
        'pip install -c constraints.txt -e ".[cpu]" && mindone-tcd generate "a red circle on a blue background"',
        'pip install -c constraints.txt -e ".[cpu,test]" && pytest',
    ]
