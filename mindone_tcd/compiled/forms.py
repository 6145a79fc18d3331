"""What one compiled graph of a text-to-image pipeline contains: one step, or all steps."""

from __future__ import annotations

from ..errors import UsageError

FORMS = ("step", "trajectory")


def form_of(compile: object) -> str | None:
    """Return the graph form that ``compile`` requests: one of ``FORMS``; None for no graphs."""
    if compile in FORMS:
        return compile
    if compile is None or isinstance(compile, bool):
        return FORMS[0] if compile else None
    raise UsageError(f"compile is {compile!r}; expected True, False or one of: {', '.join(FORMS)}")
