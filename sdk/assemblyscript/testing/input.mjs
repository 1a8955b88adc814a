import { DataError } from "./errors.mjs";

/**
 * What a policy may know, and its limits.
 * @typedef {object} Input
 * @property {number[][]} [ensemble] N rows of C probabilities that a selection chooses from; by default
 *   those of the only model. Of ensemble policies there are none.
 * @property {number[][][]} [models] M matrices like that; by default the ensemble alone
 * @property {string[]} [classNames] C names; by default "0", "1" …
 * @property {string[]} [modelNames] M names
 * @property {number[]} [logitScales] 1/tau of each model
 * @property {number[]} [prior] C probabilities
 * @property {Record<string, any>} [params] parameters; defaults of the policy's schema are filled in
 * @property {string} [policy] the name of the policy, where the module has several
 * @property {number | bigint} [seed] the run's, by default 0
 * @property {number[][][]} [features] of each model, N rows of D; granted by being given
 * @property {number[][][]} [textFeatures] of each model, C rows of D
 * @property {("soft" | "candidates" | "drops")[]} [takes] what a selection may emit beside hard labels; by
 *   default all
 * @property {(selection: import("./index.mjs").Selection) => {ensemble?: number[][], models?: number[][][]} | void} [nextRound]
 *   learns from a round's selection, and gives what the next round is to see; what it leaves out stays as it was
 * @property {number} [classes] C, where there are no rows to count
 * @property {number} [batchRows] rows of a batch
 * @property {number} [maxRounds] by default 100
 * @property {Partial<Limits>} [limits]
 */

/**
 * The ceilings of a run. Time is not among them: node:test has a timeout, for what
 * is asynchronous; an endless loop is for `upl-host plugin test` to stop.
 * @typedef {object} Limits
 * @property {number} records emitted in a round
 * @property {number} classes in the soft labels and candidate sets of a round
 * @property {number} output bytes of log and metrics
 * @property {number} views bytes that global views may take
 * @property {number} gather bytes of rows that a round may read by number
 * @property {number} memory bytes of linear memory
 */

/** @type {Limits} */
export const LIMITS = {
  records: 4 << 20,
  classes: 16 << 20,
  output: 1 << 20,
  views: 128 << 20,
  gather: 2 ** 30,
  memory: 256 << 20,
};

/** Rows of float32. */
export class Matrix {
  /**
   * @param {number} rows
   * @param {number} columns
   * @param {Float32Array} values
   */
  constructor(rows, columns, values) {
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  /**
   * @param {string} what for messages
   * @param {number[][]} rows
   * @param {number} columns
   */
  static of(what, rows, columns) {
    const values = new Float32Array(rows.length * columns);
    rows.forEach((row, i) => {
      if (row.length !== columns) throw new TypeError(`${what}: row ${i} has ${row.length} values, not ${columns}`);
      values.set(row, i * columns);
    });
    return new Matrix(rows.length, columns, values);
  }

  /** @param {number} i */
  row(i) {
    return this.values.subarray(i * this.columns, (i + 1) * this.columns);
  }
}

/**
 * Refuses what upl-host would: rows that are no probabilities, or no features.
 * @param {string} what
 * @param {Matrix} matrix
 * @param {boolean} probabilities
 */
function check(what, matrix, probabilities) {
  for (let i = 0; i < matrix.rows; i++) {
    const row = matrix.row(i);
    const reason = probabilities
      ? unlike(row, 1e-2)
      : row.every(Number.isFinite)
        ? ""
        : "has a value that is not finite";
    if (reason) throw new DataError(`${what}, row ${i}: ${reason}`);
  }
}

/**
 * Why a row cannot be probabilities; "" where it can.
 * @param {ArrayLike<number>} row
 * @param {number} tolerance how far from 1 it may sum
 */
export function unlike(row, tolerance) {
  let sum = 0;
  for (let c = 0; c < row.length; c++) {
    if (!(row[c] >= 0 && row[c] < Infinity)) return `class ${c} has probability ${row[c]}`;
    sum += row[c];
  }
  return Math.abs(sum - 1) <= tolerance ? "" : `sums to ${sum}, not 1`;
}

/** The data of a run: an `Input`, checked. */
export class Data {
  /**
   * @param {Input} input
   * @param {"selection" | "ensemble"} kind
   */
  constructor(input, kind) {
    const models = input.models ?? (input.ensemble ? [input.ensemble] : []);
    if (models.length === 0) throw new TypeError("no model's probabilities");
    const ensemble = input.ensemble ?? (models.length === 1 ? models[0] : undefined);
    if (kind === "selection" && !ensemble) throw new TypeError("a selection of several models, and no ensemble");
    if (kind === "ensemble" && input.ensemble)
      throw new TypeError("an ensemble's probabilities, for a policy that makes them");
    const first = models[0];
    this.rows = first.length;
    this.classes = input.classes ?? first[0]?.length ?? input.classNames?.length ?? 0;
    if (this.classes === 0) throw new TypeError("no classes");
    this.models = models.map((m, i) => probabilities(`model ${i}`, m, this));
    /** @type {Matrix | undefined} */
    this.ensemble = kind === "selection" ? probabilities("the ensemble", ensemble ?? [], this) : undefined;
    this.classNames = input.classNames ?? Array.from({ length: this.classes }, (_, c) => String(c));
    this.modelNames = input.modelNames ?? models.map(() => "");
    this.logitScales = input.logitScales ?? [];
    this.prior = input.prior ?? [];
    // Those of images and texts have one width, which either may tell.
    const width = (/** @type {number} */ i) =>
      input.features?.[i]?.[0]?.length ?? input.textFeatures?.[i]?.[0]?.length ?? 1;
    this.features = (input.features ?? []).map((m, i) => features(`features of model ${i}`, m, this.rows, width(i)));
    this.textFeatures = (input.textFeatures ?? []).map((m, i) =>
      features(`text features of model ${i}`, m, this.classes, width(i)),
    );
    expect("class names", this.classNames, this.classes, false);
    expect("model names", this.modelNames, models.length, false);
    expect("logit scales", this.logitScales, models.length, true);
    expect("values of a prior", this.prior, this.classes, true);
    expect("models' features", this.features, models.length, true);
    expect("models' text features", this.textFeatures, models.length, true);
  }

  /**
   * What the next round sees.
   * @param {{ensemble?: number[][], models?: number[][][]}} learnt
   */
  learn(learnt) {
    const next = Object.assign(Object.create(Data.prototype), this);
    if (learnt.ensemble) next.ensemble = probabilities("the ensemble learnt", learnt.ensemble, this);
    if (learnt.models) {
      expect("models learnt", learnt.models, this.models.length, false);
      next.models = learnt.models.map((m, i) => probabilities(`model ${i} learnt`, m, this));
    }
    return next;
  }
}

/**
 * @param {string} what
 * @param {number[][]} rows
 * @param {{rows: number, classes: number}} size
 */
function probabilities(what, rows, size) {
  const matrix = Matrix.of(what, rows, size.classes);
  if (matrix.rows !== size.rows) throw new TypeError(`${what} has ${matrix.rows} rows, not ${size.rows}`);
  check(`probabilities of ${what}`, matrix, true);
  return matrix;
}

/**
 * @param {string} what
 * @param {number[][]} rows
 * @param {number} count
 * @param {number} width
 */
function features(what, rows, count, width) {
  const matrix = Matrix.of(what, rows, width);
  if (matrix.rows !== count) throw new TypeError(`${what}: ${matrix.rows} rows, not ${count}`);
  check(what, matrix, false);
  return matrix;
}

/**
 * @param {string} what
 * @param {ArrayLike<any>} list
 * @param {number} count
 * @param {boolean} optional
 */
function expect(what, list, count, optional) {
  if (list.length !== count && !(optional && list.length === 0))
    throw new TypeError(`${list.length} ${what}, not ${count}`);
}

/**
 * JSON with keys in ascending order at every level.
 * @param {any} value
 * @returns {string}
 */
export function canonical(value) {
  return JSON.stringify(value, (_, v) =>
    v && typeof v === "object" && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
