"""Keeps standard output for the host.

A host reads one line from it, the handshake. So when a host started this process
(its cookie is in the environment), file descriptor 1 becomes standard error as soon
as the package is imported: whatever an author prints is a line of the host's log.
"""

from __future__ import annotations

import io
import os
import sys

COOKIE, VALUE = "UPL_HOST_PLUGIN", "upl-v1"


def _claim() -> int | None:
    # Without the cookie, processes that an author starts are no plugins again.
    if os.environ.pop(COOKIE, None) != VALUE:
        return None
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return kept


#: Where the handshake goes; None where no host started this process.
handshake: int | None = _claim()
