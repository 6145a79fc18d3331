"""Libraries that log what an error of ours says better, or what no user can act on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from types import ModuleType


@contextlib.contextmanager
def errors_only(library: str) -> Iterator[None]:
    """Let a library log nothing below errors meanwhile."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _without_advice(run: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    """Import transformers without its advice to install torch or TensorFlow; all else that it logs is logged."""

    def run_quietly(module: ModuleType) -> None:
        logger = logging.getLogger("transformers")
        logger.addFilter(_is_no_advice)
        try:
            run(module)
        finally:
            logger.removeFilter(_is_no_advice)

    return run_quietly


def _is_no_advice(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("None of PyTorch")


REPLACED = {"transformers": _without_advice}
"""How transformers is imported, for :class:`~mindone_tcd.replacing.Replacing`."""
