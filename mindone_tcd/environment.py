"""The installed MindSpore version, and whether this package was tested with it."""

from __future__ import annotations

import functools
import importlib.util
import platform

from .errors import UsageError, warn_user
from .version import __version__

TESTED = ("2.7", "2.8", "2.9")
"""MindSpore's minor versions that the test suite has run on (with device target CPU)."""

INSTALL = (
    "on a CPU: pip install mindspore==2.7.1; on Ascend: the MindSpore version that matches your CANN, if possible 2.7.1"
)


def version(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    import importlib.metadata  # slow, and `import mindone_tcd` does without it

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def require_mindspore(mindone: bool = True) -> None:
    """Check that MindSpore can be imported, before anything slow begins.

    Args:
        mindone: whether mindone is needed, too. Exported pipelines do not need it.

    Raises:
        UsageError: if MindSpore or mindone is missing; the message says what to install.

    Warns:
        UserWarning: if the test suite has not run on this version of MindSpore.
    """
    if importlib.util.find_spec("mindspore") is None:
        raise UsageError(f"MindSpore is not installed; {INSTALL}")
    if mindone and importlib.util.find_spec("mindone") is None:
        raise UsageError('mindone is not installed; pip install "mindone==0.5.*"')
    found = version("mindspore") or version("mindspore-dev") or "of unknown version"
    if not found.startswith(tuple(f"{minor}." for minor in TESTED)):
        _warn_of_untested(found)


@functools.cache
def _warn_of_untested(found: str) -> None:
    warn_user(f"MindSpore {found} is not tested; expected one of {', '.join(TESTED)}; {INSTALL}")


def versions() -> dict[str, str]:
    """Return the versions that an image depends on."""
    return {"python": platform.python_version(), "mindone-tcd": __version__, **_installed()}


@functools.cache
def _installed() -> dict[str, str]:
    # Cached, because every image's record contains them, and finding them takes longer than a denoising step.
    found = {package: version(package) for package in ("mindspore", "mindone", "transformers", "numpy")}
    return {name: value for name, value in found.items() if value}
