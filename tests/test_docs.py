"""What the README and the pages of the site say about the code. `tests/site` runs their code blocks."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_has_exactly_two_set_up_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^pip install .*$", text, re.MULTILINE)
    assert commands == [
        'pip install -c constraints.txt -e ".[cpu]" && mindone-tcd generate "a red circle on a blue background"',
        'pip install -c constraints.txt -e ".[cpu,test]" && pytest',
    ]


@pytest.mark.parametrize(("module", "name"), [("lora", "load_lora_weights"), ("ip_adapter", "load_ip_adapter")])
def test_signatures_in_the_documentation_match_the_code(module, name):
    page = (ROOT / "docs" / "api" / "adapters.md").read_text(encoding="utf-8")
    written = re.search(rf"^pipe\.{name}\(\n(.*?)^\)$", page, re.MULTILINE | re.DOTALL)[1]
    code = getattr(importlib.import_module(f"mindone_tcd.adapters.{module}"), name)
    parameters = list(inspect.signature(code).parameters.values())
    first = [parameter.name for parameter in parameters].index("source")
    # In pipelines, the first parameter has the name that mindone and diffusers use.
    expected = ["pretrained_model_name_or_path_or_dict"]
    for parameter in parameters[first + 1 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in expected:
            expected.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        expected.append(("**" if parameter.kind is parameter.VAR_KEYWORD else "") + parameter.name + default)
    assert [line.strip().rstrip(",").replace('"', "'") for line in written.splitlines()] == expected
    described = re.findall(r"^\| `(\w+)` \|", page.partition(f"## pipe.{name}")[2].partition("\n## ")[0], re.MULTILINE)
    assert described == [re.match(r"\**(\w+)", text)[1] for text in expected if text != "*"]


def test_the_site_has_the_files_that_typeset_formulas():
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    files = [ROOT / "docs" / name for name in re.findall(r"^  - (assets/\S+)$", config, re.MULTILINE)]
    style = next(file for file in files if file.suffix == ".css")
    fonts = re.findall(r"url\((fonts/[^)]+\.woff2)\)", style.read_text(encoding="utf-8"))
    files += [style.parent / font for font in fonts]
    assert len(files) > 10
    assert [str(file) for file in files if not file.is_file()] == []
