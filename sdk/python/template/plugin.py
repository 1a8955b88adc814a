#!/usr/bin/env python3
"""A plugin for upl-host with one policy, {{name}}."""

import numpy as np

import upl_plugin as upl


class {{Type}}(upl.Selection):
    """Per class the k images whose first class is furthest ahead of the second."""

    name, version = "{{name}}", "0.1.0"
    summary = "per class the K images whose first class is furthest ahead of the second"
    parameters = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "k": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100000,
                "default": 16,
                "description": "images per class",
            },
        },
    }
    needs = [upl.View.STATS]  # see upl_plugin/opening.py for all of them

    def configure(self, setup: upl.Setup) -> None:
        self.k = setup.params["k"]
        self.stats = setup.open_stats(flags=upl.NO_ENTROPY)
        self.classes = np.zeros(setup.rows, np.int64)
        self.margins = np.zeros(setup.rows, np.float32)

    def observe(self, batch: upl.Batch) -> None:
        stats = self.stats.batch(batch)
        self.classes[batch.indices] = stats["class"]
        self.margins[batch.indices] = stats["margin"]

    def end_round(self, round: upl.Round) -> None:
        for c in np.unique(self.classes):
            rows = np.flatnonzero(self.classes == c)
            # Stable: of equal margins the earlier row comes first.
            order = np.argsort(-self.margins[rows], kind="stable")
            round.emit(rows[order[: self.k]], c)


if __name__ == "__main__":
    upl.serve({{Type}})
