// The host in memory: its views, and what it refuses, as docs/plugin-abi.md has them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DataError, LimitError, ProtocolError, abi, load } from "upl-plugin/testing";
import { ChaCha8 } from "../testing/chacha8.mjs";

const plugin = await load(new URL("build/fixture.wasm", import.meta.url));

// Three classes, two models; the second's rows are the first's backwards.
const ensemble = [
  [0.5, 0.25, 0.25],
  [0.25, 0.5, 0.25],
  [0.125, 0.125, 0.75],
  [0.5, 0.5, 0],
  [0.5, 0.375, 0.125],
];
const models = [ensemble, ensemble.map((row) => [...row].reverse())];

/** The numbers that each view gave, by name and first row, class or number; of a round. */
function views(params, more = {}, round = 0) {
  const { log } = plugin.select({ policy: "views", ensemble, models, params, ...more });
  const out = {};
  for (const line of log.filter((l) => l.round === round)) {
    const [, name, first, numbers] = line.text.match(/^(\w+) (\d+): ?(.*)$/);
    (out[name] ??= {})[first] =
      numbers === "" ? [] : numbers.split(" ").map((x) => (x.includes("/") ? x.split("/").map(Number) : Number(x)));
  }
  return out;
}

const flat = (records) => Object.values(records).flat();

test("views of batches", () => {
  const got = views({});
  assert.deepEqual(got.rows[0], models[1].flat());
  assert.deepEqual(
    got.top_m[0],
    [0, 0.5, 1, 0.25, 1, 0.5, 0, 0.25, 2, 0.75, 0, 0.125, 0, 0.5, 1, 0.5, 0, 0.5, 1, 0.375],
  );
  const h = (row) => row.reduce((sum, p) => (p ? sum - p * Math.log(p) : sum), 0);
  const stats = [
    [0, 0.5, 0.25],
    [1, 0.5, 0.25],
    [2, 0.75, 0.625],
    [0, 0.5, 0],
    [0, 0.5, 0.125],
  ];
  assert.deepEqual(
    got.stats[0],
    stats.flatMap((s, i) => [...s, Math.fround(h(ensemble[i]))]),
  );
  assert.deepEqual(
    got.bare[0],
    [
      [2, 0.5, 0.25],
      [1, 0.5, 0.25],
      [0, 0.75, 0.625],
      [1, 0.5, 0],
      [2, 0.5, 0.125],
    ].flatMap((s) => [...s, 0]),
  );
  assert.deepEqual(got.agree[0], [0, 0.5, 2, 0.5, 1, 0.5, 1, 0.5, 2, 0.75, 0, 0.75, 0, 0.5, 1, 0.5, 0, 0.5, 2, 0.5]);
  assert.deepEqual(got.column[0], [0.25, 0.25, 0.75, 0, 0.125]);
});

test("views of all rows", () => {
  const got = views({ m: 2 });
  // Of equal probabilities the larger margin, then the lower row.
  assert.deepEqual(got.class_top_k, { 0: [0, 0.5, 4, 0.5], 1: [1, 0.5], 2: [2, 0.75] });
  assert.deepEqual(got.any_top_k, {
    0: [2, 0.75, 0, 0.25, 1, 0.25, 4, 0.125, 3, 0],
    1: [1, 0.5, 3, 0.5, 4, 0.375, 0, 0.25, 2, 0.125],
    2: [0, 0.5, 4, 0.5, 3, 0.5, 1, 0.25, 2, 0.125],
  });
  assert.deepEqual(got.class_mean[0], [3, 1.5, 1.125, 0.375, 1, 0.25, 0.5, 0.25, 1, 0.125, 0.125, 0.75]);
  assert.deepEqual(got.mean[0], [5, 1.375, 1.75, 1.875]);
  assert.deepEqual(got.quantile[0], [0.5, 0.5, 0.5, 0.5, 0.75]);
  assert.deepEqual(got.quantile[1], [0, 0.125 + (0.25 - 0.125) * (4 / 3 - 1), 0.25, 0.625]);
  assert.deepEqual(got.quantile[3], [0.125, 0.5, 0.5]);
  assert.deepEqual(got.quantile[4], [0.125, 0.5, 0.5, 0.125, 0.375, 0.5, 0, 0.25, 0.75]);
  assert.deepEqual(got.gather[1], ensemble.slice(1, 4).flat());
});

test("views at a temperature", () => {
  const got = views({ temperature: 0.5 }); // squares, scaled
  assert.deepEqual(got.column[0], [1 / 6, 1 / 6, 36 / 38, 0, 1 / 26].map(Math.fround));
  assert.deepEqual(got.agree, views({}).agree);
  assert.deepEqual(got.gather[1].slice(0, 3), [1 / 6, 2 / 3, 1 / 6].map(Math.fround));
});

test("views do not depend on the size of batches", () => {
  const whole = views({ m: 2, temperature: 2 });
  for (const batchRows of [1, 2, 3, 4]) {
    const cut = views({ m: 2, temperature: 2 }, { batchRows });
    assert.deepEqual(
      Object.keys(cut.rows).map(Number),
      ensemble.flatMap((_, i) => (i % batchRows === 0 ? [i] : [])),
    );
    for (const name of Object.keys(whole)) assert.deepEqual(flat(cut[name]), flat(whole[name]), name);
  }
});

test("a view of an ensemble that has yet to be made is the mean over models", () => {
  const asked = plugin.combine({ policy: "weighted", models, batchRows: 2 });
  assert.deepEqual(asked.probabilities[0], [0.375, 0.25, 0.375]);
});

test("no rows, and one class", () => {
  const none = views({}, { ensemble: [], models: [[], []], classes: 3 });
  assert.equal(none.rows, undefined);
  assert.deepEqual([none.class_top_k[1], none.mean[0], none.quantile[0][4]], [[], [0, 0, 0, 0], NaN]);
  const one = views({}, { ensemble: [[1], [1]], models: [[[1], [1]]] });
  assert.deepEqual(one.stats[0], [0, 1, 1, 0, 0, 1, 1, 0]);
});

test("features are there where they are granted", () => {
  assert.throws(() => views({}, { features: models, textFeatures: [[[1]], [[1]]] }), /row 0 has 1 values, not 3/);
  const features = [ensemble, ensemble.map((_, i) => [i, -i])],
    textFeatures = [
      [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ],
      [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    ];
  const got = views({}, { features, textFeatures, batchRows: 2 });
  assert.deepEqual(got.features[2], [2, -2, 3, -3]);
  assert.deepEqual(got.texts[0], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.throws(() => views({}, { features: [ensemble, [[NaN]]] }), TypeError);
});

test("rounds see what was learnt, and what was selected", () => {
  const learnt = [models[1], ensemble, models[1]];
  const got = views({ rounds: 3 }, { nextRound: ({ rounds }) => ({ ensemble: learnt[rounds] }) }, 2);
  assert.deepEqual(got.column[0], [0.5, 0.25, 0.125, 0.5, 0.5]);
  assert.deepEqual(got.rows[0], models[1].flat()); // the models stayed
  assert.deepEqual(
    got.previous[0],
    ensemble.map((_, i) => [i, 1, 1, abi.EMIT_HARD, 0]),
  );
});

test("what is refused", async (t) => {
  const ask = (params, more = {}) => {
    const { log } = plugin.select({ policy: "asking", ensemble, models, params, batchRows: 2, ...more });
    return Object.fromEntries(
      log
        .filter((l) => l.round === 0)
        .map((l) => l.text.split(": "))
        .map(([what, code]) => [what, Number(code)]),
    );
  };
  const { INVALID, RANGE, NOT_SUPPORTED, DENIED, LIMIT, STATE } = Object.fromEntries(
    Object.keys(abi)
      .filter((k) => k.startsWith("CODE_"))
      .map((k) => [k.slice(5), abi[k]]),
  );
  const stats = abi.VIEW_STATS,
    topK = abi.VIEW_CLASS_TOP_K,
    quantile = abi.VIEW_QUANTILE;
  for (const [what, params, code] of [
    ["a short specification", { kind: stats, size: 8 }, INVALID],
    ["a reserved field", { kind: stats, reserved: 1 }, INVALID],
    ["a longer specification", { kind: stats, size: 40 }, 0],
    ["a later version's", { kind: stats, size: 40, beyond: 1 }, NOT_SUPPORTED],
    ["a flag", { kind: stats, flags: 64 }, INVALID],
    ["a model", { kind: stats, model: 2 }, RANGE],
    ["a model below", { kind: stats, model: -2 }, RANGE],
    ["a view unknown", { kind: 12 }, NOT_SUPPORTED],
    ["features", { kind: abi.VIEW_FEATURES, model: 0 }, DENIED],
    ["temperature NaN", { kind: stats, temperature: "NaN" }, RANGE],
    ["temperature below", { kind: stats, temperature: "-1" }, RANGE],
    ["temperature of agreement", { kind: abi.VIEW_AGREE, temperature: "2" }, INVALID],
    ["top 0", { kind: abi.VIEW_TOP_M }, RANGE],
    ["top of too many", { kind: abi.VIEW_TOP_M, m: 4 }, RANGE],
    ["a column", { kind: abi.VIEW_COLUMN, class: 3 }, RANGE],
    ["quantile 0", { kind: quantile }, RANGE],
    ["a statistic", { kind: quantile, m: 1, class: 3 }, RANGE],
    ["a column's quantile", { kind: quantile, m: 1, flags: abi.FLAG_COLUMN, class: 3 }, RANGE],
    ["quantiles of all", { kind: quantile, m: 1, flags: abi.FLAG_ALL }, RANGE],
    ["no first rows", { kind: topK }, RANGE],
    ["all of a class", { kind: topK, m: 2 }, 0],
  ]) {
    await t.test(what, () => assert.equal(ask({ ...params })["open in configure"], code));
  }
  assert.equal(ask({ kind: topK, m: 5, flags: abi.FLAG_ALL }, { limits: { views: 100 } })["open in configure"], LIMIT);
  assert.deepEqual(ask({ kind: stats, late: true, first: 1, n: 2, emit: abi.EMIT_COMBINED }), {
    "open in begin": 0,
    "open in observe": STATE,
    "read in begin": STATE,
    "read in observe": RANGE,
    "read in end": STATE,
    emit: STATE,
  });
  const reads = (params, more) => {
    const { "open in configure": handle, ...rest } = ask(params, more);
    assert.equal(handle, 0);
    return Object.values(rest);
  };
  assert.deepEqual(reads({ kind: stats, capacity: 15 }, { batchRows: 5 }), [STATE, 16, STATE]); // nothing written, the size told
  assert.deepEqual(reads({ kind: stats, n: -1 }, { batchRows: 5 }), [STATE, RANGE, STATE]);
  assert.deepEqual(reads({ kind: topK, m: 2, n: 6 }), [STATE, STATE, 96]);
  assert.deepEqual(reads({ kind: topK, m: 2, n: 7 }, { batchRows: 5 }), [STATE, STATE, RANGE]);
  assert.deepEqual(reads({ kind: abi.VIEW_GATHER, first: 4, n: 1 }, { batchRows: 5 }), [12, 12, 12]);
  assert.deepEqual(reads({ kind: abi.VIEW_PREVIOUS, first: 9, n: 9 }, { batchRows: 5 }), [0, 0, 0]);
});

test("what ends a run", async (t) => {
  const asking =
    (params, more = {}) =>
    () =>
      plugin.select({
        policy: "asking",
        ensemble,
        models,
        params: { kind: abi.VIEW_GATHER, n: 5, ...params },
        ...more,
      });
  for (const [what, run, type, says] of [
    ["a kind of record", asking({ emit: 9 }), ProtocolError, /emit kind 9/],
    ["part of a record", asking({ emit: abi.EMIT_HARD }), ProtocolError, /hard labels: 5 bytes of a record of 16/],
    ["rows by number", asking({}, { limits: { gather: 150 } }), LimitError, /gather limit exceeded/],
    [
      "too many records",
      () => plugin.select({ policy: "results", ensemble, params: { count: 5 }, limits: { records: 4 } }),
      LimitError,
      /more than 4 labels/,
    ],
    [
      "too many classes",
      () => plugin.select({ policy: "results", ensemble, params: { count: 5, kind: "soft" }, limits: { classes: 14 } }),
      LimitError,
      /more than 14/,
    ],
    [
      "too much output",
      () => plugin.select({ policy: "faulty", ensemble, params: { how: "loud" } }),
      LimitError,
      /output limit/,
    ],
    [
      "another round undeclared",
      () => plugin.select({ policy: "faulty", ensemble, params: { how: "again" } }),
      ProtocolError,
      /without having declared/,
    ],
    [
      "too many rounds",
      asking({}, { policy: "draws", params: { below: 1, count: 0, rounds: 101 } }),
      LimitError,
      /not done after 100 rounds/,
    ],
  ]) {
    await t.test(what, () => assert.throws(run, (e) => e instanceof type && says.test(e.message)));
  }
});

test("input that cannot be used", async (t) => {
  const nothing = (input) => () => plugin.select({ policy: "faulty", params: { how: "" }, ...input });
  for (const [says, run, type] of [
    [
      /row 1: class 0 has probability NaN/,
      nothing({
        ensemble: [
          [1, 0],
          [NaN, 1],
        ],
      }),
      DataError,
    ],
    [/row 0: sums to 0.5, not 1/, nothing({ ensemble: [[0.25, 0.25]] }), DataError],
    [/row 0: class 1 has probability -0.5/, nothing({ ensemble: [[1.5, -0.5]] }), DataError],
    [
      /row 1 has 3 values, not 2/,
      nothing({
        ensemble: [
          [1, 0],
          [1, 0, 0],
        ],
      }),
      TypeError,
    ],
    [
      /model 1 has 1 rows, not 2/,
      nothing({
        ensemble: [
          [1, 0],
          [1, 0],
        ],
        models: [
          [
            [1, 0],
            [1, 0],
          ],
          [[1, 0]],
        ],
      }),
      TypeError,
    ],
    [/1 class names, not 2/, nothing({ ensemble: [[1, 0]], classNames: ["a"] }), TypeError],
    [/no model's probabilities/, nothing({}), TypeError],
    [/several models, and no ensemble/, nothing({ models }), TypeError],
    [/no classes/, nothing({ ensemble: [] }), TypeError],
    [/input.policy has to name one of views, results/, () => plugin.select({ ensemble }), TypeError],
    [/is of kind ensemble/, () => plugin.select({ policy: "weighted", ensemble }), TypeError],
    [/for a policy that makes them/, () => plugin.combine({ policy: "weighted", ensemble }), TypeError],
  ]) {
    await t.test(String(says), () => assert.throws(run, (e) => e instanceof type && says.test(e.message)));
  }
});

/** A module of these sections, each [id, bytes]. */
function assemble(...sections) {
  return Uint8Array.from([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...sections.flatMap(([id, bytes]) => [id, bytes.length, ...bytes]),
  ]);
}

test("modules that no host would load", async () => {
  const name = (s) => [s.length, ...Buffer.from(s)];
  const type = [1, [1, 0x60, 0, 1, 0x7f]]; // () -> i32
  const memory = [5, [1, 0, 1]];
  const exporting = (...functions) => [
    7,
    [functions.length + 1, ...name("memory"), 2, 0, ...functions.flatMap((f) => [...name(f), 0, 0])],
  ];
  const seven = [10, [1, 4, 0, 0x41, 7, 0x0b]];
  for (const [says, code] of [
    [/imports env.abort/, assemble(type, [2, [1, ...name("env"), ...name("abort"), 0, 0]])],
    [/imports upl_v1.toString/, assemble(type, [2, [1, ...name("upl_v1"), ...name("toString"), 0, 0]])],
    [/does not export its memory/, assemble()],
    [
      /does not export upl_configure/,
      assemble(type, [3, [1, 0]], memory, exporting("upl_abi_version", "upl_describe"), seven),
    ],
    [
      /version 0.7/,
      assemble(type, [3, [1, 0]], memory, exporting("upl_abi_version", "upl_describe", "upl_configure"), seven),
    ],
    [
      /upl_observe takes other parameters/,
      assemble(
        type,
        [3, [1, 0]],
        memory,
        exporting("upl_abi_version", "upl_describe", "upl_configure", "upl_observe"),
        seven,
      ),
    ],
  ]) {
    await assert.rejects(load(code), (e) => e instanceof ProtocolError && says.test(e.message));
  }
});

test("the random stream is that of Go's ChaCha8", () => {
  // Of the numbers at https://c2sp.org/chacha8rand; a key gives 124 of them.
  const golden = [
    [0, 0xb773b6063d4616a5n],
    [1, 0x1160af22a66abc3cn],
    [123, 0x861d6c139c06c871n],
    [124, 0x5f41df72e05e0487n],
    [125, 0x25bd7e1e1ae26b1dn],
    [247, 0xd8b3e251ee231dddn],
    [248, 0xb433eec25dca1966n],
    [371, 0xddd9c6d34bffa11fn],
  ];
  const stream = new ChaCha8(new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456"));
  const words = new BigUint64Array(372);
  const bytes = new Uint8Array(words.buffer);
  for (let at = 0, n = 1; at < bytes.length; at += n, n = ((n * 7) % 97) + 1) stream.read(bytes.subarray(at, at + n)); // in odd pieces
  for (const [i, word] of golden) assert.equal(words[i], word, `number ${i}`);
});
