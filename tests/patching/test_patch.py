"""A row's versions, and the ways to name what makes a replacement."""

import pytest

from mindone_tcd.patching.patch import Patch, Use, maker


@pytest.mark.parametrize(
    ("installed", "fits"),
    [
        ({"mindone": "0.5.0", "torch": "2.1"}, True),
        ({"mindone": "0.5.0", "torch": "2.2+cpu"}, True),
        ({"mindone": "0.5.1", "torch": "2.1"}, False),
        ({"mindone": "0.5.0"}, False),
        ({"mindone": "0.5.0.post1", "torch": "2.1"}, False),
        ({"mindone": "0.5.0", "torch": "2.1", "numpy": "1.0"}, True),
    ],
)
def test_every_listed_package_needs_a_listed_version(installed, fits):
    patch = Patch("a", "bug", "test", versions={"mindone": ("0.5.0",), "torch": ("2.1", "2.2")})
    assert patch.fits(installed.get) is fits


def test_a_row_without_versions_fits_anything():
    assert Patch("a", "bug", "test").fits(lambda package: None)


def test_a_function_is_the_maker_itself():
    assert maker(len) is len


def test_a_path_names_the_maker_below_this_package():
    from mindone_tcd.errors import some

    assert maker("errors:some") is some


def test_a_use_is_the_replacement_for_any_original():
    from mindone_tcd.errors import some

    make = maker(Use("errors:some"))
    assert make(None) is make(print) is some


@pytest.mark.parametrize(("path", "error"), [("errors:missing", AttributeError), ("missing:some", ImportError)])
def test_a_path_that_leads_nowhere_is_an_error(path, error):
    with pytest.raises(error, match="missing"):
        maker(path)
    with pytest.raises(error, match="missing"):
        maker(Use(path))
