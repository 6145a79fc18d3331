"""Tiny pipelines for the tests of the adapters."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def pipeline():
    """A new tiny pipeline for each call."""
    import tiny

    return tiny.mindone_pipeline
