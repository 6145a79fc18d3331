"""Errors and warnings as toasts."""

import pytest

gr = pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')

from mindone_tcd.demo import toasts  # noqa: E402


def test_markup_of_visitors_is_shown_as_text():
    assert toasts.failed("unknown '<img src=x>' & so on").message == "unknown '&lt;img src=x&gt;' &amp; so on"


def test_an_unexpected_error_is_printed_and_its_text_is_not_shown(capsys):
    error = toasts.crashed(KeyError("/home/someone/secret"))
    assert error.message == "unexpected KeyError; the terminal of the server shows where"
    assert "/home/someone/secret" in capsys.readouterr().err


def test_a_warning(monkeypatch):
    shown = []
    monkeypatch.setattr(gr, "Warning", lambda message, duration: shown.append(message))
    toasts.warn("a < b")
    assert shown == ["a &lt; b"]
