"""Loading of the pipeline, without the output of the libraries that it imports."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..generate.setup import Setup

if TYPE_CHECKING:
    from ..generate.loaded import LoadedPipeline


@contextlib.contextmanager
def suppressed_library_output() -> Iterator[Callable[[str], None]]:
    """Suppress what libraries print during import; yield a function that still prints a line."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("GLOG_v", "3")  # MindSpore: errors, but no warnings
    stdout = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        yield lambda line: print(line, file=stdout, flush=True)


def load(
    setup: Setup, dtype: str | None, form: str | None, record_paths: bool = False, quantize: str | None = None
) -> LoadedPipeline:
    print("loading MindSpore and the model …", file=sys.stderr, flush=True)
    with suppressed_library_output():
        from ..generate.loading import load_planned

        return load_planned(setup, dtype, form, record_paths, quantize)
