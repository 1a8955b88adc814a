import {
  Batch, Candidate, ClassTopK, Emitted, FLAG_ALL, FLAG_NO_ENTROPY, LEVEL_INFO, Opener, Previous, QUANTILE_ENTROPY, QUANTILE_MARGIN,
  QUANTILE_P, Records, Round, Selection, Setup, Stats, View, failed, log,
} from "upl-plugin/assembly";

/** Logs the records of every view, those at a temperature of `temperature`, in every round. */
export class Views extends Selection {
  private rows!: View<f32>;
  private topM!: View<Candidate>;
  private stats!: View<Stats>;
  private bare!: View<Stats>;
  private agree!: View<Candidate>;
  private column!: View<f32>;
  private gather!: View<f32>;
  private classTopK!: ClassTopK;
  private anyTopK!: ClassTopK;
  private classMean!: View<f64>;
  private mean!: View<f64>;
  private quantiles: View<f64>[] = [];
  private previous!: Previous;
  private features: View<f32> | null = null;
  private texts: View<f32> | null = null;
  private rounds: i32 = 1;

  configure(setup: Setup): void {
    const temperature = setup.has("temperature") ? <f32>setup.float("temperature") : 0;
    const at: Opener = temperature > 0 ? setup.at(temperature) : setup;
    const last = setup.models - 1;
    if (setup.has("rounds")) this.rounds = setup.int("rounds");
    this.rows = at.openRows(last);
    this.topM = at.openTopM(min(2, setup.classes));
    this.stats = at.openStats();
    this.bare = at.openStats(FLAG_NO_ENTROPY, last);
    this.agree = setup.openAgree();
    this.column = at.openColumn(setup.classes - 1);
    this.gather = at.openGather();
    this.classTopK = at.openClassTopK(setup.has("m") ? setup.int("m") : 3);
    this.anyTopK = at.openClassTopK(300, FLAG_ALL, last);
    this.classMean = at.openClassMean();
    this.mean = at.openClassMean(FLAG_ALL, last);
    this.quantiles.push(at.openQuantile(QUANTILE_P, 4));
    this.quantiles.push(at.openQuantile(QUANTILE_MARGIN, 3, last));
    this.quantiles.push(at.openQuantile(QUANTILE_ENTROPY, 2));
    this.quantiles.push(at.openColumnQuantile(0, 2));
    this.quantiles.push(at.openColumnQuantiles(2));
    this.previous = setup.openPrevious();
    if (setup.featureDims.length > 0) {
      this.features = setup.openFeatures(last);
      this.texts = setup.openTextFeatures(0);
    }
  }

  observe(batch: Batch): void {
    const first = batch.first;
    show("rows", first, this.rows.batch(batch));
    candidates("top_m", first, this.topM.batch(batch));
    stats("stats", first, this.stats.batch(batch));
    stats("bare", first, this.bare.batch(batch));
    candidates("agree", first, this.agree.batch(batch));
    show("column", first, this.column.batch(batch));
    const features = this.features;
    if (features !== null) show("features", first, features.batch(batch));
  }

  endRound(round: Round): bool {
    const setup = round.setup;
    for (let c = 0; c < setup.classes; c++) {
      ranked("class_top_k", c, this.classTopK);
      ranked("any_top_k", c, this.anyTopK);
    }
    show("class_mean", 0, this.classMean.read(0, setup.classes));
    show("mean", 0, this.mean.read(0, 1));
    const counts: i32[] = [5, 4, 3, 3, setup.classes];
    for (let i = 0; i < counts.length; i++) show("quantile", i, this.quantiles[i].read(0, counts[i]));
    if (setup.rows > 1) show("gather", 1, this.gather.read(1, <i32>min<u64>(setup.rows - 1, 3)));
    const texts = this.texts;
    if (texts !== null) show("texts", 0, texts.read(0, setup.classes));
    emitted(this.previous.read(0, 1000));
    for (let row: u64 = 0; row < setup.rows; row++) round.emit(row, round.number);
    return !failed() && round.number + 1 < this.rounds;
  }
}

function line(what: string, first: u64, numbers: string[]): void {
  log(LEVEL_INFO, what + " " + first.toString() + ": " + numbers.join(" "));
}

function show<T>(what: string, first: u64, records: Records<T>): void {
  const out = new Array<string>();
  for (let i = 0; i < records.length; i++) out.push((<f64>records[i]).toString());
  line(what, first, out);
}

function candidates(what: string, first: u64, records: Records<Candidate>): void {
  const out = new Array<string>();
  for (let i = 0; i < records.length; i++) {
    out.push(records[i].class.toString());
    out.push((<f64>records[i].p).toString());
  }
  line(what, first, out);
}

function stats(what: string, first: u64, records: Records<Stats>): void {
  const out = new Array<string>();
  for (let i = 0; i < records.length; i++) {
    const s = records[i];
    out.push(s.class.toString());
    out.push((<f64>s.p).toString());
    out.push((<f64>s.margin).toString());
    out.push((<f64>s.entropy).toString());
  }
  line(what, first, out);
}

function ranked(what: string, class_: i32, view: ClassTopK): void {
  const records = view.of(class_);
  const out = new Array<string>();
  for (let i = 0; i < records.length; i++) {
    out.push(records[i].row.toString());
    out.push((<f64>records[i].p).toString());
  }
  line(what, class_, out);
}

function emitted(records: Records<Emitted>): void {
  const out = new Array<string>();
  for (let i = 0; i < records.length; i++) {
    const e = records[i];
    out.push([e.row.toString(), e.class.toString(), (<f64>e.weight).toString(), e.kind.toString(), (<f64>e.p).toString()].join("/"));
  }
  line("previous", 0, out);
}
