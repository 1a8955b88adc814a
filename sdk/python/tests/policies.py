#!/usr/bin/env python3
"""A plugin for the tests: policies that use everything there is."""

from __future__ import annotations

import sys

import numpy as np

import upl_plugin as upl

print("chatter while importing")


class Everything(upl.Selection):
    """Opens every view, and records what it saw as metrics."""

    name, version, summary = "everything", "1.0.0", "every view"
    parameters = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"k": {"type": "integer", "minimum": 1, "default": 2}},
    }
    needs = tuple(upl.View)
    rounds = True

    def configure(self, setup: upl.Setup) -> None:
        if setup.params["k"] == 13:
            raise upl.Unusable("k", "is 13")
        self.setup = setup
        self.batches = [
            setup.open_rows(),
            setup.open_rows(model=0, temperature=0.5),
            setup.open_top_m(2),
            setup.open_stats(),
            setup.open_stats(model=0, flags=upl.NO_ENTROPY),
            setup.open_agree(),
            setup.open_column(1),
            setup.open_features(),
        ]
        self.gather = setup.open_gather(model=0)
        self.top = setup.open_class_top_k(setup.params["k"])
        self.means = setup.open_class_mean()
        self.mean = setup.open_class_mean(flags=upl.ALL)
        self.tables = [
            setup.open_quantile(4, statistic=upl.QUANTILE_MARGIN),
            setup.open_column_quantile(0, 2),
            setup.open_column_quantiles(3),
        ]
        self.previous = setup.open_previous()
        self.texts = setup.open_text_features()

    def begin_round(self, round: upl.Round) -> None:
        self.round_view = round.open_column(0)
        self.sum = float(self.gather.read([0, 2, 1]).astype(float).sum())
        self.sum += float(self.texts.read().sum())
        round.metric("previous", len(self.previous.read()))

    def observe(self, batch: upl.Batch) -> None:
        for view in [*self.batches, self.round_view]:
            records = view.batch(batch)
            assert not records.flags.writeable
            for field in records.dtype.names or [None]:
                values = records if field is None else records[field]
                self.sum += float(values.astype(float).sum())
        batch.log(f"rows {batch.first} to {batch.indices[-1]}", upl.Level.DEBUG)

    def end_round(self, round: upl.Round) -> bool:
        rows, classes, p = self.top.entries()
        self.sum += float(p.astype(float).sum())
        for means in (self.means.read(), self.mean.read()):
            self.sum += float(means.counts.sum() + means.sums.sum())
        self.sum += sum(float(table.read().sum()) for table in self.tables)
        round.metric("sum", self.sum)
        round.metric("random", float(round.generator().random()))
        round.emit(rows, classes, weights=p)
        return round.number == 0


class Kinds(upl.Selection):
    """Emits records of every kind, many of them."""

    name, version = "kinds", "1.0.0"

    def configure(self, setup: upl.Setup) -> None:
        self.rows, self.classes = setup.rows, setup.classes

    def end_round(self, round: upl.Round) -> None:
        hard, soft, sets, dropped = np.array_split(np.arange(self.rows), 4)
        round.emit(hard, hard % self.classes, 0.5)
        p = np.zeros((len(soft), self.classes))
        p[:, 0] = p[:, -1] = 0.5
        round.emit_soft(soft, 1.0, p)
        offsets = 2 * np.arange(len(sets) + 1)
        round.emit_candidates(sets, 2.0, offsets, np.tile([1, 0], len(sets)))
        round.drop(dropped)


class Wrong(upl.Selection):
    """Goes wrong as its parameter says."""

    name, version = "wrong", "1.0.0"
    parameters = {"type": "object", "properties": {"how": {"type": "string"}}}
    needs = (upl.View.STATS,)

    def configure(self, setup: upl.Setup) -> None:
        self.how = setup.params["how"]
        self.stats = setup.open_stats()
        match self.how:
            case "undeclared":
                setup.open_rows()
            case "exit":
                sys.exit("no more")
            case "raise":
                {}["no such key"]
            case "prints":
                print("chatter in a run")

    def end_round(self, round: upl.Round) -> None:
        match self.how:
            case "late":
                self.stats.batch(upl.Batch(round, 0, 1))
            case "range":
                round.emit([10**9], [0])


class Threshold(upl.Selection):
    """Looks at all probabilities for those that reach 0.99."""

    name, version = "threshold", "1.0.0"
    needs = (upl.View.ROWS,)

    def configure(self, setup: upl.Setup) -> None:
        self.p = setup.open_rows()

    def observe(self, batch: upl.Batch) -> None:
        p = self.p.batch(batch)
        best = p.argmax(axis=1)
        sure = p[np.arange(batch.rows), best] >= 0.99
        batch.emit(batch.indices[sure], best[sure])


class Mean(upl.Ensemble):
    """The mean of the models."""

    name, version = "mean", "1.0.0"
    needs = (upl.View.ROWS,)

    def configure(self, setup: upl.Setup) -> None:
        self.models = [setup.open_rows(model=m) for m in range(setup.models)]

    def combine(self, batch: upl.Batch) -> np.ndarray:
        return np.mean([m.batch(batch) for m in self.models], axis=0, dtype=float)


if __name__ == "__main__":
    upl.serve(Everything, Kinds, Wrong, Threshold, Mean)
