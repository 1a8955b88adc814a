"""What a comparison found, as rows of a table."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Unit = Literal["s", "ms", "per s", "GiB", "relative", "largest", "share"]


@dataclass(frozen=True)
class Bound:
    """What a row is to keep."""

    kind: Literal["at least", "at most"]
    value: float

    def met(self, value: float) -> bool:
        return value >= self.value if self.kind == "at least" else value <= self.value


@dataclass(frozen=True)
class Row:
    """A line of the table: what upl-host needs beside what another needs, or a figure alone.

    A bound is on the ratio where there is one, otherwise on the figure.
    """

    benchmark: str
    what: str
    ours: float
    unit: Unit
    against: str = ""
    theirs: float | None = None
    bound: Bound | None = None
    classes: int | None = None  # for the chart over classes

    @property
    def ratio(self) -> float | None:
        """How many times as fast upl-host is."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.unit == "per s" else self.theirs / self.ours

    @property
    def met(self) -> bool | None:
        if self.bound is None:
            return None
        return self.bound.met(self.ours if self.ratio is None else self.ratio)

    def record(self) -> dict[str, Any]:
        """The row for JSON."""
        values: dict[str, Any] = {
            "benchmark": self.benchmark,
            "what": self.what,
            "ours": self.ours,
            "unit": self.unit,
            "against": self.against or None,
            "theirs": self.theirs,
            "ratio": self.ratio,
            "bound": self.bound and f"{self.bound.kind} {self.bound.value:g}",
            "met": self.met,
            "classes": self.classes,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass
class Findings:
    """The rows of a benchmark, everything that was measured for them, and notes for the reader."""

    rows: list[Row] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Times:
    """Seconds of one thing, from all rounds."""

    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: Iterable[float]) -> None:
        self.seconds.extend(seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def record(self) -> dict[str, Any]:
        """The times for JSON."""
        return {
            "median_s": self.median,
            "min_s": min(self.seconds),
            "seconds": self.seconds,
        }
