"""Errors with the codes of the contract."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from .abi import CODE_NAMES, Code


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
    # The last calls say most: those of the policy come after those of this package.
    for frame in reversed(traceback.extract_tb(error.__traceback__)[-_FRAMES:]):
        lines.append(f"\t{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}")
    return Code.INTERNAL, "\n".join(lines)


_FRAMES = 8
