"""Scripts of the repository as modules, and folders of text files for tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def script(path: str, name: str | None = None) -> ModuleType:
    """Run a script that belongs to no package, and return it as a module.

    Args:
        path: relative to the repository's root.
        name: the name of the module; by default that of the file.
    """
    spec = importlib.util.spec_from_file_location(name or Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_files(root: Path, files: dict[str, str]) -> None:
    """Write text files, by their paths below a folder. Missing folders are created."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
