"""Errors and warnings as toasts. Their texts contain what visitors wrote, so they are escaped."""

from __future__ import annotations

import html
import sys
import traceback

import gradio as gr

_SECONDS = 20


def failed(message: str) -> gr.Error:
    """Return the exception that shows an error."""
    return gr.Error(html.escape(message, quote=False), duration=_SECONDS, print_exception=False)


def crashed(error: Exception) -> gr.Error:
    """Return the exception that shows an unexpected error, and print where it occurred. Visitors do not see that."""
    traceback.print_exception(error, file=sys.stderr)
    return failed(f"unexpected {type(error).__name__}; the terminal of the server shows where")


def warn(message: str) -> None:
    """Show a warning."""
    gr.Warning(html.escape(message, quote=False), duration=_SECONDS)
