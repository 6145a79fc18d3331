"""What every request to the server passes: checks of its host, path and length, and headers for the answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import unquote

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # the page's own scripts are inline
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""The browser requests nothing from other hosts, so that the page works offline and tells nobody about its visitors."""

_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]

_REFUSED = re.compile(
    r"/(monitoring|gradio_api/(file[=/]\s*[a-z][a-z0-9+.-]*:|proxy=|stream/|process_recording|deep_link|(undo-)?vibe))",
    re.IGNORECASE,
)
"""Routes of Gradio that the demo does not use: statistics, redirects, other hosts' files, recordings, code editors."""


class Guard:
    """Middleware of the server.

    Args:
        app: the server.
        hosts: the names by which clients may address it; None for any. A page of another site, whose name was changed
            to mean this machine, would send its own name.
        most: the largest number of bytes of a request's body.
    """

    def __init__(self, app: Any, hosts: Collection[str] | None, most: int) -> None:
        self._app, self._hosts, self._most = app, hosts, most

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self._hosts is not None and host_of(headers.get(b"host", "")) not in self._hosts:
            await _answer(send, 421, "the server does not have this name")
        elif _REFUSED.match(unquote(scope["path"])):
            await _answer(send, 403, "not available here")
        elif not (length := headers.get(b"content-length", "0")).isdecimal():
            await _answer(send, 400, "the length is not a number")
        elif int(length) > self._most:
            await _answer(send, 413, f"at most {self._most} bytes are accepted")
        else:
            await self._app(scope, _limited(receive, self._most), _with_headers(send))


def host_of(header: str) -> str:
    """Return the host in a Host header, without the port and the brackets of an IPv6 address."""
    match = re.fullmatch(r"\[([^\]]*)\](?::\d*)?|([^:]*)(?::\d*)?", header.strip().lower())
    return "" if match is None else match[1] or match[2] or ""


def _limited(receive: Receive, most: int) -> Receive:
    """Return a ``receive`` that ends the connection after too many bytes of a body of unknown length."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > most else message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
