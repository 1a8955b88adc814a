// The SDK, by a module that shows what it gets (assembly/), in the host in memory.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { GuestError, LimitError, ProtocolError, TrapError, abi, load } from "upl-plugin/testing";
import { ChaCha8 } from "../testing/chacha8.mjs";
import { Instance } from "../testing/instance.mjs";

const code = await readFile(new URL("build/fixture.wasm", import.meta.url));
const plugin = await load(code);
const two = [
  [0.75, 0.25],
  [0.25, 0.75],
  [0.5, 0.5],
];

/** n rows of C equal probabilities. */
const even = (n, classes = 2) => Array.from({ length: n }, () => new Array(classes).fill(1 / classes));

const select = (policy, params = {}, more = {}) => plugin.select({ policy, ensemble: two, params, ...more });

test("a module describes its policies", () => {
  const [views, results] = plugin.policies;
  assert.equal(views.summary, 'logs what every view has; "quoted"\n\u2028');
  assert.deepEqual(views.needs, {
    views: [
      "rows",
      "top_m",
      "stats",
      "agree",
      "column",
      "gather",
      "class_top_k",
      "class_mean",
      "quantile",
      "previous",
      "features",
    ],
    rounds: true,
  });
  assert.equal(results.parameters.properties.kind.default, "hard");
  const { kind, needs } = plugin.policies.find((p) => p.name === "weighted");
  assert.deepEqual({ kind, needs }, { kind: "ensemble", needs: { views: ["rows", "class_mean"], rounds: true } });
  assert.deepEqual(plugin.policies.at(-1), {
    name: "nothing",
    version: "1.0.0",
    kind: "selection",
    summary: "",
    needs: { views: [], rounds: false },
    parameters: { type: "object", additionalProperties: false },
  });
});

test("a module imports nothing but upl_v1, and keeps the names of its functions", async () => {
  const module = await WebAssembly.compile(code);
  assert.deepEqual([...new Set(WebAssembly.Module.imports(module).map((i) => i.module))], ["upl_v1"]);
  assert.equal(WebAssembly.Module.customSections(module, "name").length, 1);
  assert.deepEqual(
    WebAssembly.Module.exports(module)
      .map((e) => e.name)
      .sort(),
    [
      "_initialize",
      "memory",
      "upl_abi_version",
      "upl_begin_round",
      "upl_combine",
      "upl_configure",
      "upl_describe",
      "upl_end_round",
      "upl_observe",
    ],
  );
});

test("parameters", async (t) => {
  const read = (type, x) => select("parameters", x === undefined ? { type } : { type, x }).log[0].text;
  assert.equal(read("int", -7), "-7");
  assert.equal(read("float", -2.5e-1), "-0.25");
  assert.equal(read("float", 1e300), "1e+300");
  assert.equal(read("text", 'é"\\\n😀'), 'é"\\\n😀');
  assert.equal(read("bool", true), "true");
  assert.equal(read("bool", false), "false");
  assert.equal(read("floats", [1, 2.5]), "1.0 2.5");
  assert.equal(read("texts", ["a", "b"]), "a b");
  for (const [type, x, reason] of [
    ["int", undefined, "is missing"],
    ["text", null, "is missing"],
    ["int", 0.5, "is not an integer of 32 bits"],
    ["int", 2 ** 31, "is not an integer of 32 bits"],
    ["float", "1", "is not a number"],
    ["bool", 1, "is not true or false"],
    ["floats", [1, "2"], "is not a list of numbers"],
    ["texts", [1], "is not a list of strings"],
    ["texts", {}, "is not a list of strings"],
  ]) {
    await t.test(`${type} of ${JSON.stringify(x)}`, () => {
      assert.throws(() => read(type, x), {
        name: "GuestError",
        code: abi.CODE_CONFIG,
        message: `parameter x: ${reason}`,
      });
    });
  }
});

test("what a policy knows of the data", () => {
  const said = select(
    "parameters",
    { type: "setup" },
    {
      models: [two, two],
      classNames: ["cat", "dög"],
      modelNames: ["vit", ""],
      logitScales: [100, 55.5],
      prior: [0.5, 0.5],
      seed: 2n ** 63n,
      batchRows: 2,
      maxRounds: 5,
    },
  );
  assert.equal(said.log[0].text, "3 2 2 2 5 9223372036854775808 cat,dög vit, 100.0,55.5 0.5,0.5 ");
});

test("JSON is read as JSON.parse reads it", () => {
  const read = (json) => select("parameters", { json }).log[0].text;
  for (const text of [
    '{"a": [1, -2.5e+3, true, false, null, "\\u00e9\\ud83d\\ude00\\n\\/\\b\\f\\r\\t"], "a": {}}',
    "[]",
    "{}",
    " 1 ",
    "0",
    "1E-2",
    '"\u00e9\u{1F600}"',
    '"\\u0041\\uFfFd"',
    "[[[[]]]]",
    "\t[\r\n1 , 2 ]",
    '{"":{"":""}}',
  ]) {
    assert.deepEqual(JSON.parse(read(text)), JSON.parse(text), text);
  }
  for (const text of [
    "",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    '"\\x"',
    '"\\u12g4"',
    '"\\u12',
    '"\u0001"',
    '{"a":1,}',
    "[1 2]",
    "[1,]",
    "nul",
    '{"a"}',
    "{1:2}",
    "1e",
    "--1",
    "1 1",
    '"a',
    "[",
    "{",
    '{"a":',
    "tru",
    "NaN",
    "'a'",
    "[".repeat(100) + "]".repeat(100),
  ]) {
    assert.equal(read(text), "malformed", text);
  }
  assert.equal(read('"\\ud800x\\udc00\\ud800\\u0041"'), '"\ufffdx\ufffd\ufffdA"'); // surrogates alone
});

test("numbers of JSON are those of JavaScript, to the bit", () => {
  const words = new Float64Array(500);
  new ChaCha8(new Uint8Array(32)).read(new Uint8Array(words.buffer));
  const numbers = [
    ...words.filter(Number.isFinite),
    ...Array.from({ length: 1000 }, (_, i) => i / 1000),
    ...Array.from(words.keys(), (i) => 1 / (i + 1)),
    5e-324,
    2.5e-324,
    2.2250738585072014e-308,
    2.225073858507201e-308,
    Number.MAX_VALUE,
    1e23,
    2 ** 53 + 2,
    123456789012345680000,
  ];
  const read = (x) => select("parameters", { type: "bits", x }).metrics.map((m) => m.value);
  assert.deepEqual(read(numbers), numbers);
  const json = "[-0, 1e-999, 9007199254740993, 9007199254740993.00000000000000000000000000000001, 1E+2, 0.10e1]";
  assert.equal(select("parameters", { json }).log[0].text, "[0.0,0.0,9007199254740992.0,9007199254740994.0,100.0,1.0]");
});

test("results of every kind, in any number", () => {
  const count = 3000; // 72,000 bytes of labels: several calls
  const rows = Array.from({ length: count }, (_, i) => i);
  const data = { ensemble: even(count, 4) };
  assert.deepEqual(
    select("results", { count, weight: 0.5 }, data).labels,
    rows.map((i) => [i, i % 4, 0.5]),
  );
  assert.deepEqual(
    select("results", { count, kind: "two", weight: 2 }, data).labels,
    rows.flatMap((i) => [
      [i, 0, 1],
      [i, 1, 2],
    ]),
  );
  assert.deepEqual(
    select("results", { count, kind: "soft" }, data).soft,
    rows.map((i) => [
      i,
      1,
      [
        [0, 0.25],
        [1, 0.25],
        [2, 0.25],
        [3, 0.25],
      ],
    ]),
  );
  assert.deepEqual(
    select("results", { count, kind: "candidates", weight: 3 }, data).candidates,
    rows.map((i) => [i, 3, [0, 1, 2, 3]]),
  );
  assert.deepEqual(select("results", { count, kind: "drop" }, data).drops, rows);
});

test("a record larger than what goes to the host at once", () => {
  const classes = 4096; // 32 KiB a record
  const { soft } = select("results", { count: 3, kind: "soft" }, { ensemble: even(3, classes) });
  assert.deepEqual(
    soft.map(([row, , p]) => [row, p.length, p[4095]]),
    [0, 1, 2].map((row) => [row, classes, [4095, 1 / classes]]),
  );
});

test("records go to the host in calls of at most 24 KiB", async () => {
  const sizes = [];
  const config = JSON.stringify({
    dataset: {},
    params: { kind: "hard", count: 3000, weight: 1, rounds: 1 },
    policy: "results",
  });
  const host = {
    config: new TextEncoder().encode(config),
    dataset: () => new Uint8Array(Uint32Array.of(64, 7, 3000, 0, 2, 1, 0, 100, 0, 1, ...new Array(6).fill(0)).buffer),
    openView: () => 0,
    readView: () => 0,
    metric() {},
    limits: { memory: 1 << 24 },
    emit: (kind, records) => sizes.push(records.byteLength),
  };
  const guest = new Instance(await WebAssembly.compile(code), host);
  for (const [name, ...args] of [["upl_configure"], ["upl_begin_round", 0], ["upl_end_round", 0]])
    guest.invoke(name, ...args);
  assert.deepEqual(sizes, [24576, 24576, 72000 - 2 * 24576]);
});

test("wrong results end the run", () => {
  for (const [params, says] of [
    [{ kind: "twice" }, /labelled row 0 as class 0 twice/],
    [{ kind: "mixed" }, /row 0 among the dropped rows, and before among the hard labels/],
    [{ kind: "short" }, /soft labels: sums to 0.5, not 1/],
    [{ kind: "same" }, /class 0 twice/],
    [{ weight: -1 }, /weight -1/],
    [{ weight: 1001 }, /weight 1001/],
    [{ count: 4 }, /row 3 of 3/],
  ]) {
    assert.throws(
      () => select("results", params),
      (e) => e instanceof ProtocolError && says.test(e.message),
      JSON.stringify(params),
    );
  }
  assert.throws(() => select("results", { kind: "uneven" }), {
    code: abi.CODE_INVALID,
    message: /a soft label of 2 classes and 1 prob/,
  });
});

test("a host that takes hard labels alone", () => {
  const data = { takes: [] };
  assert.throws(() => select("results", { kind: "soft" }, data), {
    code: abi.CODE_NOT_SUPPORTED,
    message: /this host takes no soft labels/,
  });
  assert.throws(() => select("results", { kind: "candidates" }, data), {
    code: abi.CODE_NOT_SUPPORTED,
    message: /emitting candidate sets: not supported/,
  });
  assert.throws(() => select("results", { kind: "drop" }, data), {
    code: abi.CODE_NOT_SUPPORTED,
    message: /emitting dropped rows/,
  });
  assert.equal(select("results", {}, data).labels.length, 1);
});

test("rounds", () => {
  const seen = [];
  const got = select(
    "results",
    { rounds: 3, count: 2, kind: "candidates" },
    {
      nextRound: ({ candidates, rounds }) => {
        seen.push([rounds, candidates.length]);
      },
    },
  );
  assert.deepEqual(seen, [
    [1, 2],
    [2, 2],
  ]);
  assert.deepEqual(
    got.metrics.map((m) => [m.name, m.round, m.value]),
    [
      ["learns", 0, 1],
      ["previous", 0, 0],
      ["previous", 1, 4],
      ["previous", 2, 4],
    ],
  );
  assert.equal(got.rounds, 3);
  assert.equal(select("results").metrics[0].value, 0); // learns
  assert.throws(() => select("results", { rounds: 3 }, { maxRounds: 2 }), LimitError);
});

test("the random stream is the host's, anew in each round", () => {
  const below = 2 ** 31 + 1; // nearly half of all draws would favour some numbers
  const got = select("draws", { below, count: 200, rounds: 2 }, { seed: 7 });
  for (const round of [0, 1]) {
    const stream = ChaCha8.of(7n, round, "draws");
    const bits = () => {
      const word = new Uint8Array(4);
      stream.read(word);
      return new DataView(word.buffer).getUint32(0, true);
    };
    const draw = () => {
      for (;;) {
        const product = BigInt(bits()) * BigInt(below);
        if (BigInt.asUintN(32, product) >= 2n ** 32n % BigInt(below)) return Number(product >> 32n);
      }
    };
    const mine = got.metrics.filter((m) => m.round === round);
    assert.deepEqual(
      mine.filter((m) => m.name === "draw").map((m) => m.value),
      Array.from({ length: 200 }, draw),
    );
    assert.equal(mine.find((m) => m.name === "unit").value, bits() / 2 ** 32);
  }
  const math = (seed) =>
    select("draws", { below: 1, count: 1, rounds: 1 }, { seed }).metrics.find((m) => m.name === "math").value;
  assert.equal(math(1), math(1));
  assert.notEqual(math(1), math(2));
  assert.throws(() => select("draws", { below: 0, count: 1, rounds: 1 }), /random.below\(0\)/);
});

test("numbers below 3 come equally often", () => {
  const counts = [0, 0, 0];
  for (const { name, value } of select("draws", { below: 3, count: 9000, rounds: 1 }).metrics)
    if (name === "draw") counts[value]++;
  for (const n of counts) assert.ok(Math.abs(n - 3000) < 5 * Math.sqrt(2000), String(counts)); // five standard deviations
});

test("failures are values, and the first one counts", async (t) => {
  for (const [how, code, message] of [
    ["config", "CONFIG", "parameter how: is of no use"],
    ["denied", "DENIED", "upl_configure: opening view rows: denied (denied)"],
    ["metric", "INVALID", "upl_configure: recording the metric not a number: invalid argument (invalid argument)"],
    ["positive", "INTERNAL", "upl_configure: a code that is none (internal error)"],
    ["behind", "RANGE", "upl_observe: reading view stats: out of range (out of range)"],
    ["huge", "RANGE", "upl_observe: reading view stats: 2147483647 rows at once (out of range)"],
    ["after", "DATA", "upl_observe: the first word (unusable data)"],
  ]) {
    await t.test(how, () =>
      assert.throws(() => select("faulty", { how }), { name: "GuestError", code: abi[`CODE_${code}`], message }),
    );
  }
  const values = Object.fromEntries(select("faulty", { how: "recovered" }).metrics.map((m) => [m.name, m.value]));
  assert.deepEqual(values, { denied: 1, failed: 0 });
  assert.throws(
    () => select("nothing"),
    (e) => e instanceof GuestError && /neither a selection nor an ensemble/.test(e.message),
  );
});

test("a crash says what and where, with the functions it came through", async (t) => {
  for (const [how, says] of [
    ["throw", /thrown on purpose — “here” in assembly\/faults.ts line \d+/],
    ["index", /record 3 of 3 in .*view.ts line \d+/],
    ["array", /Index out of range in ~lib\/array.ts line \d+/],
    ["assert", /there are rows in assembly\/faults.ts line \d+/],
    ["recursion", /crashed: stack overflow\n/],
  ]) {
    await t.test(how, () =>
      assert.throws(
        () => select("faulty", { how }),
        (e) => {
          assert.ok(e instanceof TrapError);
          assert.match(e.message, says);
          assert.match(e.message, how === "recursion" ? /assembly\/faults\/deep/ : /assembly\/faults\/Faulty#observe/);
          return true;
        },
      ),
    );
  }
  assert.throws(
    () => select("faulty", { how: "after" }, { batchRows: 1 }),
    /Index out of range in .*, after a failure: the first word\n/,
  );
});

test("the console and trace write to the log", () => {
  assert.deepEqual(
    select("faulty", { how: "console" }).log.map((line) => [line.level, line.text]),
    [
      ["info", "said"],
      ["warn", "warned"],
      ["error", "Assertion failed: asserted"],
      ["debug", "traced 1.0 0.5"],
    ],
  );
});

test("garbage is collected, and buffers are used again", () => {
  const ensemble = even(5000);
  select("faulty", { how: "garbage" }, { ensemble, batchRows: 1, limits: { memory: 1 << 20 } });
  select("faulty", { how: "nothing" }, { ensemble, batchRows: 1, limits: { memory: 4 << 16 } });
  assert.throws(() => select("faulty", { how: "memory" }, { limits: { memory: 1 << 22 } }), {
    name: "LimitError",
    limit: "memory",
  });
});

test("ensembles", async (t) => {
  const models = [
    [
      [1, 0],
      [0.75, 0.25],
      [0.75, 0.25],
    ],
    [
      [0, 1],
      [0, 1],
      [0.5, 0.5],
    ],
  ]; // mean confidence 5/6 in both
  const combine = (params) => plugin.combine({ policy: "weighted", models, params, batchRows: 2 });
  const got = combine({});
  assert.deepEqual(got.probabilities, [
    [0.5, 0.5],
    [0.375, 0.625],
    [0.625, 0.375],
  ]);
  assert.equal(got.rounds, 2);
  assert.deepEqual(got.log, [{ level: "warn", round: 1, row: 0, rows: 2, text: "weighted" }]);
  await t.test("fail", () =>
    assert.throws(() => combine({ fault: "fail" }), { code: abi.CODE_NOT_SUPPORTED, message: /no output today/ }),
  );
  await t.test("sum", () => assert.throws(() => combine({ fault: "sum" }), /combined row 0: sums to 2\.\d+, not 1/));
  await t.test("index", () => assert.throws(() => combine({ fault: "index" }), TrapError));
  await t.test("rounds", () => assert.throws(() => combine({ fault: "rounds" }), { limit: "rounds" }));
});
