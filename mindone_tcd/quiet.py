"""Suppress log messages that repeat an error of this package, or that a user cannot act on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def errors_only(library: str) -> Iterator[None]:
    """Suppress a library's log messages below the level ERROR within this context."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
