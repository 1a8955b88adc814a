import { Batch, FLAG_NO_ENTROPY, Round, Selection, Setup, Stats, VIEW_STATS, View, metric, plugin, random } from "upl-plugin/assembly";
export * from "upl-plugin/assembly/exports";

/** A uniform sample of the rows of one class. */
class Reservoir {
  rows: u64[] = [];
  seen: u32 = 0;

  /** Algorithm R: the n-th row takes a place in k with probability k/n. */
  offer(row: u64, k: i32): void {
    this.seen++;
    if (this.rows.length < k) {
      this.rows.push(row);
      return;
    }
    const place = random.below(this.seen);
    if (place < <u32>k) this.rows[place] = row;
  }
}

class RandomK extends Selection {
  private k: i32 = 0;
  private least: f64 = 0;
  private stats!: View<Stats>;
  private classes: Reservoir[] = [];

  configure(setup: Setup): void {
    this.k = setup.int("k");
    this.least = setup.float("least");
    this.stats = setup.openStats(FLAG_NO_ENTROPY);
    for (let c = 0; c < setup.classes; c++) this.classes.push(new Reservoir());
  }

  observe(batch: Batch): void {
    const stats = this.stats.batch(batch);
    for (let i = 0; i < stats.length; i++) {
      const row = stats[i];
      if (row.p >= this.least) this.classes[row.class].offer(batch.first + i, this.k);
    }
  }

  endRound(round: Round): bool {
    for (let c = 0; c < this.classes.length; c++) {
      const rows = this.classes[c].rows;
      for (let i = 0; i < rows.length; i++) round.emit(rows[i], c);
    }
    return false;
  }
}

plugin([{
  name: "random-k",
  version: "1.0.0",
  summary: "per class K images drawn at random from those predicted as it",
  parameters: `{
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "k": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 16, "description": "images per class"},
      "least": {"type": "number", "minimum": 0, "maximum": 1, "default": 0, "description": "the least probability of an image"}
    }
  }`,
  needs: [VIEW_STATS],
  selection: () => new RandomK(),
}]);
