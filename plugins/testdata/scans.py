#!/usr/bin/env python3
"""The witness policy `scans` in Python: it looks at every probability."""

import upl_plugin as upl


class Scans(upl.Selection):
    name, version, summary = "scans", "1.0.0", ""
    parameters = {"type": "object"}
    needs = [upl.View.ROWS]

    def configure(self, setup: upl.Setup) -> None:
        self.rows = setup.open_rows()
        self.most = 0.0

    def observe(self, batch: upl.Batch) -> None:
        self.most = max(self.most, float(self.rows.batch(batch).max()))

    def end_round(self, round: upl.Round) -> bool:
        round.metric("most", self.most)
        return False


if __name__ == "__main__":
    upl.serve(Scans)
