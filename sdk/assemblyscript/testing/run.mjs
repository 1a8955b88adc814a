// One policy over one data set: the order of calls, and what the imports do.

import { abi, nameOf } from "./abi.mjs";
import { ChaCha8 } from "./chacha8.mjs";
import { Emission } from "./emission.mjs";
import { LimitError, ProtocolError, Refusal } from "./errors.mjs";
import { Data, LIMITS, canonical, unlike } from "./input.mjs";
import { Instance } from "./instance.mjs";
import { open } from "./views.mjs";

/** @typedef {import("./index.mjs").Description} Description */
/** @typedef {import("./input.mjs").Input} Input */
/** @typedef {import("./input.mjs").Matrix} Matrix */
/** @typedef {import("./views.mjs").View} View */

const LINE = 32; // bytes that an empty line costs
const VIEWS = 256; // that may be open at once
const TAKES = { soft: abi.TAKES_SOFT, candidates: abi.TAKES_CANDIDATES, drops: abi.TAKES_DROPS };
const FLAG_OF = {
  [abi.EMIT_HARD]: 0,
  [abi.EMIT_SOFT]: abi.TAKES_SOFT,
  [abi.EMIT_CANDIDATES]: abi.TAKES_CANDIDATES,
  [abi.EMIT_DROP]: abi.TAKES_DROPS,
};
const BATCHES = ["observing", "combining"]; // the stages that have one at hand
const LEVELS = ["debug", "info", "warn", "error"];

/** One run: the host of its instance. */
export class Run {
  /** @type {View[]} */
  views = [];
  /** @type {Error | undefined} */
  broken;
  previous = new Uint8Array();
  /** @type {import("./index.mjs").Record} */
  record = { metrics: [], log: [], rounds: 0 };

  /** @type {"starting" | "configuring" | "beginning" | "observing" | "ending" | "combining"} */
  #stage = "starting";
  #round = 0;
  #batch = { first: 0, rows: 0 };
  #said = 0;
  #gathered = 0;
  /** @type {Map<string, Matrix>} */
  #remembered = new Map();
  /** @type {number[][]} */
  #combined = [];

  /**
   * @param {WebAssembly.Module} module
   * @param {Description} policy
   * @param {Input} input
   */
  constructor(module, policy, input) {
    this.policy = policy;
    this.input = input;
    this.limits = { ...LIMITS, ...input.limits };
    this.data = new Data(input, policy.kind);
    this.seed = BigInt(input.seed ?? 0);
    this.maxRounds = input.maxRounds ?? 100;
    this.batchRows = input.batchRows ?? Math.min(Math.max(Math.trunc((1 << 18) / this.data.classes), 1), 4096);
    this.config = new TextEncoder().encode(canonical(this.#configuration()));
    this.emission = new Emission(this.data.rows, this.data.classes, this.limits);
    this.stream = ChaCha8.of(this.seed, 0, policy.name);
    this.guest = new Instance(module, this);
  }

  /** Runs a selection. */
  select() {
    this.#rounds();
    return { ...this.emission.lists(), ...this.record };
  }

  /** Runs an ensemble: its probabilities, and its record. */
  combine() {
    this.#rounds();
    this.#compute();
    this.#batches("combining", (first, rows) => {
      this.guest.ask("upl_combine", 0, BigInt(first), rows);
      if (this.#combined.length !== first + rows)
        throw new ProtocolError(
          `upl_combine gave ${this.#combined.length - first} of the ${rows} rows from ${first} on`,
        );
    });
    return { probabilities: this.#combined, ...this.record };
  }

  #rounds() {
    this.#stage = "configuring";
    this.guest.ask("upl_configure");
    for (let another = true; another; this.#round++) {
      if (this.#round > 0 && !this.policy.needs.rounds)
        throw new ProtocolError("it asks for another round without having declared that it needs rounds");
      if (this.#round === this.maxRounds) throw new LimitError("rounds", `not done after ${this.#round} rounds`);
      another = this.#oneRound();
      this.record.rounds++;
      if (another) this.#learn();
    }
    this.#round--; // an ensemble's combining is of the last
  }

  #oneRound() {
    this.stream = ChaCha8.of(this.seed, this.#round, this.policy.name);
    this.emission = new Emission(this.data.rows, this.data.classes, this.limits);
    this.#gathered = 0;
    this.views = this.views.filter((view) => view.round === undefined);
    this.#stage = "beginning";
    const skipped = this.guest.has("upl_begin_round") && this.guest.ask("upl_begin_round", 1, this.#round) === 1;
    const observes = !skipped && this.guest.has("upl_observe");
    if (observes || this.views.some((view) => view.scope === "global")) this.#compute();
    if (observes) this.#batches("observing", (first, rows) => this.guest.ask("upl_observe", 0, BigInt(first), rows));
    this.#stage = "ending";
    const another = this.guest.has("upl_end_round") && this.guest.ask("upl_end_round", 1, this.#round) === 1;
    this.emission.sort();
    return another;
  }

  /** A pass: what the views have of all rows. */
  #compute() {
    for (const view of this.views) if (view.scope !== "direct") view.bytes = view.compute();
  }

  /**
   * @param {"observing" | "combining"} stage
   * @param {(first: number, rows: number) => void} visit
   */
  #batches(stage, visit) {
    this.#stage = stage;
    for (let first = 0; first < this.data.rows; first += this.batchRows) {
      this.#batch = { first, rows: Math.min(this.batchRows, this.data.rows - first) };
      visit(first, this.#batch.rows);
    }
  }

  /** Lets the host learn from a round's selection, where there is one. */
  #learn() {
    if (this.emission.records.length === 0) return;
    this.previous = this.emission.previous();
    const learnt = this.input.nextRound?.({ ...this.emission.lists(), ...this.record });
    if (!learnt) return;
    this.data = this.data.learn(learnt);
    this.#remembered.clear();
  }

  /**
   * Computes a matrix once in a round.
   * @param {string} key
   * @param {() => Matrix} make
   */
  remember(key, make) {
    const matrix = this.#remembered.get(key) ?? make();
    this.#remembered.set(key, matrix);
    return matrix;
  }

  #configuration() {
    const { classNames, modelNames, logitScales, prior, features, textFeatures } = this.data;
    const defaults = Object.entries(this.policy.parameters.properties ?? {})
      .filter(([, property]) => property?.default !== undefined)
      .map(([name, property]) => [name, property.default]);
    const dims = (features.length ? features : textFeatures).map((matrix) => matrix.columns);
    return {
      dataset: {
        class_names: classNames,
        model_names: modelNames,
        ...(logitScales.length && { logit_scales: logitScales }),
        ...(prior.length && { prior }),
        ...(dims.length && this.policy.needs.views.includes("features") && { feature_dims: dims }),
      },
      params: { ...Object.fromEntries(defaults), ...this.input.params },
      policy: this.policy.name,
    };
  }

  get #flags() {
    const takes = this.input.takes ?? /** @type {const} */ (["soft", "candidates", "drops"]);
    return takes.reduce((flags, kind) => flags | TAKES[kind], this.input.nextRound ? abi.RETRAINS : 0);
  }

  /** get_dataset. */
  dataset() {
    const { rows, classes, models, features, textFeatures } = this.data;
    const out = new DataView(new ArrayBuffer(abi.SIZE_DATASET));
    const dims = this.policy.needs.views.includes("features") ? [...features, ...textFeatures] : [];
    for (const [field, value] of Object.entries({
      SIZE: abi.SIZE_DATASET,
      FLAGS: this.#flags,
      CLASSES: classes,
      MODELS: models.length,
      FEATURE_DIM: dims[0]?.columns ?? 0,
      BATCH_ROWS: this.batchRows,
      ROUND: this.#round,
      MAX_ROUNDS: this.maxRounds,
    }))
      out.setUint32(abi[`OFFSET_DATASET_${field}`], value, true);
    out.setBigUint64(abi.OFFSET_DATASET_ROWS, BigInt(rows), true);
    out.setBigUint64(abi.OFFSET_DATASET_SEED, this.seed, true);
    return new Uint8Array(out.buffer);
  }

  /**
   * open_view.
   * @param {DataView} b
   */
  openView(b) {
    this.#expect("views are opened in upl_configure and upl_begin_round", "configuring", "beginning");
    if (
      b.byteLength < abi.SIZE_VIEW_SPEC ||
      b.getUint32(0, true) !== b.byteLength ||
      b.getBigUint64(abi.OFFSET_VIEW_SPEC_RESERVED, true) !== 0n
    ) {
      throw new Refusal(abi.CODE_INVALID, "a malformed specification");
    }
    for (let at = abi.SIZE_VIEW_SPEC; at < b.byteLength; at++) {
      if (b.getUint8(at) !== 0) throw new Refusal(abi.CODE_NOT_SUPPORTED, "a later version's specification");
    }
    if (this.views.length === VIEWS) throw new Refusal(abi.CODE_LIMIT, `more than ${VIEWS} views`);
    const view = open(this, {
      kind: b.getUint16(abi.OFFSET_VIEW_SPEC_KIND, true),
      flags: b.getUint16(abi.OFFSET_VIEW_SPEC_FLAGS, true),
      model: b.getInt32(abi.OFFSET_VIEW_SPEC_MODEL, true),
      m: b.getUint32(abi.OFFSET_VIEW_SPEC_M, true),
      class: b.getUint32(abi.OFFSET_VIEW_SPEC_CLASS, true),
      temperature: b.getFloat32(abi.OFFSET_VIEW_SPEC_TEMPERATURE, true),
    });
    return this.views.push(this.#stage === "beginning" ? { ...view, round: this.#round } : view) - 1;
  }

  /**
   * read_view.
   * @param {number} handle
   * @param {bigint} first
   * @param {number} n
   * @param {Uint8Array} dst
   */
  readView(handle, first, n, dst) {
    const view = this.views[handle];
    if (!view) throw new Refusal(abi.CODE_RANGE, `no view ${handle}`);
    const stages = /** @type {const} */ ({
      batch: ["observing", "combining"],
      global: ["ending"],
      direct: ["beginning", "observing", "ending", "combining"],
    })[view.scope];
    this.#expect(`view ${nameOf("VIEW", view.spec.kind)} is read`, ...stages);
    const bytes = view.scope === "direct" ? view.compute() : (view.bytes ?? new Uint8Array());
    const [begin, end] =
      view.scope === "batch"
        ? [this.#batch.first, this.#batch.first + this.#batch.rows]
        : [0, bytes.length / view.size];
    let from = Number(first),
      count = n;
    if (view.spec.kind === abi.VIEW_PREVIOUS && from >= 0 && n > 0) {
      // n is the most that is read
      count = Math.min(n, Math.max(end - from, 0));
      from = Math.min(from, end);
    }
    const size = count * view.size;
    if (count < 0 || from < begin || from + count > end || size > 0x7fffffff) {
      throw new Refusal(abi.CODE_RANGE, `${count} records from ${from} on, of ${begin} to ${end}`);
    }
    if (dst.length < size) return size;
    if (view.spec.kind === abi.VIEW_GATHER && (this.#gathered += size) > this.limits.gather) {
      throw new LimitError("gather", `more than ${this.limits.gather} bytes of rows by number in a round`);
    }
    dst.set(bytes.subarray(from * view.size, from * view.size + size));
    return size;
  }

  /**
   * emit.
   * @param {number} kind
   * @param {DataView} records
   */
  emit(kind, records) {
    if (kind === abi.EMIT_COMBINED) return this.#takeCombined(records);
    const flag = FLAG_OF[kind];
    if (flag === undefined) throw new ProtocolError(`emit kind ${kind}`);
    if ((this.#flags & flag) !== flag)
      throw new Refusal(abi.CODE_NOT_SUPPORTED, `${nameOf("EMIT", kind)} are of no use to this host`);
    if (this.policy.kind !== "selection") throw new Refusal(abi.CODE_STATE, "an ensemble selects nothing");
    this.#expect("labels are emitted in upl_observe and upl_end_round", "observing", "ending");
    this.emission.take(kind, records);
  }

  /** @param {DataView} b */
  #takeCombined(b) {
    this.#expect("probabilities are emitted in upl_combine", "combining");
    if (b.byteLength < abi.SIZE_HEAD) throw new ProtocolError(`${b.byteLength} bytes of probabilities`);
    const { classes } = this.data;
    const first = Number(b.getBigUint64(0, true)),
      rows = b.getUint32(8, true);
    const left = this.#batch.first + this.#batch.rows - this.#combined.length;
    if (b.getUint32(12, true) !== classes)
      throw new ProtocolError(`probabilities of ${b.getUint32(12, true)} classes, the data set has ${classes}`);
    if (first !== this.#combined.length || rows > left)
      throw new ProtocolError(
        `probabilities of ${rows} rows from ${first} on; the batch goes on with ${left} from ${this.#combined.length} on`,
      );
    if (b.byteLength !== abi.SIZE_HEAD + rows * classes * 4)
      throw new ProtocolError(`${b.byteLength - abi.SIZE_HEAD} bytes of probabilities for ${rows} x ${classes}`);
    for (let i = 0; i < rows; i++) {
      const row = Array.from({ length: classes }, (_, c) => b.getFloat32(abi.SIZE_HEAD + (i * classes + c) * 4, true));
      const reason = unlike(row, 1e-2);
      if (reason) throw new ProtocolError(`combined row ${first + i}: ${reason}`);
      this.#combined.push(row);
    }
  }

  /**
   * log.
   * @param {number} level
   * @param {string} text
   * @param {number} bytes
   */
  log(level, text, bytes) {
    this.#say(bytes);
    const printable = text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, " ").replace(/\n+$/, "");
    const { first, rows } = BATCHES.includes(this.#stage) ? this.#batch : { first: -1, rows: 0 };
    const name = LEVELS[Math.min(Math.max(level, 0), 3)];
    this.record.log.push({ level: name, round: this.#round, row: first, rows, text: printable });
  }

  /**
   * metric.
   * @param {string} name
   * @param {number} bytes
   * @param {number} value
   */
  metric(name, bytes, value) {
    if (bytes > 256) throw new Refusal(abi.CODE_RANGE, "a metric's name is too long");
    this.#say(bytes);
    if (name === "" || /[\p{C}\p{Zl}\p{Zp}\uFFFD]/u.test(name)) throw new Refusal(abi.CODE_INVALID, "a metric's name");
    if (!Number.isFinite(value)) throw new Refusal(abi.CODE_INVALID, `metric ${name} is ${value}`);
    this.record.metrics.push({ name, round: this.#round, value });
  }

  /**
   * random.
   * @param {Uint8Array} dst
   */
  random(dst) {
    this.stream.read(dst);
  }

  /** @param {number} bytes */
  #say(bytes) {
    if ((this.#said += bytes + LINE) > this.limits.output)
      throw new LimitError("output", `more than ${this.limits.output} bytes of log and metrics`);
  }

  /**
   * @param {string} what
   * @param {string[]} stages
   */
  #expect(what, ...stages) {
    if (!stages.includes(this.#stage)) throw new Refusal(abi.CODE_STATE, `${what}, not while ${this.#stage}`);
  }
}
