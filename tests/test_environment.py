import importlib.util
import warnings

import pytest

import mindone_tcd
from mindone_tcd import environment
from mindone_tcd.errors import UsageError


@pytest.mark.parametrize(("missing", "remedy"), [("mindspore", "mindspore==2.7.1"), ("mindone", "mindone==0.5")])
def test_what_is_missing_is_named_with_what_to_install(monkeypatch, missing, remedy):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(UsageError, match=rf"(?i){missing} is not installed.*{remedy}"):
        environment.require_mindspore()


def test_an_untested_version_is_warned_of(monkeypatch):
    monkeypatch.setattr(environment, "version", lambda package: "2.10.0")
    with pytest.warns(UserWarning, match=r"MindSpore 2\.10\.0 is not one of .*mindspore==2\.7\.1"):
        environment.require_mindspore()


@pytest.mark.parametrize("found", [f"{minor}.0" for minor in environment.TESTED])
def test_a_tested_version_passes_in_silence(monkeypatch, found):
    monkeypatch.setattr(environment, "version", lambda package: found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment.require_mindspore()


def test_versions_name_what_a_picture_depends_on():
    assert {"python", "mindspore", "mindone", "numpy", "transformers"} <= set(environment.versions())


@pytest.mark.parametrize("name", mindone_tcd.__all__)
def test_every_public_name_loads(name):
    assert getattr(getattr(mindone_tcd, name), "__name__", name) == name
    assert name in dir(mindone_tcd)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mindone_tcd.nonsense  # noqa: B018


def test_our_schedulers_are_not_mindones():
    assert mindone_tcd.TCDScheduler.__mro__[0].__module__ != "mindone.diffusers.schedulers.scheduling_tcd"
    assert hasattr(mindone_tcd.TCDScheduler(), "coefficients")
