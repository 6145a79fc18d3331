"""Whether a hub can be reached: one short request, because huggingface_hub retries for 23 seconds without a network."""

from __future__ import annotations

import contextlib
import os
import threading
import time

_TIMEOUT = 2.5
"""Timeout in seconds for the hub's answer. HF_HUB_ETAG_TIMEOUT, if set, takes precedence."""
_CACHE_SECONDS = 30.0
"""Seconds for which a result, positive or negative, stays cached."""
_answers: dict[str, tuple[float, bool]] = {}


def reachable(endpoint: str) -> bool:
    """Return whether a hub answers within :data:`_TIMEOUT`, with any response; cached for :data:`_CACHE_SECONDS`."""
    known = _answers.get(endpoint)
    if known is None or time.monotonic() - known[0] > _CACHE_SECONDS:
        known = _answers[endpoint] = (time.monotonic(), _answers_in_time(endpoint))
    return known[1]


def _answers_in_time(endpoint: str) -> bool:
    from huggingface_hub.utils import get_session

    timeout = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or _TIMEOUT)
    answered: list[bool] = []

    def request() -> None:
        # ValueError: the endpoint is not a URL.
        with contextlib.suppress(OSError, ValueError):
            get_session().head(endpoint, timeout=timeout, allow_redirects=False)
            answered.append(True)

    # Each name lookup and each address can use the full timeout, so `join` limits the total.
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(answered)


def known_unreachable(endpoint: str) -> bool:
    """Return whether the last request to a hub was not answered. Nothing is sent."""
    return _answers.get(endpoint, (0, True))[1] is False
