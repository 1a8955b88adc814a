"""Throughput of a policy that looks at all probabilities, through the server.

The host's part is writing each batch into the shared memory, as upl-host does.
"""

from __future__ import annotations

import time

import numpy as np

import policies
from conftest import ENTRY
from process import Process, RemoteGuest
from upl_plugin.policy import describe
from upl_plugin.testing import Data, Session

ROWS, CLASSES = 50_000, 1000  # 200 MB
BATCH = 262  # rows: a MiB of probabilities


def main() -> None:
    p = np.random.default_rng(1).random((ROWS, CLASSES), np.float32)
    p /= p.sum(axis=1, keepdims=True)
    session = Session(describe(policies.Threshold()), Data([p], p, batch_rows=BATCH))
    with (
        Process(ENTRY) as process,
        process.channel() as channel,
        RemoteGuest(channel, session) as guest,
    ):
        began = time.perf_counter()
        session.rounds(guest)
        took = time.perf_counter() - began
    a_batch = took / -(-ROWS // BATCH)
    print(f"{p.nbytes / took / 1e9:.2f} GB/s, {a_batch * 1e6:.0f} µs a batch")


if __name__ == "__main__":
    main()
