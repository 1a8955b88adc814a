// The views of docs/plugin-abi.md, computed for all rows at once: the bytes that
// read_view cuts its records from.

import { abi, nameOf } from "./abi.mjs";
import { Refusal } from "./errors.mjs";
import { Matrix } from "./input.mjs";

/** @typedef {import("./run.mjs").Run} Run */

/**
 * @typedef {object} Spec
 * @property {number} kind
 * @property {number} flags
 * @property {number} model
 * @property {number} m
 * @property {number} class
 * @property {number} temperature
 */

/**
 * @typedef {object} View
 * @property {Spec} spec
 * @property {"batch" | "global" | "direct"} scope
 * @property {number} size of a record, in bytes
 * @property {() => Uint8Array} compute its records: of all rows, or all there are
 * @property {number} kept bytes that a global view takes at most
 * @property {Uint8Array} [bytes] the records of this round's pass
 * @property {number} [round] the only one that it is of
 */

const TINY = 2 ** -126; // what a logarithm takes for less: the least normal float32

/** Flags that a kind knows. */
const FLAGS = {
  [abi.VIEW_CLASS_TOP_K]: abi.FLAG_ALL,
  [abi.VIEW_CLASS_MEAN]: abi.FLAG_ALL,
  [abi.VIEW_STATS]: abi.FLAG_NO_ENTROPY,
  [abi.VIEW_QUANTILE]: abi.FLAG_COLUMN | abi.FLAG_ALL,
  [abi.VIEW_FEATURES]: abi.FLAG_TEXT,
};

/**
 * Checks a specification and makes the view.
 * @param {Run} run
 * @param {Spec} spec
 * @returns {View}
 */
export function open(run, spec) {
  const { kind } = spec;
  const make = MAKERS[kind];
  if (!make) throw new Refusal(abi.CODE_NOT_SUPPORTED, nameOf("VIEW", kind));
  if (!run.policy.needs.views.includes(nameOf("VIEW", kind)))
    throw new Refusal(abi.CODE_DENIED, `view ${nameOf("VIEW", kind)} is not declared`);
  within(spec.model >= abi.ENSEMBLE && spec.model < run.data.models.length, `model ${spec.model}`);
  if (spec.flags & ~(FLAGS[kind] ?? 0)) throw new Refusal(abi.CODE_INVALID, `flags ${spec.flags}`);
  within(spec.temperature >= 0 && spec.temperature < Infinity, `temperature ${spec.temperature}`);
  if (spec.temperature !== 0 && [abi.VIEW_AGREE, abi.VIEW_PREVIOUS, abi.VIEW_FEATURES].includes(kind)) {
    throw new Refusal(abi.CODE_INVALID, `view ${nameOf("VIEW", kind)} at a temperature`);
  }
  const view = { kept: 0, ...make(run, spec), spec };
  const kept = run.views.reduce((sum, other) => sum + other.kept, view.kept);
  if (kept > run.limits.views) throw new Refusal(abi.CODE_LIMIT, `global views of ${kept} bytes`);
  return view;
}

/**
 * @param {boolean} ok
 * @param {string} what
 */
function within(ok, what) {
  if (!ok) throw new Refusal(abi.CODE_RANGE, `${what} is out of range`);
}

/** @type {Record<number, (run: Run, spec: Spec) => Omit<View, "spec" | "kept"> & {kept?: number}>} */
const MAKERS = {
  [abi.VIEW_ROWS]: (run, spec) => batch(4 * run.data.classes, () => bytesOf(probabilities(run, spec).values)),

  [abi.VIEW_TOP_M]: (run, spec) => {
    within(spec.m >= 1 && spec.m <= run.data.classes, `the ${spec.m} most probable classes`);
    return records(run, abi.SIZE_CANDIDATE * spec.m, (i, out) => {
      const row = probabilities(run, spec).row(i);
      const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
      order.slice(0, spec.m).forEach((c, j) => candidate(out, j * abi.SIZE_CANDIDATE, c, row[c]));
    });
  },

  [abi.VIEW_STATS]: (run, spec) =>
    records(run, abi.SIZE_STATS, (i, out) => {
      const row = probabilities(run, spec).row(i);
      const { class: c, p, margin } = top(row);
      candidate(out, 0, c, p);
      out.setFloat32(abi.OFFSET_STATS_MARGIN, margin, true);
      if (!(spec.flags & abi.FLAG_NO_ENTROPY)) out.setFloat32(abi.OFFSET_STATS_ENTROPY, entropy(row), true);
    }),

  [abi.VIEW_AGREE]: (run) =>
    records(run, abi.SIZE_CANDIDATE * run.data.models.length, (i, out) => {
      run.data.models.forEach((model, m) => {
        const { class: c, p } = top(model.row(i));
        candidate(out, m * abi.SIZE_CANDIDATE, c, p);
      });
    }),

  [abi.VIEW_COLUMN]: (run, spec) => {
    within(spec.class < run.data.classes, `class ${spec.class}`);
    return records(run, 4, (i, out) => out.setFloat32(0, probabilities(run, spec).row(i)[spec.class], true));
  },

  [abi.VIEW_GATHER]: (run, spec) => direct(4 * run.data.classes, () => bytesOf(probabilities(run, spec).values)),

  [abi.VIEW_CLASS_TOP_K]: (run, spec) => {
    within(spec.m >= 1, "the first 0 rows of each class");
    const all = Boolean(spec.flags & abi.FLAG_ALL);
    const { rows, classes } = run.data;
    const most = Math.min(spec.m, rows) * classes;
    return global(abi.SIZE_RANKED, 16 * (all ? most : Math.min(most, rows)), () =>
      classTopK(probabilities(run, spec), spec.m, all),
    );
  },

  [abi.VIEW_CLASS_MEAN]: (run, spec) => {
    const { classes } = run.data;
    const count = spec.flags & abi.FLAG_ALL ? 1 : classes;
    const size = 8 * (1 + classes);
    return global(size, count * size, () => classMean(probabilities(run, spec), count));
  },

  [abi.VIEW_QUANTILE]: (run, spec) => {
    const { rows, classes } = run.data;
    const column = Boolean(spec.flags & abi.FLAG_COLUMN),
      all = Boolean(spec.flags & abi.FLAG_ALL);
    within(spec.m >= 1 && spec.m <= 1 << 20, `quantiles 1/${spec.m}`);
    within(
      column ? spec.class < (all ? 1 : classes) : !all && spec.class <= abi.QUANTILE_ENTROPY,
      `quantiles of ${spec.class}`,
    );
    return global(all ? 8 * (spec.m + 1) : 8, 4 * rows * (all ? classes : 1), () => {
      const p = probabilities(run, spec);
      const columns = all ? Array.from({ length: classes }, (_, c) => c) : [spec.class];
      const values = columns.map((c) =>
        Float32Array.from({ length: rows }, (_, i) => (column ? p.row(i)[c] : statistic(p.row(i), c))),
      );
      return bytesOf(Float64Array.from(values.flatMap((list) => quantiles(list, spec.m))));
    });
  },

  [abi.VIEW_PREVIOUS]: (run) => {
    if (run.policy.kind !== "selection") throw new Refusal(abi.CODE_NOT_SUPPORTED, "an ensemble has no selection");
    return direct(abi.SIZE_EMITTED, () => run.previous);
  },

  [abi.VIEW_FEATURES]: (run, spec) => {
    const text = Boolean(spec.flags & abi.FLAG_TEXT);
    const { features, textFeatures } = run.data;
    if (features.length + textFeatures.length === 0) throw new Refusal(abi.CODE_DENIED, "features are not granted");
    within(spec.model >= 0, "an ensemble has no features");
    const matrix = (text ? textFeatures : features)[spec.model];
    if (!matrix) throw new Refusal(abi.CODE_NOT_SUPPORTED, "there are none of these features");
    return (text ? direct : batch)(4 * matrix.columns, () => bytesOf(matrix.values));
  },
};

/**
 * @param {number} size
 * @param {() => Uint8Array} compute
 */
const batch = (size, compute) => ({ scope: /** @type {const} */ ("batch"), size, compute });

/**
 * @param {number} size
 * @param {() => Uint8Array} compute
 */
const direct = (size, compute) => ({ scope: /** @type {const} */ ("direct"), size, compute });

/**
 * @param {number} size
 * @param {number} kept
 * @param {() => Uint8Array} compute
 */
const global = (size, kept, compute) => ({ scope: /** @type {const} */ ("global"), size, kept, compute });

/**
 * A batch view of which `fill` writes the record of a row.
 * @param {Run} run
 * @param {number} size
 * @param {(row: number, out: DataView) => void} fill
 */
function records(run, size, fill) {
  return batch(size, () => {
    const bytes = new Uint8Array(run.data.rows * size);
    for (let i = 0; i < run.data.rows; i++) fill(i, new DataView(bytes.buffer, i * size, size));
    return bytes;
  });
}

/**
 * @param {DataView} out
 * @param {number} at
 * @param {number} c
 * @param {number} p
 */
function candidate(out, at, c, p) {
  out.setUint32(at + abi.OFFSET_CANDIDATE_CLASS, c, true);
  out.setFloat32(at + abi.OFFSET_CANDIDATE_P, p, true);
}

/** @param {ArrayBufferView} array */
function bytesOf(array) {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * The probabilities that a view is of.
 * @param {Run} run
 * @param {Spec} spec
 * @returns {Matrix}
 */
function probabilities(run, { model, temperature }) {
  return run.remember(`${model} ${temperature}`, () => {
    const p = model === abi.ENSEMBLE ? (run.data.ensemble ?? mean(run.data.models)) : run.data.models[model];
    return temperature === 0 ? p : temper(p, temperature);
  });
}

/**
 * The arithmetic mean over models, in float64, in their order.
 * @param {Matrix[]} models
 */
function mean(models) {
  const values = models[0].values.map((_, i) => models.reduce((sum, m) => sum + m.values[i], 0) / models.length);
  return new Matrix(models[0].rows, models[0].columns, values);
}

/**
 * softmax(log max(p, TINY) / temperature), in float64.
 * @param {Matrix} p
 * @param {number} temperature
 */
function temper(p, temperature) {
  const out = new Matrix(p.rows, p.columns, new Float32Array(p.values.length));
  for (let i = 0; i < p.rows; i++) {
    const logits = Array.from(p.row(i), (x) => Math.log(Math.max(x, TINY)) / temperature);
    const most = logits.reduce((a, b) => Math.max(a, b));
    const powers = logits.map((z) => Math.exp(z - most));
    const sum = powers.reduce((a, b) => a + b);
    out.row(i).set(powers.map((e) => e / sum));
  }
  return out;
}

/**
 * The first class of a row, of equals the lowest.
 * @param {Float32Array} row
 */
function top(row) {
  const c = row.reduce((best, p, i) => (p > row[best] ? i : best), 0);
  return { class: c, p: row[c], margin: marginOf(row, c) };
}

/**
 * p of a class minus the largest of the others', in float32; with one class p itself.
 * @param {Float32Array} row
 * @param {number} c
 */
function marginOf(row, c) {
  const others = row.reduce((most, p, i) => (i === c ? most : Math.max(most, p)), row.length === 1 ? 0 : -1);
  return Math.fround(row[c] - others);
}

/**
 * In nats. Its logarithms are JavaScript's, so that it may be an ulp off upl-host's.
 * @param {Float32Array} row
 */
function entropy(row) {
  return row.reduce((h, p) => (p > 0 ? h - p * Math.log(Math.max(p, TINY)) : h), 0);
}

/**
 * @param {Float32Array} row
 * @param {number} which QUANTILE_P …
 */
function statistic(row, which) {
  if (which === abi.QUANTILE_ENTROPY) return entropy(row);
  return which === abi.QUANTILE_MARGIN ? top(row).margin : top(row).p;
}

/**
 * @param {Matrix} p
 * @param {number} m
 * @param {boolean} all
 */
function classTopK(p, m, all) {
  const size = abi.SIZE_RANKED;
  const bytes = new Uint8Array(p.columns * m * size);
  const out = new DataView(bytes.buffer);
  const tops = Array.from({ length: p.rows }, (_, i) => top(p.row(i)).class);
  for (let c = 0; c < p.columns; c++) {
    const order = Array.from(tops.keys())
      .filter((i) => all || tops[i] === c)
      .map((row) => ({ row, p: p.row(row)[c], margin: marginOf(p.row(row), c) }))
      .sort((a, b) => b.p - a.p || b.margin - a.margin || a.row - b.row);
    for (let i = 0; i < m; i++) {
      const at = (c * m + i) * size;
      out.setBigUint64(at + abi.OFFSET_RANKED_ROW, i < order.length ? BigInt(order[i].row) : abi.NO_ROW, true);
      out.setFloat32(at + abi.OFFSET_RANKED_P, i < order.length ? order[i].p : 0, true);
    }
  }
  return bytes;
}

/**
 * @param {Matrix} p
 * @param {number} count C, or 1: all rows in one record
 */
function classMean(p, count) {
  const width = 1 + p.columns;
  const sums = new Float64Array(count * width);
  for (let i = 0; i < p.rows; i++) {
    const at = count === 1 ? 0 : top(p.row(i)).class * width;
    sums[at]++;
    p.row(i).forEach((x, c) => {
      sums[at + 1 + c] += x;
    });
  }
  return bytesOf(sums);
}

/**
 * The quantiles 0/m … m/m, linear between order statistics.
 * @param {Float32Array} values
 * @param {number} m
 */
function quantiles(values, m) {
  const sorted = values.slice().sort();
  const n = sorted.length;
  return Array.from({ length: m + 1 }, (_, i) => {
    if (n === 0) return NaN;
    const h = (i / m) * (n - 1);
    const low = Math.min(Math.floor(h), n - 1);
    const a = sorted[low],
      b = sorted[Math.min(low + 1, n - 1)];
    return a + (b - a) * (h - low);
  });
}
