"""Encoding of what policies emit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .abi import Candidate, Label

_HEAD = 4  # words of a record's head: the row in two, the weight, the number of classes


def integers(what: str, values: ArrayLike) -> np.ndarray:
    """A list of integers, none below 0, as int64 [n] or a scalar's []."""
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} are {array.dtype}, not integers")
    if array.min() < 0:
        raise ValueError(f"{what} have {array.min()}, below 0")
    return array.astype(np.int64)


def hard(rows: ArrayLike, classes: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Hard labels: Label [n]."""
    row = np.atleast_1d(integers("rows", rows))
    labels = np.zeros(len(row), Label)
    labels["row"] = row
    labels["class"] = integers("classes", classes)
    labels["weight"] = weights
    return labels


def drops(rows: ArrayLike) -> np.ndarray:
    """Dropped rows: uint64 [n]."""
    return np.atleast_1d(integers("rows", rows)).astype("<u8")


def soft(
    rows: ArrayLike, weights: ArrayLike, probabilities: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Soft labels of a dense or scipy.sparse matrix [n, C], without its zeros."""
    row = np.atleast_1d(integers("rows", rows))
    if hasattr(probabilities, "tocsr"):
        matrix = probabilities.tocsr()
        matrix.eliminate_zeros()
        offsets, classes, p = matrix.indptr, matrix.indices, matrix.data
    else:
        dense = np.atleast_2d(np.asarray(probabilities, np.float32))
        at, classes = np.nonzero(dense)
        offsets = np.searchsorted(at, np.arange(len(dense) + 1))
        p = dense[at, classes]
    candidates = np.empty(len(classes), Candidate)
    candidates["class"], candidates["p"] = classes, p
    return _sets(row, weights, offsets, candidates.view("<u4"), 2)


def candidates(
    rows: ArrayLike, weights: ArrayLike, offsets: ArrayLike, classes: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Candidate sets: those of row i are classes[offsets[i]:offsets[i + 1]]."""
    row = np.atleast_1d(integers("rows", rows))
    values = np.atleast_1d(integers("classes", classes)).astype("<u4")
    return _sets(row, weights, integers("offsets", offsets), values, 1)


def _sets(
    rows: np.ndarray,
    weights: ArrayLike,
    offsets: ArrayLike,
    words: np.ndarray,
    width: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Records of a head and its classes, of ``width`` words each.

    Returns them as uint32 words, and where each record ends.
    """
    offsets = np.asarray(offsets, np.int64)
    counts = np.diff(offsets)
    if (
        len(offsets) != len(rows) + 1
        or offsets[0] != 0
        or offsets[-1] * width != len(words)
    ):
        raise ValueError(f"{len(rows)} rows, and classes for {len(offsets) - 1}")
    if (counts < 1).any():
        raise ValueError(f"row {rows[counts < 1][0]} has no class")
    ends = np.cumsum(_HEAD + width * counts)
    heads = (ends - _HEAD - width * counts)[:, None] + np.arange(_HEAD)
    out = np.empty(ends[-1] if len(ends) else 0, "<u4")
    body = np.ones(len(out), bool)
    body[heads] = False
    out[body] = words
    head = np.empty((len(rows), _HEAD), "<u4")
    head[:, 0], head[:, 1] = rows & 0xFFFFFFFF, rows >> 32
    head[:, 2] = np.broadcast_to(np.asarray(weights, "<f4"), rows.shape).view("<u4")
    head[:, 3] = counts
    out[heads] = head
    return out, ends
