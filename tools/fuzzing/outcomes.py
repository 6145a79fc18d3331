"""The outcome of one input: accepted in time, refused in one line, or a fault."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from mindone_tcd.errors import UsageError, first_line


def outcome(
    run: Callable[[], object], seconds: int, named: Mapping[type[Exception], str] | None = None
) -> tuple[str, str]:
    """Give an input to the package.

    Args:
        run: the function that does so.
        seconds: the time after which the input counts as a hang.
        named: the outcomes of exceptions that are separate kinds of faults.

    Returns:
        "taken", "refused", "hang", "traceback" or an outcome of ``named``; and the message.
    """

    def late(*_: object) -> None:
        raise TimeoutError(f"no answer within {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        run()
    except UsageError as error:
        if "\n" in str(error):
            return "traceback", f"a UsageError of several lines: {first_line(error)}"
        return "refused", str(error)
    except TimeoutError as error:
        return "hang", str(error)
    except Exception as error:
        return (named or {}).get(type(error), "traceback"), f"{type(error).__name__}: {first_line(error)}"
    finally:
        signal.alarm(0)
    return "taken", ""
