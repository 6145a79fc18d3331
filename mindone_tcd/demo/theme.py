"""The look of the page. It uses the fonts of the visitor's system, because others would be requested from a host."""

from __future__ import annotations

from typing import Any

import gradio as gr

HEAD = """<style>
.gradio-container { width: 100% !important; max-width: 1280px !important; margin: 0 auto !important; }
.gradio-container .main.fillable { max-width: 1280px !important; }
.status { min-height: 24px; }
.gallery-title h3 { margin-bottom: 0; }
.result img, .map img, .upload img { width: 100% !important; height: 100% !important; object-fit: contain !important; }
.examples-title p { color: var(--body-text-color-subdued); font-size: var(--text-sm); }
.examples { gap: 8px !important; flex-wrap: wrap; }
.examples > button { flex: 0 1 auto !important; min-width: 0 !important; white-space: normal; font-weight: 400; }
@media (max-width: 640px) {
  .gradio-container .main.fillable { padding: 8px !important; }
  .result, .map, .upload { height: 190px !important; }
  .tab-container button { padding: 0 2px !important; font-size: 12px !important; }
  .layout button.lg { padding: 8px !important; font-size: 16px !important; white-space: nowrap; }
  /* The results follow the prompt and the buttons; the other fields come after them. */
  .layout { flex-direction: column; }
  .layout > .fields { display: contents; }
  .layout > .fields > * { order: 2; }
  .layout > .fields > :nth-child(-n+2) { order: 0; }
  .layout > .results { order: 1; }
}
</style>"""
"""For the head of the page. Gradio would confine the rules of its own argument ``css`` to a part of the page."""


def theme() -> Any:
    """Return the theme, for light and dark pages."""
    return gr.themes.Default(
        primary_hue="blue",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
    )
