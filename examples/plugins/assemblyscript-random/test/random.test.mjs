import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { load } from "upl-plugin/testing";

const here = (path) => new URL(path, import.meta.url);
const plugin = await load(here("../build/random/random.wasm"));

/** n rows that are predicted as the first of two classes. */
const first = (n, p = 0.75) => Array.from({ length: n }, () => [p, 1 - p]);

test("the case that upl-host runs too", async () => {
  const { classes: classNames, expected, ...input } = JSON.parse(await readFile(here("../testdata/case.json"), "utf8"));
  assert.deepEqual(plugin.select({ ...input, classNames }).labels, expected.labels);
  for (const batchRows of [1, 7, 256]) assert.deepEqual(plugin.select({ ...input, batchRows }).labels, expected.labels);
});

test("all rows of a class that has no more than K, and K of one that has", () => {
  const ensemble = [...first(20), [0.25, 0.75], [0.125, 0.875]];
  const { labels, metrics } = plugin.select({ ensemble, params: { k: 5 } });
  assert.deepEqual(
    labels.filter(([, c]) => c === 1),
    [
      [20, 1, 1],
      [21, 1, 1],
    ],
  );
  const rows = labels.filter(([, c]) => c === 0).map(([row]) => row);
  assert.equal(new Set(rows).size, 5); // without replacement
  assert.ok(rows.every((row) => row < 20));
  assert.deepEqual(metrics, [{ name: "drawn_from", round: 0, value: 22 }]);
});

test("rows below the least probability are left out, and a tie is the first class's", () => {
  const { labels } = plugin.select({
    ensemble: [
      [0.5, 0.5],
      [0.25, 0.75],
      [0.375, 0.625],
    ],
    params: { least: 0.625 },
  });
  assert.deepEqual(labels, [
    [1, 1, 1],
    [2, 1, 1],
  ]);
  assert.deepEqual(plugin.select({ ensemble: [[0.5, 0.5]] }).labels, [[0, 0, 1]]);
});

test("nothing from nothing", () => {
  assert.deepEqual(plugin.select({ ensemble: [], classes: 2 }).labels, []);
});

test("the draw is the seed's", () => {
  const draw = (seed) => plugin.select({ ensemble: first(100), params: { k: 5 }, seed }).labels;
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});

test("each row is drawn equally often", () => {
  const n = 10,
    k = 3,
    draws = 2000;
  const counts = new Array(n).fill(0);
  const ensemble = first(n);
  for (let seed = 0; seed < draws; seed++)
    for (const [row] of plugin.select({ ensemble, params: { k }, seed }).labels) counts[row]++;
  const p = k / n,
    deviation = Math.sqrt(draws * p * (1 - p));
  for (const count of counts) assert.ok(Math.abs(count - draws * p) < 5 * deviation, counts.join(" "));
});
