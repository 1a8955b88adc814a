import {
  Batch, CODE_NOT_SUPPORTED, EMIT_SOFT, Ensemble, LEVEL_WARN, Previous, Round, Selection, Setup, View, fail, log, metric, random,
} from "upl-plugin/assembly";

/** Emits records of `kind`, `count` of them in a round, of these weights, over `rounds` rounds. */
export class Results extends Selection {
  private kind: string = "";
  private count: i32 = 0;
  private weight: f32 = 0;
  private rounds: i32 = 0;
  private previous!: Previous;

  configure(setup: Setup): void {
    this.kind = setup.text("kind");
    this.count = setup.int("count");
    this.weight = <f32>setup.float("weight");
    this.rounds = setup.int("rounds");
    this.previous = setup.openPrevious();
    if (this.kind == "soft" && !setup.takes(EMIT_SOFT)) fail(CODE_NOT_SUPPORTED, "this host takes no soft labels");
    metric("learns", setup.learns ? 1 : 0);
  }

  beginRound(round: Round): void {
    round.skipBatches();
    metric("previous", this.previous.read(0, 100000).length);
  }

  observe(batch: Batch): void {
    fail(CODE_NOT_SUPPORTED, "batches were to be skipped");
  }

  endRound(round: Round): bool {
    const classes = round.setup.classes;
    const all: u32[] = [], even: f32[] = [];
    for (let c = classes - 1; c >= 0; c--) { // the host sorts
      all.push(c);
      even.push(<f32>1 / <f32>classes);
    }
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.kind == "hard") round.emit(i, i % classes, this.weight);
      else if (this.kind == "two") { round.emit(i, 1, this.weight); round.emit(i, 0); }
      else if (this.kind == "twice") { round.emit(i, 0); round.emit(i, 0); }
      else if (this.kind == "mixed") { round.emit(i, 0); round.drop(i); }
      else if (this.kind == "soft") round.emitSoft(i, all, even, this.weight);
      else if (this.kind == "uneven") round.emitSoft(i, all, [<f32>1]);
      else if (this.kind == "short") round.emitSoft(i, [0], [<f32>0.5]);
      else if (this.kind == "candidates") round.emitCandidates(i, all, this.weight);
      else if (this.kind == "same") round.emitCandidates(i, [0, 0]);
      else if (this.kind == "drop") round.drop(i);
    }
    return round.number + 1 < this.rounds;
  }
}

/** Draws from the host's stream: `count` numbers below `below`, in `rounds` rounds. */
export class Draws extends Selection {
  private below: u32 = 0;
  private count: i32 = 0;
  private rounds: i32 = 1;

  configure(setup: Setup): void {
    this.below = <u32>setup.float("below");
    this.count = setup.int("count");
    this.rounds = setup.int("rounds");
    random.bits(); // which the first round does not notice
  }

  endRound(round: Round): bool {
    for (let i = 0; i < this.count; i++) metric("draw", random.below(this.below));
    metric("unit", random.unit());
    metric("math", Math.random());
    return round.number + 1 < this.rounds;
  }
}

/** The mean weighted by what a first pass finds: the mean confidence of each model. */
export class Weighted extends Ensemble {
  private models: View<f32>[] = [];
  private weights: f64[] = [];
  private fault: string = "";

  configure(setup: Setup): void {
    this.fault = setup.text("fault");
    for (let m = 0; m < setup.models; m++) {
      this.models.push(setup.openRows(m));
      this.weights.push(0);
    }
  }

  observe(batch: Batch): void {
    for (let m = 0; m < this.models.length; m++) {
      const rows = this.models[m].batch(batch);
      for (let i = 0; i < batch.rows; i++) {
        let most: f32 = 0;
        for (let c = 0; c < rows.width; c++) most = max(most, rows.at(i, c));
        this.weights[m] += most;
      }
    }
  }

  endRound(round: Round): bool {
    return this.fault == "rounds" || round.number < 1;
  }

  combine(batch: Batch): void {
    if (this.fault == "fail") fail(CODE_NOT_SUPPORTED, "no output today");
    let total: f64 = 0;
    for (let m = 0; m < this.weights.length; m++) total += this.weights[m];
    const out = batch.output;
    for (let i = 0; i < out.length; i++) out[i] = 0;
    for (let m = 0; m < this.models.length; m++) {
      const rows = this.models[m].batch(batch);
      for (let i = 0; i < batch.rows; i++) {
        for (let c = 0; c < rows.width; c++) out.put(i, c, out.at(i, c) + <f32>(rows.at(i, c) * this.weights[m] / total));
      }
    }
    if (this.fault == "sum") out[0] = 2;
    if (this.fault == "index") out[out.length] = 1;
    if (batch.first == 0) log(LEVEL_WARN, "weighted");
  }
}
