/**
 * A host in memory, for the tests of a policy's author: it runs a module of the
 * contract (docs/plugin-abi.md), of any language, as upl-host does, and gives back
 * what it selected. What upl-host does beyond it: it checks the parameters against
 * their schema, measures time, and holds a module to the limits while it runs.
 *
 *     import { load } from "upl-plugin/testing";
 *
 *     const plugin = await load("build/random/random.wasm");
 *     const { labels } = plugin.select({ models: [[[0.75, 0.25], [0.5, 0.5]]], params: { k: 1 } });
 *
 * @module
 */

import { readFile } from "node:fs/promises";

import { ProtocolError } from "./errors.mjs";
import { Instance, inspect } from "./instance.mjs";
import { Run } from "./run.mjs";

export { abi } from "./abi.mjs";
export { DataError, GuestError, LimitError, ProtocolError, TrapError } from "./errors.mjs";

/** @typedef {import("./input.mjs").Input} Input */
/** @typedef {import("./input.mjs").Limits} Limits */

/**
 * What a module says of one of its policies.
 * @typedef {object} Description
 * @property {string} name
 * @property {string} version
 * @property {"selection" | "ensemble"} kind
 * @property {string} summary
 * @property {{views: string[], rounds: boolean}} needs
 * @property {any} parameters a JSON Schema
 */

/**
 * A line of the log.
 * @typedef {object} Line
 * @property {string} level "debug", "info", "warn" or "error"
 * @property {number} round
 * @property {number} row the first of the batch that was at hand; -1 without one
 * @property {number} rows of that batch
 * @property {string} text
 */

/**
 * What a run leaves beside its result.
 * @typedef {object} Record
 * @property {{name: string, round: number, value: number}[]} metrics
 * @property {Line[]} log
 * @property {number} rounds
 */

/**
 * What the last round selected, each list by row, then class.
 * @typedef {object} Selected
 * @property {[row: number, classIndex: number, weight: number][]} labels
 * @property {[row: number, weight: number, p: [classIndex: number, p: number][]][]} soft
 * @property {[row: number, weight: number, classes: number[]][]} candidates
 * @property {number[]} drops
 */

/** @typedef {Selected & Record} Selection */
/** @typedef {{probabilities: number[][]} & Record} Combination */

/** A module. Each run has an instance of its own. */
export class Plugin {
  #module;

  /** @param {WebAssembly.Module} module */
  constructor(module) {
    inspect(module);
    this.#module = module;
    /** @type {Description[]} */
    this.policies = describe(module);
  }

  /**
   * Runs a selection policy. Throws a GuestError (what the policy itself returned),
   * TrapError, ProtocolError, LimitError or DataError.
   * @param {Input} input
   * @returns {Selection}
   */
  select(input) {
    return this.#run("selection", input).select();
  }

  /**
   * Runs an ensemble policy.
   * @param {Input} input
   * @returns {Combination}
   */
  combine(input) {
    return this.#run("ensemble", input).combine();
  }

  /**
   * @param {"selection" | "ensemble"} kind
   * @param {Input} input
   */
  #run(kind, input) {
    const found = this.policies.filter((policy) =>
      input.policy === undefined ? policy.kind === kind : policy.name === input.policy,
    );
    if (found.length !== 1)
      throw new TypeError(`input.policy has to name one of ${this.policies.map((policy) => policy.name).join(", ")}`);
    if (found[0].kind !== kind) throw new TypeError(`policy ${found[0].name} is of kind ${found[0].kind}`);
    return new Run(this.#module, found[0], input);
  }
}

/**
 * Loads a module: a path, or its bytes.
 * @param {string | URL | Uint8Array<ArrayBuffer>} source
 */
export async function load(source) {
  const code = source instanceof Uint8Array ? source : await readFile(source);
  return new Plugin(await WebAssembly.compile(code));
}

/**
 * @param {WebAssembly.Module} module
 * @returns {Description[]}
 */
function describe(module) {
  const instance = new Instance(module);
  instance.ask("upl_describe");
  if (!instance.manifest) throw new ProtocolError("upl_describe gave no manifest");
  const text = new TextDecoder().decode(instance.manifest);
  try {
    return JSON.parse(text).policies;
  } catch (error) {
    throw new ProtocolError(`its description is not JSON (the parameters, most likely): ${text}`, { cause: error });
  }
}
