"""The one error that a user can mend: bad input, a missing file, a wrong version."""

from __future__ import annotations


class UsageError(ValueError):
    """Something that was asked for cannot be done. One line: what was wrong, what was expected, what to do."""
