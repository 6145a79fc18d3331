"""The look of the page. It uses the fonts of the visitor's system, because others would be requested from a host."""

from __future__ import annotations

from typing import Any

import gradio as gr

CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.status { min-height: 24px; }
.gallery-title h3 { margin-bottom: 0; }
.result img, .map img, .upload img { width: 100% !important; height: 100% !important; object-fit: contain; }
.examples-title p { color: var(--body-text-color-subdued); font-size: var(--text-sm); }
.examples { gap: 8px; flex-wrap: wrap; }
.examples button { flex: 0 1 auto; white-space: normal; font-weight: 400; }
@media (max-width: 640px) {
  .gradio-container { padding: 8px !important; }
}
"""


def theme() -> Any:
    """Return the theme, for light and dark pages."""
    return gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
    )
