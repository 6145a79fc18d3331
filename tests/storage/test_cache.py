"""The cache folder."""

from pathlib import Path

import pytest

from mindone_tcd.storage.cache import cache_folder


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        (None, "/somewhere", "/somewhere/mindone-tcd"),
        (None, None, str(Path("~/.cache/mindone-tcd").expanduser())),
        ("/own", "/somewhere", "/own"),
        ("off", None, "None"),
        ("OFF", None, "None"),
        ("0", None, "None"),
        ("", None, "None"),
    ],
)
def test_the_folder(monkeypatch, own, xdg, expected):
    for name, value in {"MINDONE_TCD_CACHE": own, "XDG_CACHE_HOME": xdg}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected
