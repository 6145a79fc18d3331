"""Download a file from a URL, with limits on schemes, bytes and time."""

from __future__ import annotations

import re
import string
import time
from typing import TYPE_CHECKING

from ..errors import UsageError, first_line, shown
from ..version import __version__

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_TIMEOUT = 15.0
"""Timeout in seconds for each answer of the server."""

_MOST_SECONDS = 120.0
"""Maximum seconds for the content."""

_BLOCK = 1 << 20


def is_url(text: str) -> bool:
    """Return whether a text has the form of a URL: ``scheme://…``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def fetch(url: str, what: str, most: int) -> bytes:
    """Return the content at a URL.

    Proxies from the environment are used. Redirects are followed to ``http`` and ``https`` only.

    Args:
        url: ``http://…`` or ``https://…``.
        what: what it is, for messages: ``image``.
        most: the largest number of bytes.

    Raises:
        UsageError: if the URL has another scheme or contains a password, the server cannot be reached, refuses or is
            too slow, or the content is too large or incomplete.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import quote
    from urllib.request import Request

    label = f"{what} {shown(url)}"
    if not _allowed(url):
        raise UsageError(f"{label} is not a URL of http:// or https://; download the file and pass its path")
    if "@" in re.split("[/?#]", url.partition("://")[2])[0]:
        raise UsageError(f"the URL of the {what} contains a user name; download the file and pass its path")
    end = time.monotonic() + _MOST_SECONDS
    try:
        request = Request(
            quote(url, safe=string.punctuation),  # leaves what is already quoted as it is
            headers={"User-Agent": f"mindone-tcd/{__version__}"},
        )
        with _opener().open(request, timeout=_TIMEOUT) as response:
            content = bytearray()
            while block := response.read1(_BLOCK):
                content += block
                if len(content) > most:
                    raise UsageError(f"{label} has more than {most} bytes; pass a smaller file")
                if time.monotonic() > end:
                    raise TimeoutError(f"it takes more than {_MOST_SECONDS:g} s")
            if response.length:
                raise OSError("the connection ended early")
    except UsageError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise UsageError(
            f"{label} cannot be downloaded ({first_line(error)}); check the URL, or download the file and pass its path"
        ) from error
    return bytes(content)


def _allowed(url: str) -> bool:
    return url.partition("://")[0].lower() in ("http", "https")


def _opener() -> OpenerDirector:
    """Return an opener without handlers for local files, FTP and data URLs."""
    from http.client import HTTPMessage
    from typing import IO
    from urllib import request

    class Redirects(request.HTTPRedirectHandler):
        def redirect_request(
            self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> request.Request | None:
            if not _allowed(newurl):
                fp.close()
                raise OSError(f"it redirects to {shown(newurl)}, which is not a URL of http:// or https://")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        Redirects(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
