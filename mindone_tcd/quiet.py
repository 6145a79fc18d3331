"""Libraries that log what an error of ours says better, or what no user can act on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


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
