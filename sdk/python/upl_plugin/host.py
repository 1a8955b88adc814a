"""What a policy's run asks of its host, whichever carries it."""

from __future__ import annotations

from typing import Protocol

from .abi import EmitKind, Level


class Host(Protocol):
    """The imports of the contract. All raise ``Error`` where the host refuses."""

    def open_view(self, spec: bytes) -> int:
        """Opens the view that an encoded ViewSpec asks for; returns its handle."""

    def read_view(self, handle: int, first: int, n: int, out: memoryview) -> int:
        """Reads n records from first on into out; returns their size in bytes.

        Where ``out`` is too small nothing is written.
        """

    def batch_records(self, handle: int) -> memoryview:
        """The records of a batch view, read-only, until the current call returns."""

    def emit(self, kind: EmitKind, records: bytes) -> None:
        """Emits whole records of one kind."""

    def log(self, level: Level, message: str) -> None:
        """Writes to the run's log."""

    def metric(self, name: str, value: float) -> None:
        """Puts a number into the run's record."""

    def random(self, size: int) -> bytes:
        """The next bytes of the round's random stream."""
