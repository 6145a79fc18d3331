"""Files of the repository that no other test reads: the workflow and the issue forms."""

from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_workflow_runs_the_check():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["check"]["steps"]
    assert any(step.get("run") == ".ci/run" for step in steps)
    assert any(step.get("with", {}).get("cache") == "pip" for step in steps)
    cached = next(step["with"]["cache-dependency-path"] for step in steps if "cache" in step.get("with", {}))
    assert all((ROOT / name).is_file() for name in cached.split())


@pytest.mark.parametrize("path", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.name)
def test_each_form_is_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    for field in form["body"]:
        assert field["attributes"]["label"]


def test_the_bug_form_requires_the_selftest():
    (bug,) = (path for path in FORMS if path.name == "bug.yml")
    fields = {field["id"]: field for field in yaml.safe_load(bug.read_text(encoding="utf-8"))["body"]}
    assert fields["selftest"]["validations"]["required"]
    assert "mindone-tcd selftest" in fields["selftest"]["attributes"]["description"]
