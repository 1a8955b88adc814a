"""Reads what ``upl-host select -o OUT.npz|OUT.csv`` writes."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def _no_rows() -> np.ndarray:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Labels:
    """Hard pseudo labels, sorted by row, then class."""

    rows: np.ndarray  #: int64 [n]
    classes: np.ndarray  #: int32 [n]
    weights: np.ndarray  #: float32 [n]
    drops: np.ndarray = field(default_factory=_no_rows)  #: int64, rows of no use


@dataclass(frozen=True)
class SoftLabels:
    """Distributions over classes, sorted by row."""

    rows: np.ndarray  #: int64 [n]
    weights: np.ndarray  #: float32 [n]
    soft: np.ndarray  #: float32 [n, C]
    drops: np.ndarray = field(default_factory=_no_rows)  #: int64, rows of no use


@dataclass(frozen=True)
class CandidateSets:
    """Sets of classes of which one is right, sorted by row.

    Those of ``rows[i]`` are ``classes[offsets[i]:offsets[i + 1]]``.
    """

    rows: np.ndarray  #: int64 [n]
    offsets: np.ndarray  #: int64 [n + 1]
    classes: np.ndarray  #: int32
    weights: np.ndarray  #: float32 [n]
    drops: np.ndarray = field(default_factory=_no_rows)  #: int64, rows of no use


@dataclass(frozen=True)
class Mixed:
    """What a policy gives that emits records of several kinds; None: none of that."""

    labels: Labels | None
    soft: SoftLabels | None
    candidates: CandidateSets | None
    drops: np.ndarray = field(default_factory=_no_rows)  #: int64, rows of no use


Result = Labels | SoftLabels | CandidateSets | Mixed


def read(path: str | os.PathLike[str]) -> Result:
    """Reads a selection: the kind of result is the file's.

    Raises ValueError for a file that is no selection.
    """
    if os.fspath(path).endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as file:
            return _from_csv(csv.reader(file))
    with np.load(path, allow_pickle=False) as arrays:
        return _from_arrays({name: arrays[name] for name in arrays.files})


_FIELDS: tuple[tuple[type[Result], dict[str, type]], ...] = (
    (SoftLabels, {"rows": np.int64, "weights": np.float32, "soft": np.float32}),
    (
        CandidateSets,
        {
            "rows": np.int64,
            "offsets": np.int64,
            "classes": np.int32,
            "weights": np.float32,
        },
    ),
    (Labels, {"rows": np.int64, "classes": np.int32, "weights": np.float32}),
)


#: Before the names of arrays, where a file has several kinds.
_PREFIXES = ("hard_", "soft_", "candidates_")


def _from_arrays(arrays: dict[str, np.ndarray]) -> Result:
    kinds = [p for p in _PREFIXES if f"{p}rows" in arrays]
    if kinds:
        parts = {
            prefix: _from_arrays(
                {
                    name.removeprefix(prefix): values
                    for name, values in arrays.items()
                    if name.startswith(prefix)
                }
            )
            for prefix in kinds
        }
        known_parts: dict[str, Any] = {
            "labels": parts.get("hard_"),
            "soft": parts.get("soft_"),
            "candidates": parts.get("candidates_"),
        }
        drops = np.asarray(arrays.get("drops", _no_rows())).astype(np.int64)
        return Mixed(**known_parts, drops=drops)
    for result, fields in _FIELDS:
        if fields.keys() <= arrays.keys():
            known: dict[str, Any] = {
                name: arrays[name].astype(dtype) for name, dtype in fields.items()
            }
            if "drops" in arrays:
                known["drops"] = arrays["drops"].astype(np.int64)
            return result(**known)
    raise ValueError(f"no selection: arrays {', '.join(arrays) or 'none'}")


def _from_csv(lines: Iterable[list[str]]) -> Result:
    header, *cells = lines
    if header == ["row", "kind", "weight", "classes", "p"]:
        return _from_kinds(cells)
    columns = list(zip(*cells)) or [()] * len(header)
    arrays: dict[str, Any]
    if header[:2] == ["row", "class"]:
        rows, classes, weights = columns
        arrays = {"rows": rows, "classes": classes, "weights": weights}
    elif header[:3] == ["row", "weight", "classes"]:
        rows, weights, sets = columns
        split = [s.split(";") for s in sets]
        offsets = np.cumsum([0, *map(len, split)])
        classes = tuple(c for s in split for c in s)
        arrays = {
            "rows": rows,
            "weights": weights,
            "offsets": offsets,
            "classes": classes,
        }
    elif header[:3] == ["row", "weight", "p0"]:
        soft = np.array(columns[2:], np.float32).T
        arrays = {"rows": columns[0], "weights": columns[1], "soft": soft}
    else:
        raise ValueError(f"no selection: columns {', '.join(header)}")
    return _from_arrays({name: np.asarray(values) for name, values in arrays.items()})


def _from_kinds(cells: list[list[str]]) -> Result:
    """Reads the columns that say of each row which kind of record it is."""
    of: dict[str, list[list[str]]] = {
        kind: [c for c in cells if c[1] == kind]
        for kind in ("hard", "soft", "candidates", "drop")
    }
    if sum(map(len, of.values())) != len(cells):
        raise ValueError("no selection: a row of no known kind")
    arrays: dict[str, Any] = {}
    for prefix, kind in zip(_PREFIXES, ("hard", "soft", "candidates")):
        records = of[kind]
        if not records:
            continue
        arrays[f"{prefix}rows"] = [int(c[0]) for c in records]
        arrays[f"{prefix}weights"] = [float(c[2]) for c in records]
        sets = [[int(x) for x in c[3].split(";")] for c in records]
        if kind == "soft":
            soft = np.zeros((len(records), 1 + max(map(max, sets))), np.float32)
            for row, classes, record in zip(soft, sets, records):
                row[classes] = [float(x) for x in record[4].split(";")]
            arrays["soft_soft"] = soft
            continue
        arrays[f"{prefix}classes"] = [x for classes in sets for x in classes]
        if kind == "candidates":
            arrays["candidates_offsets"] = np.cumsum([0, *map(len, sets)])
    drops = [int(c[0]) for c in of["drop"]]
    kinds = [p for p in _PREFIXES if f"{p}rows" in arrays]
    if len(kinds) == 1:  # one kind is read as itself
        arrays = {name.removeprefix(kinds[0]): a for name, a in arrays.items()}
    elif not kinds:
        arrays = {"rows": [], "classes": [], "weights": []}
    if drops:
        arrays["drops"] = drops
    return _from_arrays({name: np.asarray(a) for name, a in arrays.items()})
