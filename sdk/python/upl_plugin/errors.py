"""Errors with the codes of the contract."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from .abi import CODE_NAMES, Code

_FRAMES = 8  # of an exception, at most
_PACKAGE = os.path.dirname(__file__) + os.sep
_PLUGIN = (
    os.path.dirname(_PACKAGE.rstrip(os.sep)) + os.sep
)  # the package is a copy in it


class Error(Exception):
    """An error with its code: raised by a policy, it says whose fault it is.

    Any other exception of a policy counts as ``Code.INTERNAL``. What the host refuses
    reaches a policy as an ``Error``, which it may catch and live with.
    """

    def __init__(self, code: Code, message: str = "") -> None:
        self.code = Code(code)
        self.message = message or CODE_NAMES[self.code]
        super().__init__(self.message)


class Unusable(Error):
    """A parameter that the user has to change: ``Unusable("k", "is odd")``."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(Code.CONFIG, f"parameter {parameter}: {reason}")


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Says in a host's refusal what was being done; the code stays."""
    try:
        yield
    except Error as error:
        raise Error(error.code, f"{what}: {error.message}") from None


def reported(error: BaseException) -> tuple[Code, str]:
    """The code and message by which a policy's exception reaches the host."""
    if isinstance(error, Error):
        return error.code, error.message
    lines = ["".join(traceback.format_exception_only(error)).strip()]
    frames = traceback.extract_tb(error.__traceback__)
    # What is above the policy's own functions says nothing to its author.
    while len(frames) > 1 and frames[0].filename.startswith(_PACKAGE):
        del frames[0]
    for frame in reversed(frames[-_FRAMES:]):
        name = frame.filename.removeprefix(_PLUGIN)
        lines.append(f"\t{name}:{frame.lineno} in {frame.name}: {frame.line}")
    return Code.INTERNAL, "\n".join(lines)
