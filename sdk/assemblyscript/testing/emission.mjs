// What a round emits, held to docs/plugin-abi.md as upl-host does.

import { abi, nameOf } from "./abi.mjs";
import { LimitError, ProtocolError } from "./errors.mjs";
import { unlike } from "./input.mjs";

const MAX_WEIGHT = 1000;
const TOLERANCE = 1e-3; // of the sum of a distribution

/**
 * @typedef {object} Emitted
 * @property {number} kind
 * @property {number} row
 * @property {number} weight
 * @property {[classIndex: number, p: number][]} classes of a hard label one; of a drop none
 */

/** The records of a round. */
export class Emission {
  /** @type {Emitted[]} */
  records = [];
  #named = 0;
  /** @type {Map<number, number>} the kind of record that a row has */
  #kinds = new Map();

  /**
   * @param {number} rows
   * @param {number} classes
   * @param {import("./input.mjs").Limits} limits
   */
  constructor(rows, classes, limits) {
    this.rows = rows;
    this.classes = classes;
    this.limits = limits;
  }

  /**
   * Takes whole records of one kind. Throws what ends the run.
   * @param {number} kind
   * @param {DataView} bytes
   */
  take(kind, bytes) {
    for (let at = 0; at < bytes.byteLength;) {
      if (this.records.length >= this.limits.records)
        throw new LimitError("records", `more than ${this.limits.records} labels`);
      const rest = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
      const { size, record } = this.#read(kind, rest);
      this.#check(record);
      this.records.push(record);
      at += size;
    }
  }

  /**
   * @param {number} kind
   * @param {DataView} b
   * @returns {{size: number, record: Emitted}}
   */
  #read(kind, b) {
    const what = nameOf("EMIT", kind);
    /** @param {number} size */
    const need = (size) => {
      if (b.byteLength < size) throw new ProtocolError(`${what}: ${b.byteLength} bytes of a record of ${size}`);
      return size;
    };
    if (kind === abi.EMIT_DROP)
      return { size: need(abi.SIZE_DROP), record: { kind, row: rowOf(b), weight: 0, classes: [] } };
    need(abi.SIZE_HEAD);
    if (kind === abi.EMIT_HARD) {
      const size = need(abi.SIZE_LABEL);
      if (b.getBigUint64(abi.OFFSET_LABEL_FLAGS, true) !== 0n)
        throw new ProtocolError(`${what}: reserved fields set, for row ${rowOf(b)}`);
      const weight = b.getFloat32(abi.OFFSET_LABEL_WEIGHT, true);
      return {
        size,
        record: { kind, row: rowOf(b), weight, classes: [[b.getUint32(abi.OFFSET_LABEL_CLASS, true), 0]] },
      };
    }
    const weight = b.getFloat32(8, true),
      n = b.getUint32(12, true);
    if (n === 0 || n > this.classes)
      throw new ProtocolError(`${what}: ${n} classes of ${this.classes}, for row ${rowOf(b)}`);
    const each = kind === abi.EMIT_SOFT ? abi.SIZE_CANDIDATE : 4;
    const size = need(abi.SIZE_HEAD + n * each);
    if ((this.#named += n) > this.limits.classes)
      throw new LimitError("records", `more than ${this.limits.classes} classes`);
    /** @type {[number, number][]} */
    const classes = [];
    for (let at = abi.SIZE_HEAD; at < size; at += each) {
      classes.push([b.getUint32(at, true), kind === abi.EMIT_SOFT ? b.getFloat32(at + 4, true) : 0]);
    }
    return { size, record: { kind, row: rowOf(b), weight, classes: classes.sort(([a], [b]) => a - b) } };
  }

  /** @param {Emitted} record */
  #check({ kind, row, weight, classes }) {
    const what = nameOf("EMIT", kind);
    if (row >= this.rows) throw new ProtocolError(`${what}: row ${row} of ${this.rows}`);
    if (!(weight >= 0 && weight <= MAX_WEIGHT))
      throw new ProtocolError(`${what}: weight ${weight} for row ${row}; weights are 0 to ${MAX_WEIGHT}`);
    classes.forEach(([c], i) => {
      if (c >= this.classes) throw new ProtocolError(`${what}: class ${c} of ${this.classes}, for row ${row}`);
      if (i > 0 && c === classes[i - 1][0]) throw new ProtocolError(`${what}: class ${c} twice, for row ${row}`);
    });
    const reason =
      kind === abi.EMIT_SOFT
        ? unlike(
            classes.map(([, p]) => p),
            TOLERANCE,
          )
        : "";
    if (reason) throw new ProtocolError(`${what}: ${reason}, for row ${row}`);
    const had = this.#kinds.get(row);
    if (had !== undefined && (had !== kind || kind !== abi.EMIT_HARD)) {
      throw new ProtocolError(`row ${row} among the ${what}, and before among the ${nameOf("EMIT", had)}`);
    }
    this.#kinds.set(row, kind);
  }

  /** Sorts the records, and finds a row that is labelled as a class twice. */
  sort() {
    const classOf = (/** @type {Emitted} */ e) => e.classes[0]?.[0] ?? 0;
    this.records.sort((a, b) => a.row - b.row || classOf(a) - classOf(b));
    this.records.forEach((e, i) => {
      const before = this.records[i - 1];
      if (before && e.row === before.row && classOf(e) === classOf(before)) {
        throw new ProtocolError(`it labelled row ${e.row} as class ${classOf(e)} twice`);
      }
    });
  }

  /** The records by kind. */
  lists() {
    const of = (/** @type {number} */ kind) => this.records.filter((e) => e.kind === kind);
    return {
      labels: of(abi.EMIT_HARD).map(
        (e) => /** @type {[number, number, number]} */ ([e.row, e.classes[0][0], e.weight]),
      ),
      soft: of(abi.EMIT_SOFT).map(
        (e) => /** @type {[number, number, [number, number][]]} */ ([e.row, e.weight, e.classes]),
      ),
      candidates: of(abi.EMIT_CANDIDATES).map(
        (e) => /** @type {[number, number, number[]]} */ ([e.row, e.weight, e.classes.map(([c]) => c)]),
      ),
      drops: of(abi.EMIT_DROP).map((e) => e.row),
    };
  }

  /** The records as the view of the last selection has them: one for each class. */
  previous() {
    const flat = this.records.flatMap((e) =>
      (e.kind === abi.EMIT_DROP ? [[abi.NO_CLASS, 0]] : e.classes).map(([c, p]) => ({ ...e, class: c, p })),
    );
    const bytes = new Uint8Array(flat.length * abi.SIZE_EMITTED);
    flat.forEach((e, i) => {
      const out = new DataView(bytes.buffer, i * abi.SIZE_EMITTED);
      out.setBigUint64(abi.OFFSET_EMITTED_ROW, BigInt(e.row), true);
      out.setUint32(abi.OFFSET_EMITTED_CLASS, e.class, true);
      out.setFloat32(abi.OFFSET_EMITTED_WEIGHT, e.weight, true);
      out.setInt32(abi.OFFSET_EMITTED_KIND, e.kind, true);
      out.setFloat32(abi.OFFSET_EMITTED_P, e.p, true);
    });
    return bytes;
  }
}

/** @param {DataView} b */
function rowOf(b) {
  return Number(b.getBigUint64(0, true));
}
