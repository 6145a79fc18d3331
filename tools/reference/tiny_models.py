"""Record the layouts of the tiny random models: the files, keys, shapes and dtypes that diffusers writes.

    python tools/reference/tiny_models.py [NAME ...]

diffusers and transformers build and save each kind on torch (tiny_model_builders.py). The result, without the values of
the weights, is stored in mindone_tcd/tiny_models/layouts/NAME.json.gz.
"""

from __future__ import annotations

import argparse
import gzip
import json
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model_builders import BUILDERS

from mindone_tcd.shapes.folder import SHAPES_FOLDER
from mindone_tcd.tiny_models import LAYOUTS


def header(path: Path) -> dict:
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return json.loads(stream.read(length))


def describe(folder: Path) -> dict:
    """A folder without its values: JSON files as text, safetensors as metadata and key -> (dtype, shape)."""
    layout: dict[str, dict] = {"text": {}, "tokenizer": {}, "weights": {}}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        shipped = SHAPES_FOLDER / "tokenizer" / path.name
        if path.suffix == ".safetensors":
            entries = header(path)
            metadata = entries.pop("__metadata__", None)
            tensors = {key: [entry["dtype"], entry["shape"]] for key, entry in sorted(entries.items())}
            layout["weights"][name] = {"metadata": metadata, "tensors": tensors}
        elif path.parent.name.startswith("tokenizer") and path.read_bytes() == shipped.read_bytes():
            layout["tokenizer"][name] = path.name
        else:
            layout["text"][name] = path.read_text(encoding="utf-8")
    return layout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BUILDERS)}; by default all")
    names = parser.parse_args().names
    unknown = [name for name in names if name not in BUILDERS]
    if unknown:
        parser.error(f"unknown kind {unknown[0]!r}; choose from: {', '.join(BUILDERS)}")
    for name in names or BUILDERS:
        with tempfile.TemporaryDirectory() as folder:
            BUILDERS[name](Path(folder))
            text = json.dumps(describe(Path(folder)), separators=(",", ":"), ensure_ascii=False)
        path = LAYOUTS / f"{name}.json.gz"
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(name, path.stat().st_size)


if __name__ == "__main__":
    main()
