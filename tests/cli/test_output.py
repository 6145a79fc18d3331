"""Which files a command writes."""

from argparse import Namespace
from types import SimpleNamespace

import pytest

from mindone_tcd.cli import output
from mindone_tcd.errors import UsageError


def files(path):
    return [path, path.with_stem(f"{path.stem}-2")]


def paths(tmp_path, out=None, overwrite=False, default="image.png"):
    return output.output_paths(Namespace(out=out, overwrite=overwrite), tmp_path / default, files)


def test_new_names_are_made_from_the_default(tmp_path):
    assert paths(tmp_path) == files(tmp_path / "image.png")
    (tmp_path / "image.png").write_text("old")
    found = paths(tmp_path)
    assert len(set(found)) == 2
    assert not any(path.exists() for path in found), "no file is replaced"
    assert paths(tmp_path, overwrite=True) == files(tmp_path / "image.png")


def test_a_file_that_is_named_is_replaced_on_request_only(tmp_path):
    out = tmp_path / "mine.png"
    assert paths(tmp_path, out=out) == files(out)
    (tmp_path / "mine-2.png").write_text("old")
    with pytest.raises(UsageError, match=r"mine-2\.png"):
        paths(tmp_path, out=out)
    assert paths(tmp_path, out=out, overwrite=True) == files(out)


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UsageError):
        paths(tmp_path, out=tmp_path / "nowhere" / "mine.png")


def test_what_was_saved_is_printed(tmp_path, monkeypatch, capsys):
    asked, other = tmp_path / "a.png", tmp_path / "a-2.png"
    calls = []
    monkeypatch.setattr(output, "save_new", lambda image, path, overwrite: calls.append((path, overwrite)) or path)
    output.save(SimpleNamespace(), asked, True)
    assert calls == [(asked, True)]
    assert capsys.readouterr() == (f"{asked}\n", "")
    monkeypatch.setattr(output, "save_new", lambda image, path, overwrite: other)
    output.save(SimpleNamespace(), asked, False)
    said = capsys.readouterr()
    assert said.out == f"{other}\n"
    assert said.err == f"warning: another process has written {asked} in the meantime; this is {other}\n"
