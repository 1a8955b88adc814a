import {
  Batch, CODE_DATA, CODE_DENIED, Round, Selection, Setup, Stats, View, fail, failed, metric, recover, unusable,
} from "upl-plugin/assembly";

/** Fails in the way that the parameter `how` names. */
export class Faulty extends Selection {
  private how: string = "";
  private stats!: View<Stats>;
  private garbage: string = "";

  configure(setup: Setup): void {
    this.how = setup.text("how");
    if (this.how == "config") {
      unusable("how", "is of no use");
      fail(CODE_DATA, "this comes too late");
    } else if (this.how == "denied") {
      setup.openRows();
    } else if (this.how == "recovered") {
      setup.openRows();
      const fault = recover();
      metric("denied", fault !== null && fault.code == CODE_DENIED ? 1 : 0);
      metric("failed", failed() ? 1 : 0);
    } else if (this.how == "range") {
      setup.openTopM(0);
    } else if (this.how == "metric") {
      metric("not a number", NaN);
    } else if (this.how == "positive") {
      fail(3, "a code that is none");
    }
    this.stats = setup.openStats();
  }

  observe(batch: Batch): void {
    const stats = this.stats.batch(batch);
    if (this.how == "throw") throw new Error("thrown on purpose — “here”");
    if (this.how == "index") stats[batch.rows];
    if (this.how == "array") [1, 2][batch.rows + 2];
    if (this.how == "assert") assert(batch.rows == 0, "there are rows");
    if (this.how == "recursion") this.garbage = deep(batch.rows);
    if (this.how == "loud") for (let i = 0; i < 100; i++) console.error("a".repeat(20000));
    if (this.how == "behind") this.stats.read(batch.first + 1, batch.rows);
    if (this.how == "huge") this.stats.read(batch.first, i32.MAX_VALUE);
    if (this.how == "console") {
      console.log("said");
      console.warn("warned");
      console.assert(batch.rows == 0, "asserted");
      trace("traced", 2, 1, 0.5);
    }
    // Garbage, of which a run may make any amount.
    if (this.how == "garbage") for (let i = 0; i < 20; i++) this.garbage = batch.first.toString().padStart(100) + i.toString();
    if (this.how == "after" && batch.first == 0) {
      fail(CODE_DATA, "the first word");
      if (batch.rows == 1) [0][batch.rows];
      batch.emit(0, stats[batch.rows].class);
      metric("seen", this.stats.batch(batch).length);
    }
  }

  endRound(round: Round): bool {
    if (this.how == "memory") this.garbage = " ".repeat(1 << 22);
    return this.how == "again";
  }
}

function deep(n: i32): string {
  const rest = deep(n + 1);
  return n.toString() + rest;
}
