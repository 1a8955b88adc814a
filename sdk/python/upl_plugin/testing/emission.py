"""What a round emits, held to the contract."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..abi import (
    EMIT_NAMES,
    NO_CLASS,
    SIZE_HEAD,
    Candidate,
    EmitKind,
    Emitted,
    Label,
)
from ..reading import CandidateSets, Labels, SoftLabels

_HEAVIEST = 1000.0


class ContractError(AssertionError):
    """A policy broke the contract: upl-host would end the run with this."""


class Record(NamedTuple):
    row: int
    kind: EmitKind
    weight: float
    classes: np.ndarray  # of a hard label one, of a dropped row NO_CLASS
    p: np.ndarray  # zeros but of soft labels


class Emission:
    """The records of a round."""

    def __init__(self, rows: int, classes: int) -> None:
        self._rows, self._classes = rows, classes
        self._kinds: dict[int, EmitKind] = {}
        self.records: list[Record] = []

    def add(self, kind: EmitKind, encoded: bytes) -> None:
        """Takes whole records."""
        match kind:
            case EmitKind.HARD:
                for label in np.frombuffer(encoded, Label):
                    if label["flags"] or label["reserved"]:
                        raise self._wrong(kind, label["row"], "reserved fields are set")
                    one = label["class"].reshape(1)
                    self._put(kind, label["row"], label["weight"], one)
            case EmitKind.DROP:
                for row in np.frombuffer(encoded, "<u8"):
                    self._put(kind, row, 0, np.array([NO_CLASS], "<u4"))
            case _:
                self._add_sets(kind, encoded)

    def _add_sets(self, kind: EmitKind, encoded: bytes) -> None:
        of = np.dtype(Candidate if kind == EmitKind.SOFT else "<u4")
        at = 0
        while at < len(encoded):
            row = int(np.frombuffer(encoded, "<u8", 1, at)[0])
            weight = np.frombuffer(encoded, "<f4", 1, at + 8)[0]
            n = int(np.frombuffer(encoded, "<u4", 1, at + 12)[0])
            values = np.frombuffer(encoded, of, n, at + SIZE_HEAD)
            at += SIZE_HEAD + values.nbytes
            if kind == EmitKind.SOFT:
                order = np.argsort(values["class"], kind="stable")
                p = values["p"][order]
                if not (np.isfinite(p) & (p >= 0)).all():
                    raise self._wrong(kind, row, "a probability is none")
                if not abs(p.sum(dtype=float) - 1) <= 1e-3:
                    raise self._wrong(kind, row, f"probabilities sum to {p.sum():.6g}")
                self._put(kind, row, weight, values["class"][order], p)
            else:
                self._put(kind, row, weight, np.sort(values))

    def _put(
        self,
        kind: EmitKind,
        row: int,
        weight: float,
        classes: np.ndarray,
        p: np.ndarray | None = None,
    ) -> None:
        row = int(row)
        if row >= self._rows:
            raise self._wrong(kind, row, f"there are {self._rows} rows")
        if not 0 <= weight <= _HEAVIEST:
            raise self._wrong(kind, row, f"weight {weight}")
        if kind != EmitKind.DROP and not 1 <= len(np.unique(classes)) == len(classes):
            raise self._wrong(kind, row, "no class, or one twice")
        if kind != EmitKind.DROP and classes.max() >= self._classes:
            raise self._wrong(kind, row, f"class {classes.max()} of {self._classes}")
        had = self._kinds.get(row)
        if had is not None and not had == kind == EmitKind.HARD:
            raise self._wrong(kind, row, f"it is among the {EMIT_NAMES[had]} already")
        self._kinds[row] = kind
        p = np.zeros(len(classes), "<f4") if p is None else p
        self.records.append(Record(row, kind, float(weight), classes, p))

    def _wrong(self, kind: EmitKind, row: int, reason: str) -> ContractError:
        return ContractError(f"{EMIT_NAMES[kind]}: row {int(row)}: {reason}")

    def sort(self) -> None:
        """Puts the records in order."""
        self.records.sort(key=lambda r: (r.row, r.classes[0]))
        for a, b in zip(self.records, self.records[1:]):
            if a.row == b.row and a.classes[0] == b.classes[0]:
                raise self._wrong(a.kind, a.row, f"it has class {a.classes[0]} twice")

    def emitted(self) -> np.ndarray:
        """The records as a later round sees them: Emitted [n]."""
        out = np.zeros(sum(len(r.classes) for r in self.records), Emitted)
        at = 0
        for r in self.records:
            part = out[at : at + len(r.classes)]
            part["row"], part["weight"], part["kind"] = r.row, r.weight, r.kind
            part["class"], part["p"] = r.classes, r.p
            at += len(part)
        return out

    def _of(self, kind: EmitKind) -> tuple[list[Record], np.ndarray, np.ndarray]:
        records = [r for r in self.records if r.kind == kind]
        rows = np.array([r.row for r in records], np.int64)
        return records, rows, np.array([r.weight for r in records], np.float32)

    def drops(self) -> np.ndarray:
        return self._of(EmitKind.DROP)[1]

    def labels(self) -> Labels:
        records, rows, weights = self._of(EmitKind.HARD)
        classes = np.array([r.classes[0] for r in records], np.int32)
        return Labels(rows, classes, weights, self.drops())

    def soft(self) -> SoftLabels:
        records, rows, weights = self._of(EmitKind.SOFT)
        soft = np.zeros((len(rows), self._classes), np.float32)
        for out, r in zip(soft, records):
            out[r.classes] = r.p
        return SoftLabels(rows, weights, soft, self.drops())

    def candidates(self) -> CandidateSets:
        records, rows, weights = self._of(EmitKind.CANDIDATES)
        sets = [r.classes.astype(np.int32) for r in records]
        offsets = np.cumsum([0, *map(len, sets)], dtype=np.int64)
        classes = np.concatenate([np.empty(0, np.int32), *sets])
        return CandidateSets(rows, offsets, classes, weights, self.drops())
