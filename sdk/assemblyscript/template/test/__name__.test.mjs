import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "upl-plugin/testing";

const plugin = await load(new URL("../build/{{name}}/{{name}}.wasm", import.meta.url));

// [row, class, weight] of each label
const select = (ensemble, k, more = {}) => plugin.select({ ensemble, params: { k }, ...more }).labels;

test("the best margins of each class, of equals the earlier row", () => {
  const ensemble = [
    [0.625, 0.375, 0], // ahead by 0.25, and the most confident
    [0.5, 0.125, 0.375], // by 0.125
    [0.5, 0.25, 0.25], // by 0.25, as the first
    [0.25, 0.5, 0.25], // the only row of its class; the third has none
  ];
  assert.deepEqual(select(ensemble, 1), [
    [0, 0, 1],
    [3, 1, 1],
  ]);
  assert.deepEqual(select(ensemble, 2), [
    [0, 0, 1],
    [2, 0, 1],
    [3, 1, 1],
  ]);
  assert.equal(select(ensemble, 16).length, 4);
});

test("the size of batches makes no difference", () => {
  const ensemble = Array.from({ length: 200 }, (_, i) => [((i * 37) % 65) / 64, 1 - ((i * 37) % 65) / 64]); // many ties
  const whole = select(ensemble, 7);
  assert.equal(whole.length, 14);
  for (const batchRows of [1, 7, 64]) assert.deepEqual(select(ensemble, 7, { batchRows }), whole);
});

test("no rows, one class", () => {
  assert.deepEqual(select([], 3, { classes: 2 }), []);
  assert.deepEqual(select([[1], [1]], 1), [[0, 0, 1]]);
});
