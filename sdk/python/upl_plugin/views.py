"""Views: what the host computes of the probabilities, as numpy arrays.

N rows (images), C classes, M models. Arrays have the dtypes of ``upl_plugin.abi``:
``stats["margin"]``, ``candidates["class"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .abi import NO_ROW, Code, Emitted, Ranked
from .errors import Error, doing
from .host import Host

if TYPE_CHECKING:
    from .rounds import Batch

_MOST = 2**31 - 1  # records, or bytes, of one read


class OpenView:
    """An open view; ``name`` is as manifests have it."""

    def __init__(
        self, host: Host, handle: int, name: str, dtype: DTypeLike, *shape: int
    ) -> None:
        self._host = host
        self._handle = handle
        self.name = name
        self._dtype = np.dtype(dtype)
        self._shape = shape  # of a record

    def _size(self, n: int) -> int:
        return n * self._dtype.itemsize * int(np.prod(self._shape))

    def _read(self, first: int, out: np.ndarray) -> None:
        """Fills a contiguous array with its number of records, from first on."""
        if out.size == 0:
            return
        buffer = out.reshape(-1).view(np.uint8).data
        with doing(f"reading view {self.name}"):
            size = self._host.read_view(self._handle, first, len(out), buffer)
        if size != len(buffer):
            raise self._misfit(size, len(buffer))

    def _records(self, n: int) -> np.ndarray:
        """The first n records."""
        out = np.empty((n, *self._shape), self._dtype)
        self._read(0, out)
        return out

    def _misfit(self, size: int, expected: int) -> Error:
        return Error(
            Code.INTERNAL,
            f"the host gave {size} bytes of view {self.name}, not {expected}",
        )


class BatchView(OpenView):
    """A view with a record for each row of the current batch."""

    def batch(self, batch: Batch) -> np.ndarray:
        """The records of the batch's rows: [rows, ...], read-only.

        They are the host's own memory, without a copy, and hold until ``observe`` or
        ``combine`` returns: ``.copy()`` what is to be kept.
        """
        with doing(f"reading view {self.name}"):
            records = self._host.batch_records(self._handle)
        if len(records) != self._size(batch.rows):
            raise self._misfit(len(records), self._size(batch.rows))
        return np.frombuffer(records, self._dtype).reshape(batch.rows, *self._shape)


class Gather(OpenView):
    """Rows by number, readable from ``begin_round`` on, within the host's budget."""

    def read(self, rows: ArrayLike) -> np.ndarray:
        """The probabilities of rows, in the order given: float32 [n, C].

        Each run of consecutive numbers is one question to the host: ascending rows
        cost least.
        """
        rows = np.asarray(rows)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise TypeError("rows are a list of integers")
        out = np.empty((len(rows), *self._shape), self._dtype)
        longest = max(_MOST // max(self._size(1), 1), 1)
        breaks = np.flatnonzero(np.diff(rows.astype(np.int64)) != 1) + 1
        for run in np.split(np.arange(len(rows)), breaks):
            for at in range(0, len(run), longest):
                part = run[at : at + longest]
                self._read(int(rows[part[0]]), out[part[0] : part[-1] + 1])
        return out


class ClassTopK(OpenView):
    """For each class the m first rows in its order, readable in ``end_round``."""

    def __init__(self, host: Host, handle: int, classes: int, m: int) -> None:
        super().__init__(host, handle, "class_top_k", Ranked)
        self._classes, self._m = classes, m

    def read(self) -> np.ndarray:
        """All of it: Ranked [C, m]; where a class has fewer, ``row`` is NO_ROW."""
        return self._records(self._classes * self._m).reshape(self._classes, self._m)

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those that there are, by class and in its order.

        Returns rows int64, classes int64 and probabilities float32, each [n], as
        ``Round.emit`` takes them.
        """
        records = self.read()
        classes, places = np.nonzero(records["row"] != NO_ROW)
        found = records[classes, places]
        return found["row"].astype(np.int64), classes, found["p"].copy()


class ClassMeans(NamedTuple):
    """Counts float64 [C] and sums of probabilities float64 [C, C], of the rows
    predicted as each class; with ``ALL`` [1] and [1, C], of all rows."""

    counts: np.ndarray
    sums: np.ndarray


class ClassMean(OpenView):
    """Counts and sums by class, readable in ``end_round``."""

    def __init__(self, host: Host, handle: int, records: int, classes: int) -> None:
        super().__init__(host, handle, "class_mean", np.float64, 1 + classes)
        self._number = records

    def read(self) -> ClassMeans:
        """Counts and sums."""
        records = self._records(self._number)
        return ClassMeans(records[:, 0].copy(), records[:, 1:].copy())


class Table(OpenView):
    """A fixed number of records: quantiles, text features."""

    def __init__(
        self, host: Host, handle: int, name: str, dtype: DTypeLike, *shape: int
    ) -> None:
        super().__init__(host, handle, name, dtype, *shape[1:])
        self._number = shape[0]

    def read(self) -> np.ndarray:
        """All of it, a copy of your own."""
        return self._records(self._number)


class Previous(OpenView):
    """What the last round before this one that emitted anything has emitted."""

    def __init__(self, host: Host, handle: int) -> None:
        super().__init__(host, handle, "previous", Emitted)

    def read(self) -> np.ndarray:
        """All of it: Emitted [n], by row and class; empty before any selection."""
        with doing(f"reading view {self.name}"):
            size = self._host.read_view(self._handle, 0, _MOST, memoryview(bytearray()))
        return self._records(size // self._dtype.itemsize)
