"""One run of a policy: the host's side of the contract."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..abi import (
    EMIT_NAMES,
    FLAG_TEXT,
    RETRAINS,
    SIZE_DATASET,
    SIZE_HEAD,
    TAKES_CANDIDATES,
    TAKES_DROPS,
    TAKES_SOFT,
    VIEW_NAMES,
    Code,
    Dataset,
    EmitKind,
    Level,
    ViewKind,
    ViewSpec,
)
from ..errors import Error
from ..guest import Guest
from ..reading import CandidateSets, Labels, SoftLabels
from .data import Data
from .emission import ContractError, Emission

_FLAGS = {
    EmitKind.HARD: 0,
    EmitKind.SOFT: TAKES_SOFT,
    EmitKind.CANDIDATES: TAKES_CANDIDATES,
    EmitKind.DROP: TAKES_DROPS,
}
_GLOBAL = (ViewKind.CLASS_TOP_K, ViewKind.CLASS_MEAN, ViewKind.QUANTILE)


class Metric(NamedTuple):
    name: str
    round: int
    value: float


class Line(NamedTuple):
    level: Level
    round: int
    text: str


@dataclass(frozen=True)
class Result:
    """What a run gave. A row is in one of the lists."""

    labels: Labels
    soft: SoftLabels
    candidates: CandidateSets
    drops: np.ndarray  #: int64
    rounds: int
    metrics: list[Metric]
    log: list[Line]


class _View:
    def __init__(self, spec: np.void, round_: int | None) -> None:
        self.spec = spec
        self.kind = ViewKind(spec["kind"])
        self.round = round_  # None: of all
        self.records: np.ndarray | None = None

    @property
    def scope(self) -> str:
        if self.kind in (ViewKind.GATHER, ViewKind.PREVIOUS):
            return "any"
        if self.kind == ViewKind.FEATURES and self.spec["flags"] & FLAG_TEXT:
            return "any"
        return "global" if self.kind in _GLOBAL else "batch"


class Session:
    """The host of one run of a policy; ``upl_plugin.host.Host`` has its methods."""

    def __init__(
        self,
        described: Mapping[str, Any],
        data: Data,
        params: Mapping[str, Any] | None = None,
        takes: Collection[EmitKind] = (),
        learn: Callable[[Result], Sequence[ArrayLike]] | None = None,
    ) -> None:
        self.data = data
        self.round = 0
        self._described = described
        self._params = _filled(described["parameters"], params or {})
        self._takes, self._learn = takes, learn
        self._stage = ""
        self._views: list[_View] = []
        self._batch = (0, 0)  # first row, rows
        self._emission = Emission(data.rows, data.classes)
        self._previous = self._emission.emitted()
        self._combined: list[np.ndarray] = []
        self._broken: ContractError | None = None
        self._read = 0  # random bytes of the round
        self._metrics: list[Metric] = []
        self._log: list[Line] = []

    # What the policy is told.

    def config(self) -> bytes:
        data = self.data
        names: dict[str, Any] = {
            "class_names": data.class_names,
            "model_names": data.model_names or [""] * len(data.models),
            "logit_scales": data.logit_scales,
            "prior": data.prior,
            "feature_dims": self._feature_dims(),
        }
        config = {
            "dataset": {k: list(v) for k, v in names.items() if v is not None},
            "params": self._params,
            "policy": self._described["name"],
        }
        return json.dumps(config, sort_keys=True).encode()

    def dataset(self) -> bytes:
        data = self.data
        sizes = np.zeros((), Dataset)
        sizes["size"], sizes["rows"], sizes["classes"] = (
            SIZE_DATASET,
            data.rows,
            data.classes,
        )
        sizes["models"], sizes["batch_rows"] = len(data.models), data.batch_rows
        sizes["round"], sizes["max_rounds"] = self.round, data.max_rounds
        sizes["seed"], sizes["feature_dim"] = (
            data.seed,
            (self._feature_dims() or [0])[0],
        )
        flags = RETRAINS if self._learn else 0
        for kind in self._takes:
            flags |= _FLAGS[kind]
        sizes["flags"] = flags
        return sizes.tobytes()

    def _feature_dims(self) -> list[int] | None:
        of = self.data.features or self.data.text_features
        if of is None or VIEW_NAMES[ViewKind.FEATURES] not in self._needs()["views"]:
            return None
        return [np.shape(f)[1] for f in of]

    def _needs(self) -> Mapping[str, Any]:
        needs: Mapping[str, Any] = self._described["needs"]
        return needs

    # The order of calls.

    def rounds(self, guest: Guest) -> None:
        """Configures the guest and runs it until it asks for no other round."""
        self._call("configure", guest.configure)
        another = True
        while another:
            if self.round and not self._needs()["rounds"]:
                raise ContractError(
                    "it asks for another round, and has not declared rounds"
                )
            if self.round == self.data.max_rounds:
                raise ContractError(f"not done after {self.round} rounds")
            another = self._one_round(guest)
            if another and self._emission.records:
                self._previous = self._emission.emitted()
                if self._learn:
                    self.data = self.data.learnt(self._learn(self.result()))
            self.round += 1

    def _one_round(self, guest: Guest) -> bool:
        self._emission = Emission(self.data.rows, self.data.classes)
        self._views = [v for v in self._views if v.round is None]
        self._read = 0
        for view in self._views:
            view.records = None
        if self._call("begin_round", guest.begin_round, self.round):
            self._pass("observe", guest.observe)
        another = self._call("end_round", guest.end_round)
        self._emission.sort()
        return bool(another)

    def combine(self, guest: Guest) -> np.ndarray:
        """The ensemble's probabilities: float32 [N, C]."""
        self._pass("combine", guest.combine)
        empty = np.empty((0, self.data.classes), np.float32)
        combined = np.concatenate([empty, *self._combined])
        if len(combined) != self.data.rows:
            raise ContractError(
                f"{len(combined)} of {self.data.rows} rows were combined"
            )
        return combined

    def _pass(self, stage: str, show: Callable[[int, int], None]) -> None:
        for first in range(0, self.data.rows, self.data.batch_rows):
            self._batch = first, min(self.data.batch_rows, self.data.rows - first)
            self._call(stage, show, *self._batch)

    def _call(self, stage: str, function: Callable[..., Any], *arguments: int) -> Any:
        self._stage = stage
        try:
            return function(*arguments)
        finally:
            self._stage = ""
            if self._broken:  # whatever the policy made of it
                raise self._broken from None

    def result(self) -> Result:
        emission, rounds = self._emission, self.round
        return Result(
            emission.labels(),
            emission.soft(),
            emission.candidates(),
            emission.drops(),
            rounds,
            list(self._metrics),
            list(self._log),
        )

    # What the policy asks.

    def open_view(self, spec: bytes) -> int:
        if self._stage not in ("configure", "begin_round"):
            raise Error(
                Code.STATE, "views are opened in configure and begin_round only"
            )
        asked = np.frombuffer(spec, ViewSpec)[0]
        if VIEW_NAMES[ViewKind(asked["kind"])] not in self._needs()["views"]:
            raise Error(Code.DENIED, "it is not among those declared as needed")
        if not -1 <= asked["model"] < len(self.data.models):
            raise Error(
                Code.RANGE, f"model {asked['model']} of {len(self.data.models)}"
            )
        view = _View(asked, self.round if self._stage == "begin_round" else None)
        if view.kind != ViewKind.PREVIOUS:
            view.records = self.data.view(asked)  # refuses what cannot be
        self._views.append(view)
        return len(self._views) - 1

    def _records(self, view: _View) -> np.ndarray:
        if view.kind == ViewKind.PREVIOUS:
            return self._previous
        if view.records is None:
            view.records = self.data.view(view.spec)
        return view.records

    def batches(self) -> dict[int, np.ndarray]:
        """The records of the current batch, of each view of batches."""
        first, rows = self._batch
        return {
            handle: self._records(view)[first : first + rows]
            for handle, view in enumerate(self._views)
            if view.scope == "batch"
        }

    def batch_records(self, handle: int) -> memoryview:
        now = self._stage in ("observe", "combine")
        if not now or self._views[handle].scope != "batch":
            raise Error(Code.STATE, "it is read in observe and combine")
        return memoryview(self.batches()[handle].tobytes())

    def read_view(self, handle: int, first: int, n: int, out: memoryview) -> int:
        view = self._views[handle]
        now = {"any": self._stage != "configure", "global": self._stage == "end_round"}
        if not now.get(view.scope, False):
            raise Error(Code.STATE, "it cannot be read now")
        records = self._records(view)
        if view.kind == ViewKind.PREVIOUS:
            n = max(min(n, len(records) - first), 0)
        if not 0 <= first <= len(records) - n:
            raise Error(Code.RANGE, f"{n} records from {first} on, of {len(records)}")
        encoded = records[first : first + n].tobytes()
        if len(encoded) <= len(out):
            out[: len(encoded)] = encoded
        return len(encoded)

    def emit(self, kind: EmitKind, records: bytes) -> None:
        if kind == EmitKind.COMBINED:
            self._combine(records)
            return
        if kind != EmitKind.HARD and kind not in self._takes:
            raise Error(Code.NOT_SUPPORTED, f"{EMIT_NAMES[kind]} are of no use here")
        if self._stage not in ("observe", "end_round"):
            raise Error(Code.STATE, "labels are emitted in observe and end_round")
        try:
            self._emission.add(kind, records)
        except ContractError as error:
            self._broken = self._broken or error
            raise Error(Code.INVALID, str(error)) from None

    def _combine(self, records: bytes) -> None:
        p = np.frombuffer(records, "<f4", offset=SIZE_HEAD).reshape(
            -1, self.data.classes
        )
        if not ((p >= 0).all() and (abs(p.sum(1, dtype=float) - 1) <= 1e-2).all()):
            self._broken = ContractError(
                f"rows from {self._batch[0]} on: no probabilities"
            )
        self._combined.append(p)

    def log(self, level: Level, message: str) -> None:
        self._log.append(Line(Level(level), self.round, message))

    def metric(self, name: str, value: float) -> None:
        if not name or not name.isprintable() or not math.isfinite(value):
            raise Error(Code.INVALID, f"metric {name!r} is {value}")
        self._metrics.append(Metric(name, self.round, value))

    def random(self, size: int) -> bytes:
        key = json.dumps([self.data.seed, self._described["name"], self.round])
        self._read += size
        return hashlib.shake_256(key.encode()).digest(self._read)[self._read - size :]


def _filled(schema: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the defaults of those that are missing."""
    filled = {
        name: property_["default"]
        for name, property_ in schema.get("properties", {}).items()
        if isinstance(property_, dict) and "default" in property_
    }
    return {**filled, **params}
