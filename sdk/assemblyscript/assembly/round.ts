import { Emitter } from "./emission";
import { Setup } from "./setup";
import { Records } from "./view";

/** One round of a policy. */
export class Round extends Emitter {
  /** From 0. */
  number: i32 = 0;
  /** For the SDK: whether `skipBatches` was called. */
  skipped: bool = false;

  constructor(
    /** Views opened in `beginRound` are for this round alone. */
    readonly setup: Setup,
  ) {
    super();
  }

  /**
   * Leaves out, called in `beginRound`, this round's calls of `observe`. Where no global
   * view is open either, the host does not even read the data.
   */
  skipBatches(): void {
    this.skipped = true;
  }
}

/** A range of rows on their way past. */
export class Batch extends Emitter {
  /** Its first row. */
  first: u64 = 0;
  /** How many there are. */
  rows: i32 = 0;
  /** Where `combine` writes the probabilities of the batch: C a row. Of ensembles. */
  readonly output: Records<f32>;

  constructor(readonly round: Round) {
    super();
    this.output = new Records<f32>(round.setup.classes);
  }

  get setup(): Setup {
    return this.round.setup;
  }
}
