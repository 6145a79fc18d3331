"""constraints.txt pins every package that an extra of setup.py can install, at a version that setup.py accepts."""

import importlib.metadata
import re
from pathlib import Path
from unittest import mock

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"([\w.-]+)==([\w.+]+)", line) for line in lines if not line.startswith("#")]
    assert all(matches), "each line is NAME==VERSION"
    return {canonicalize_name(match[1]): match[2] for match in matches}


def requirements() -> list[Requirement]:
    with mock.patch("setuptools.setup") as setup:
        exec(
            compile((ROOT / "setup.py").read_text(encoding="utf-8"), "setup.py", "exec"),
            {"__file__": ROOT / "setup.py"},
        )
    options = setup.call_args.kwargs
    listed = [*options["install_requires"], *(text for extra in options["extras_require"].values() for text in extra)]
    return [Requirement(text) for text in listed]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_pin_satisfies_setup_py(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"constraints.txt does not pin {requirement.name}"
    assert requirement.specifier.contains(pin), f"constraints.txt pins {requirement.name} {pin}"


def test_the_build_uses_the_pinned_setuptools():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires = ["setuptools=={pins()["setuptools"]}"]' in text


def test_every_installed_dependency_is_pinned():
    queue, seen = [(requirement.name, requirement.extras) for requirement in requirements()], set()
    while queue:
        name, extras = queue.pop()
        key = canonicalize_name(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # belongs to an extra that is not installed here
        if key in seen:
            continue
        seen.add(key)
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                queue.append((need.name, need.extras))
    assert seen, "no dependency is installed"
    assert not sorted(seen - set(pins())), "constraints.txt lacks these packages"
