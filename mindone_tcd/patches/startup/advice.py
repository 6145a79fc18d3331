"""Import transformers without its log message that advises to install torch or TensorFlow."""

from __future__ import annotations

import logging
from types import ModuleType

from .late_imports import Run


def without_advice(run: Run) -> Run:
    """Wrap the import of transformers: filter out one message."""

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
