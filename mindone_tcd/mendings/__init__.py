"""Defects of mindone that a user of its few-step pipelines meets, mended without editing the installed package.

`table.py` lists them as data, each file holds the remedy of one, and `switch.py` puts the remedies that the installed
version needs in place. `docs/mindone-defects.md` tells of them in a form that can go upstream.
"""

from .switch import applied, apply, withdraw
from .table import MENDINGS, Mending

__all__ = ["MENDINGS", "Mending", "applied", "apply", "withdraw"]
