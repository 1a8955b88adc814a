// The constants of the binary interface: those of assembly/abi.ts, which is
// generated. NO_ROW and the like are BigInts, for they are u64.

import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../assembly/abi.ts", import.meta.url), "utf8");

/** @type {Record<string, any>} by name: `abi.VIEW_STATS` */
export const abi = Object.fromEntries(
  [...text.matchAll(/^export const (\w+): (\w+) = (-?\w+);/gm)].map(([, name, type, value]) => [
    name,
    type === "u64" ? BigInt(value) : Number(value),
  ]),
);

const words = Object.fromEntries(
  [...text.matchAll(/case (\w+): return "([^"]*)";/g)].map(([, constant, word]) => [constant, word]),
);

/**
 * The name of a view, a kind of record or a code, as the contract has it.
 * @param {"VIEW" | "EMIT" | "CODE"} what
 * @param {number} value
 * @returns {string}
 */
export function nameOf(what, value) {
  const constant = Object.keys(words).find((key) => key.startsWith(`${what}_`) && abi[key] === value);
  return constant ? words[constant] : `${what.toLowerCase()} ${value}`;
}
