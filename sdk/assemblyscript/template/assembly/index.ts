import { Batch, FLAG_NO_ENTROPY, Round, Selection, Setup, Stats, VIEW_STATS, View, plugin } from "upl-plugin/assembly";
export * from "upl-plugin/assembly/exports"; // the functions that upl-host calls

class Image {
  constructor(
    readonly row: u64,
    readonly margin: f32,
  ) {}
}

class {{Type}}Selection extends Selection {
  private k: i32 = 0;
  private stats!: View<Stats>;
  private classes: Image[][] = []; // of each, the best so far, best first

  /** Reads the parameters and opens the view: 16 bytes a row, which the host computes. */
  configure(setup: Setup): void {
    this.k = setup.int("k");
    this.stats = setup.openStats(FLAG_NO_ENTROPY);
    for (let c = 0; c < setup.classes; c++) this.classes.push([]);
  }

  /** Sees all rows, a batch at a time. */
  observe(batch: Batch): void {
    const stats = this.stats.batch(batch);
    for (let i = 0; i < stats.length; i++) {
      const s = stats[i];
      this.keep(this.classes[s.class], batch.first + i, s.margin);
    }
  }

  /** Puts a row in its place among the best, if it has one; of equals the earlier stays ahead. */
  private keep(best: Image[], row: u64, margin: f32): void {
    let place = best.length;
    while (place > 0 && best[place - 1].margin < margin) place--;
    if (place == this.k) return;
    if (best.length == this.k) best.pop();
    best.push(new Image(row, margin));
    for (let i = best.length - 1; i > place; i--) {
      const image = best[i];
      best[i] = best[i - 1];
      best[i - 1] = image;
    }
  }

  /** Emits the labels; true would ask for another round. */
  endRound(round: Round): bool {
    for (let c = 0; c < this.classes.length; c++) {
      const best = this.classes[c];
      for (let i = 0; i < best.length; i++) round.emit(best[i].row, c);
    }
    return false;
  }
}

plugin([{
  name: "{{name}}",
  version: "0.1.0",
  summary: "per class the K images whose first class is furthest ahead of the second",
  parameters: `{
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "k": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 16, "description": "images per class"}
    }
  }`,
  needs: [VIEW_STATS],
  selection: () => new {{Type}}Selection(),
}]);
