"""The name and the folder of the model that ships in the package."""

from __future__ import annotations

from pathlib import Path

SHAPES = "shapes"
"""The name of the shipped model."""

SHAPES_FOLDER = Path(__file__).resolve().parent / "weights"
