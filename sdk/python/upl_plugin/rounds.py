"""What a policy has in hand in its calls: Setup, Round, Batch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import records
from .abi import (
    EMIT_NAMES,
    RETRAINS,
    TAKES_CANDIDATES,
    TAKES_DROPS,
    TAKES_SOFT,
    Dataset,
    EmitKind,
    Level,
)
from .errors import doing
from .host import Host
from .opening import Opening

_EMIT_AT = 1 << 20  # bytes of records that go to the host at once

_TAKES = {
    EmitKind.HARD: 0,
    EmitKind.SOFT: TAKES_SOFT,
    EmitKind.CANDIDATES: TAKES_CANDIDATES,
    EmitKind.DROP: TAKES_DROPS,
}


class Notes:
    """Log, metrics and randomness."""

    _host: Host

    def log(self, message: str, level: Level = Level.INFO) -> None:
        """Writes to the run's log."""
        self._host.log(level, message)

    def metric(self, name: str, value: float) -> None:
        """Puts a finite number of the rule's own into the run's record."""
        with doing(f"metric {name}"):
            self._host.metric(name, float(value))

    def random(self, size: int) -> bytes:
        """Random bytes, a function of the run's seed, the policy and the round alone.

        Each round starts the stream anew.
        """
        with doing("random bytes"):
            return self._host.random(size)

    def generator(self) -> np.random.Generator:
        """A numpy generator seeded by 16 bytes of ``random``."""
        seed = int.from_bytes(self.random(16), "little")
        return np.random.Generator(np.random.PCG64(seed))


class Setup(Opening, Notes):
    """What a policy has in ``configure``: parameters, sizes, names, views to open."""

    def __init__(self, host: Host, config: bytes, dataset: bytes) -> None:
        self._host = host
        sizes = np.frombuffer(dataset, Dataset, 1)[0]
        names: dict[str, Any] = json.loads(config)
        data = names.get("dataset", {})

        #: The policy's parameters; the host has checked them and filled in defaults.
        self.params: dict[str, Any] = names.get("params", {})
        self.rows = int(sizes["rows"])  #: N
        self.classes = int(sizes["classes"])  #: C
        self.models = int(sizes["models"])  #: M
        self.batch_rows = int(sizes["batch_rows"])  #: of each batch but the last
        self.max_rounds = int(sizes["max_rounds"])
        self.seed = int(sizes["seed"])  #: the run's
        self.class_names: list[str] = data.get("class_names", [])  #: C
        #: M; empty names where the host has none
        self.model_names: list[str] = data.get("model_names", [])
        #: M: 1/tau of each model; empty where unknown
        self.logit_scales: list[float] = data.get("logit_scales", [])
        #: C; empty unless the configuration gives one
        self.prior: list[float] = data.get("prior", [])
        #: M: D of each model; empty unless features are granted
        self.feature_dims: list[int] = data.get("feature_dims", [])

        self._flags = int(sizes["flags"])
        self._classes, self._models = self.classes, self.models
        self._feature_dims = self.feature_dims

    def takes(self, kind: EmitKind) -> bool:
        """Whether the host takes records of a kind from a selection.

        A policy whose result it does not take had better raise ``Unusable`` now.
        """
        flag = _TAKES.get(kind)
        return flag is not None and self._flags & flag == flag

    @property
    def learns(self) -> bool:
        """Whether the host learns from each round's selection, so that the next round
        has other probabilities."""
        return bool(self._flags & RETRAINS)


class Emitting(Notes):
    """Emits records, in any order; the host checks and sorts them."""

    _pending: Pending

    def emit(
        self, rows: ArrayLike, classes: ArrayLike, weights: ArrayLike = 1.0
    ) -> None:
        """Hard pseudo labels: rows [n]; classes and weights [n] or one for all.

        A row may have several, of different classes. A weight is 0 to 1000; 1 is a
        whole picture.
        """
        labels = records.hard(rows, classes, weights)
        self._pending.add(EmitKind.HARD, labels.view(np.uint8), labels.itemsize)

    def emit_soft(
        self, rows: ArrayLike, weights: ArrayLike, probabilities: Any
    ) -> None:
        """Distributions over classes: rows [n], weights [n] or one for all.

        ``probabilities`` are [n, C], an array or a scipy.sparse matrix; each row sums
        to 1 within 1e-3. See ``Setup.takes``.
        """
        words, ends = records.soft(rows, weights, probabilities)
        self._pending.add_sets(EmitKind.SOFT, words, ends)

    def emit_candidates(
        self,
        rows: ArrayLike,
        weights: ArrayLike,
        offsets: ArrayLike,
        classes: ArrayLike,
    ) -> None:
        """Sets of classes of which one is right: rows [n], weights [n] or one for all.

        Those of ``rows[i]`` are ``classes[offsets[i]:offsets[i + 1]]``; offsets
        [n + 1] start at 0. See ``Setup.takes``.
        """
        words, ends = records.candidates(rows, weights, offsets, classes)
        self._pending.add_sets(EmitKind.CANDIDATES, words, ends)

    def drop(self, rows: ArrayLike) -> None:
        """Rows of no class, or not fit to learn from even without a label.

        See ``Setup.takes``.
        """
        dropped = records.drops(rows)
        self._pending.add(EmitKind.DROP, dropped.view(np.uint8), dropped.itemsize)


class Pending:
    """Records on their way to the host, until there are enough for a message."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: dict[EmitKind, list[np.ndarray]] = {}
        self._bytes: dict[EmitKind, int] = {}

    def add(self, kind: EmitKind, encoded: np.ndarray, size: int) -> None:
        """Takes records of ``size`` bytes each."""
        step = _EMIT_AT // size * size
        for at in range(0, len(encoded), step):
            self._put(kind, encoded[at : at + step])

    def add_sets(self, kind: EmitKind, words: np.ndarray, ends: np.ndarray) -> None:
        """Takes records that end at these words."""
        begin = 0
        while begin < len(words):
            last = np.searchsorted(ends, begin + _EMIT_AT // 4, side="right") - 1
            first = np.searchsorted(ends, begin, side="right")
            end = int(ends[max(first, last)])
            self._put(kind, words[begin:end].view(np.uint8))
            begin = end

    def _put(self, kind: EmitKind, encoded: np.ndarray) -> None:
        if self._bytes.get(kind, 0) + len(encoded) > _EMIT_AT:
            self._flush(kind)
        self._waiting.setdefault(kind, []).append(encoded)
        self._bytes[kind] = self._bytes.get(kind, 0) + len(encoded)

    def flush(self) -> None:
        """Sends what is left."""
        for kind in list(self._waiting):
            self._flush(kind)

    def _flush(self, kind: EmitKind) -> None:
        waiting = self._waiting.pop(kind, [])
        self._bytes.pop(kind, None)
        if waiting:
            with doing(f"emitting {EMIT_NAMES[kind]}"):
                self._host.emit(kind, np.concatenate(waiting).tobytes())


class Round(Opening, Emitting):
    """One round of a policy."""

    def __init__(self, host: Host, setup: Setup, number: int) -> None:
        self._host = host
        self._pending = Pending(host)
        self._classes, self._models = setup.classes, setup.models
        self._feature_dims = setup.feature_dims
        self.setup = setup
        self.number = number  #: from 0
        self._skips = False

    def skip_batches(self) -> None:
        """Leaves out, called in ``begin_round``, this round's calls of ``observe``.

        Where no global view is open either, the host does not even read the data.
        """
        self._skips = True


class Batch(Emitting):
    """Rows on their way past."""

    def __init__(self, round_: Round, first: int, rows: int) -> None:
        self._host = round_._host
        self._pending = round_._pending
        self.round = round_
        self.first = first  #: its first row
        self.rows = rows  #: how many

    @property
    def indices(self) -> np.ndarray:
        """The numbers of its rows: int64 [rows]."""
        return np.arange(self.first, self.first + self.rows)
