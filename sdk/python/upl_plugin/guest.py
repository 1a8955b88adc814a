"""Drives one policy through one run: the exported functions of the contract."""

from __future__ import annotations

import struct

import numpy as np

from .abi import EMIT_NAMES, Code, EmitKind
from .errors import Error, doing
from .host import Host
from .policy import Ensemble, Factory, Policy, overrides
from .rounds import Batch, Round, Setup

_PIECE = 1 << 20  # bytes of probabilities that are emitted at once


class Guest:
    """A policy and the state of its run. Exceptions of the policy come through."""

    def __init__(
        self, factory: Factory, host: Host, config: bytes, dataset: bytes
    ) -> None:
        self._factory = factory
        self._host = host
        self._data = config, dataset
        self._policy: Policy
        self._setup: Setup
        self._round: Round

    def configure(self) -> None:
        """Makes and configures the policy."""
        self._policy = self._factory()
        self._setup = Setup(self._host, *self._data)
        self._policy.configure(self._setup)

    def begin_round(self, number: int) -> bool:
        """Says whether the policy is to see the round's batches."""
        self._round = Round(self._host, self._setup, number)
        self._policy.begin_round(self._round)
        return overrides(self._policy, "observe") and not self._round._skips

    def observe(self, first: int, rows: int) -> None:
        """Shows a batch."""
        self._policy.observe(Batch(self._round, first, rows))
        self._round._pending.flush()

    def end_round(self) -> bool:
        """Says whether there is to be another round."""
        another = self._policy.end_round(self._round)
        self._round._pending.flush()
        return bool(another)

    def combine(self, first: int, rows: int) -> None:
        """Emits the probabilities of a batch."""
        if not isinstance(self._policy, Ensemble):
            raise Error(Code.NOT_SUPPORTED, "this policy is no ensemble")
        combined = self._policy.combine(Batch(self._round, first, rows))
        combined = np.ascontiguousarray(combined, "<f4")
        classes = self._setup.classes
        if combined.shape != (rows, classes):
            shape = " x ".join(map(str, combined.shape))
            raise ValueError(f"combine gave {shape}, not {rows} x {classes}")
        step = max(_PIECE // (4 * classes), 1)
        for at in range(0, rows, step):
            part = combined[at : at + step]
            head = struct.pack("<QII", first + at, len(part), classes)
            with doing(f"emitting {EMIT_NAMES[EmitKind.COMBINED]}"):
                self._host.emit(EmitKind.COMBINED, head + part.tobytes())
