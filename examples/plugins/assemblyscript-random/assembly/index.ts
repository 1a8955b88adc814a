import {
  Batch, FLAG_NO_ENTROPY, Round, Selection, Setup, Stats, VIEW_STATS, View, metric, plugin, random,
} from "upl-plugin/assembly";
export * from "upl-plugin/assembly/exports"; // the functions that upl-host calls

/** A uniform sample of the rows offered to it, of k at most. */
class Reservoir {
  rows: u64[] = [];
  offered: u32 = 0;

  /** Algorithm R: the n-th row is kept with probability k/n, in the place of one of those before. */
  offer(row: u64, k: i32): void {
    this.offered++;
    if (this.rows.length < k) {
      this.rows.push(row);
      return;
    }
    const place = random.below(this.offered);
    if (place < <u32>k) this.rows[place] = row;
  }
}

/**
 * Draws K images for each class from those predicted as it: the baseline that a rule
 * by confidence has to beat.
 */
class RandomK extends Selection {
  private k: i32 = 0;
  private least: f32 = 0;
  private stats!: View<Stats>;
  private classes: Reservoir[] = [];

  /** Reads the parameters and opens the view: 16 bytes a row, which the host computes. */
  configure(setup: Setup): void {
    this.k = setup.int("k");
    this.least = <f32>setup.float("least");
    this.stats = setup.openStats(FLAG_NO_ENTROPY);
    for (let c = 0; c < setup.classes; c++) this.classes.push(new Reservoir());
  }

  /** Offers each row to the class that it is predicted as. */
  observe(batch: Batch): void {
    const stats = this.stats.batch(batch);
    for (let i = 0; i < stats.length; i++) {
      const s = stats[i];
      if (s.p >= this.least) this.classes[s.class].offer(batch.first + i, this.k);
    }
  }

  /** Emits the samples, and records how many images they were drawn from. */
  endRound(round: Round): bool {
    let offered: f64 = 0;
    for (let c = 0; c < this.classes.length; c++) {
      const reservoir = this.classes[c];
      offered += reservoir.offered;
      for (let i = 0; i < reservoir.rows.length; i++) round.emit(reservoir.rows[i], c);
    }
    metric("drawn_from", offered);
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
      "k": {
        "type": "integer", "minimum": 1, "maximum": 100000, "default": 16,
        "description": "images per class"
      },
      "least": {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0,
        "description": "the least probability of an image"
      }
    }
  }`,
  needs: [VIEW_STATS],
  selection: () => new RandomK(),
}]);
