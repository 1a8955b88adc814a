"""What a policy is run on, and the views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..abi import (
    ENSEMBLE,
    FLAG_ALL,
    FLAG_COLUMN,
    FLAG_NO_ENTROPY,
    FLAG_TEXT,
    NO_ROW,
    QUANTILE_ENTROPY,
    QUANTILE_MARGIN,
    Candidate,
    Code,
    Ranked,
    Stats,
    ViewKind,
)
from ..errors import Error

_FLAGS = {
    ViewKind.STATS: FLAG_NO_ENTROPY,
    ViewKind.CLASS_TOP_K: FLAG_ALL,
    ViewKind.CLASS_MEAN: FLAG_ALL,
    ViewKind.QUANTILE: FLAG_COLUMN | FLAG_ALL,
    ViewKind.FEATURES: FLAG_TEXT,
}
_TINY = 2.0**-126  # what a logarithm takes for less


@dataclass
class Data:
    """A data set of N rows, C classes, M models."""

    probabilities: Sequence[ArrayLike]  #: of each model [N, C]
    ensemble: ArrayLike | None = None  #: [N, C]; None: the models' mean
    class_names: Sequence[str] | None = None  #: C; None: "0", "1" …
    model_names: Sequence[str] | None = None  #: M
    logit_scales: Sequence[float] | None = None  #: M
    prior: Sequence[float] | None = None  #: C
    features: Sequence[ArrayLike] | None = None  #: of each model [N, D]
    text_features: Sequence[ArrayLike] | None = None  #: of each model [C, D]
    batch_rows: int = 256
    seed: int = 0
    max_rounds: int = 100

    def __post_init__(self) -> None:
        self._tempered: dict[tuple[int, float], np.ndarray] = {}
        self.models = [np.array(p, "<f4", order="C") for p in self.probabilities]
        if not self.models or any(p.ndim != 2 for p in self.models):
            raise ValueError("probabilities are one matrix for each model")
        self.rows, self.classes = self.models[0].shape
        checked = list(self.models)
        if self.ensemble is None:
            total = np.zeros((self.rows, self.classes))
            for p in self.models:
                total += p
            self.mean = (total / len(self.models)).astype("<f4")
        else:
            self.mean = np.array(self.ensemble, "<f4", order="C")
            checked.append(self.mean)
        for p in checked:
            if p.shape != (self.rows, self.classes):
                raise ValueError(
                    f"probabilities of {p.shape} and {self.models[0].shape}"
                )
            if not ((p >= 0).all() and (abs(p.sum(1, np.float64) - 1) <= 1e-2).all()):
                raise ValueError(
                    "probabilities are below 0, or a row does not sum to 1"
                )
        if self.class_names is None:
            self.class_names = [str(c) for c in range(self.classes)]

    def learnt(self, probabilities: Sequence[ArrayLike]) -> Data:
        """The same with other probabilities; the ensemble is their mean."""
        return replace(self, probabilities=probabilities, ensemble=None)

    def of(self, model: int, temperature: float) -> np.ndarray:
        """Probabilities of a model or the ensemble: float32 [N, C]."""
        p = self.mean if model == ENSEMBLE else self.models[model]
        if not temperature:
            return p
        key = model, temperature
        if key not in self._tempered:
            logits = np.log(np.maximum(p.astype(float), _TINY)) / temperature
            e = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
            self._tempered[key] = (e / e.sum(1, keepdims=True)).astype("<f4")
        return self._tempered[key]

    def view(self, spec: np.void) -> np.ndarray:
        """All records of a view, [n, ...]; but of the previous selection."""
        kind, flags = ViewKind(int(spec["kind"])), int(spec["flags"])
        model = int(spec["model"])
        if flags & ~_FLAGS.get(kind, 0):
            raise Error(Code.INVALID, f"flags {flags:#x}")
        if kind == ViewKind.FEATURES:
            return self._features(model, flags)
        if kind == ViewKind.AGREE:
            return np.stack([_first(p) for p in self.models], axis=1)
        p = self.of(model, float(spec["temperature"]))
        match kind:
            case ViewKind.TOP_M:
                return _top_m(p, _between(int(spec["m"]), self.classes))
            case ViewKind.STATS:
                return _stats(p, bool(flags & FLAG_NO_ENTROPY))
            case ViewKind.COLUMN:
                return np.ascontiguousarray(p[:, _below(spec["class"], self.classes)])
            case ViewKind.CLASS_TOP_K:
                return _class_top_k(p, int(spec["m"]), bool(flags & FLAG_ALL))
            case ViewKind.CLASS_MEAN:
                return _class_mean(p, bool(flags & FLAG_ALL))
            case ViewKind.QUANTILE:
                return _quantiles(p, int(spec["m"]), int(spec["class"]), flags)
        return p  # ROWS, GATHER

    def _features(self, model: int, flags: int) -> np.ndarray:
        of = self.text_features if flags & FLAG_TEXT else self.features
        if of is None:
            raise Error(Code.DENIED, "there are no features")
        return np.array(of[model], "<f4", order="C")


def _below(index: int, end: int) -> int:
    if index >= end:
        raise Error(Code.RANGE, f"{index} of {end}")
    return index


def _between(m: int, most: int) -> int:
    if not 1 <= m <= most:
        raise Error(Code.RANGE, f"{m} of 1 to {most}")
    return m


def _first(p: np.ndarray) -> np.ndarray:
    """The first class of each row: Candidate [N]; of equals the lowest."""
    first = np.empty(len(p), Candidate)
    first["class"] = p.argmax(1)
    first["p"] = p.max(1)
    return first


def _top_m(p: np.ndarray, m: int) -> np.ndarray:
    order = np.argsort(-p, axis=1, kind="stable")[:, :m]
    top = np.empty(order.shape, Candidate)
    top["class"], top["p"] = order, np.take_along_axis(p, order, 1)
    return top


def _margins(p: np.ndarray) -> np.ndarray:
    """Of each (row, class): p minus the largest of the other classes'."""
    if p.shape[1] == 1:
        return p
    top = _top_m(p, 2)
    margins = p - top["p"][:, :1]
    leads = (top["p"][:, 0] - top["p"][:, 1])[:, None]
    np.put_along_axis(margins, top["class"][:, :1].astype(np.int64), leads, 1)
    return margins


def _stats(p: np.ndarray, no_entropy: bool = False) -> np.ndarray:
    stats = np.zeros(len(p), Stats)
    first = _first(p)
    stats["class"], stats["p"] = first["class"], first["p"]
    stats["margin"] = _margins(p)[np.arange(len(p)), first["class"]]
    if no_entropy:
        return stats
    exact = p.astype(float)
    # One after another, as the host adds; np.sum goes by pairs.
    terms = np.cumsum(exact * np.log(np.maximum(exact, _TINY)), axis=1)
    stats["entropy"] = -terms[:, -1]
    return stats


def _class_top_k(p: np.ndarray, m: int, among_all: bool) -> np.ndarray:
    _between(m, 2**31)
    classes = p.shape[1]
    top = np.zeros((classes, m), Ranked)
    top["row"] = NO_ROW
    margins, first = _margins(p), p.argmax(1)
    for c in range(classes):
        rows = np.arange(len(p)) if among_all else np.flatnonzero(first == c)
        best = rows[np.lexsort((rows, -margins[rows, c], -p[rows, c]))[:m]]
        top["row"][c, : len(best)] = best
        top["p"][c, : len(best)] = p[best, c]
    return top.reshape(-1)


def _class_mean(p: np.ndarray, all_in_one: bool) -> np.ndarray:
    means = np.zeros((1 if all_in_one else p.shape[1], 1 + p.shape[1]))
    record = np.zeros(len(p), np.int64) if all_in_one else p.argmax(1)
    np.add.at(means[:, 0], record, 1)
    np.add.at(means[:, 1:], record, p)  # row by row
    return means


def _quantiles(p: np.ndarray, m: int, which: int, flags: int) -> np.ndarray:
    _between(m, 2**20)
    if flags & FLAG_COLUMN:
        if flags & FLAG_ALL:
            return np.stack([_quantile(column, m) for column in p.T])
        return _quantile(p[:, _below(which, p.shape[1])], m)
    stats = _stats(p)
    if which == QUANTILE_MARGIN:
        return _quantile(stats["margin"], m)
    if which == QUANTILE_ENTROPY:
        return _quantile(stats["entropy"], m)
    return _quantile(stats["p"], m)


def _quantile(values: np.ndarray, m: int) -> np.ndarray:
    if len(values) == 0:
        return np.full(m + 1, np.nan)
    x = np.sort(values).astype(float)
    h = np.arange(m + 1) / m * (len(x) - 1)
    low = np.minimum(h.astype(np.int64), len(x) - 1)
    high = np.minimum(low + 1, len(x) - 1)
    return x[low] + (x[high] - x[low]) * (h - low)
