// A module, and one instance of it: the functions that it imports, and the calls
// into it.

import { abi } from "./abi.mjs";
import { GuestError, LimitError, ProtocolError, Refusal, TrapError } from "./errors.mjs";

const MODULE = "upl_v1";
const MANIFEST = 1 << 20; // bytes that put_manifest takes

/** The exports, with the number of their parameters. */
const EXPORTS = {
  _initialize: 0,
  upl_abi_version: 0,
  upl_describe: 0,
  upl_configure: 0,
  upl_begin_round: 1,
  upl_observe: 2,
  upl_end_round: 1,
  upl_combine: 2,
};

/**
 * Says what a host of the contract would refuse before any code runs.
 * @param {WebAssembly.Module} module
 */
export function inspect(module) {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from !== MODULE || !Object.hasOwn(IMPORTS, name) || kind !== "function") {
      throw new ProtocolError(`it imports ${from}.${name}, which this host does not have`);
    }
  }
  const exported = WebAssembly.Module.exports(module);
  const has = (/** @type {string} */ name, kind = "function") =>
    exported.some((e) => e.name === name && e.kind === kind);
  if (!has("memory", "memory")) throw new ProtocolError("it does not export its memory");
  for (const name of ["upl_abi_version", "upl_describe", "upl_configure"]) {
    if (!has(name)) throw new ProtocolError(`it does not export ${name}`);
  }
}

/**
 * What the imports ask of a run.
 * @typedef {object} Host
 * @property {Uint8Array} config
 * @property {() => Uint8Array} dataset
 * @property {(spec: DataView) => number} openView
 * @property {(handle: number, first: bigint, n: number, dst: Uint8Array) => number} readView
 * @property {(kind: number, records: DataView) => void} emit
 * @property {(level: number, text: string, bytes: number) => void} log
 * @property {(name: string, bytes: number, value: number) => void} metric
 * @property {(dst: Uint8Array) => void} random
 * @property {Error} [broken] what ends the run when the guest returns
 * @property {import("./input.mjs").Limits} limits
 */

/** An instance, of one run or, without a host, describing itself. */
export class Instance {
  /** @type {Uint8Array | undefined} of put_manifest */
  manifest;
  #detail = { code: 0, message: "" };
  /** @type {any} */
  #exports;

  /**
   * @param {WebAssembly.Module} module
   * @param {Host} [host]
   */
  constructor(module, host) {
    this.host = host;
    const imports = Object.fromEntries(Object.entries(IMPORTS).map(([name, f]) => [name, this.#answer(f)]));
    this.#exports = new WebAssembly.Instance(module, { [MODULE]: imports }).exports;
    for (const [name, parameters] of Object.entries(EXPORTS)) {
      if (this.has(name) && this.#exports[name].length !== parameters)
        throw new ProtocolError(`${name} takes other parameters`);
    }
    if (this.has("_initialize")) this.#call("_initialize");
    const version = this.invoke("upl_abi_version");
    if (version >> 16 !== abi.ABI_VERSION >> 16 || (version & 0xffff) > (abi.ABI_VERSION & 0xffff)) {
      throw new ProtocolError(`it speaks version ${version >> 16}.${version & 0xffff} of the contract`);
    }
  }

  /** @param {string} name */
  has(name) {
    return typeof this.#exports[name] === "function";
  }

  /** The size of its linear memory, in bytes. */
  get memory() {
    return this.#exports.memory.buffer.byteLength;
  }

  /**
   * Calls a function that returns 0, or an error, or at most `most`.
   * @param {string} name
   * @param {any[]} args
   */
  ask(name, most = 0, ...args) {
    const result = this.invoke(name, ...args);
    if (result > most) throw new ProtocolError(`${name} returned ${result}`);
    return result;
  }

  /**
   * @param {string} name
   * @param {any[]} args
   * @returns {number}
   */
  invoke(name, ...args) {
    this.#detail = { code: 0, message: "" };
    const result = this.#call(name, ...args);
    if (this.host?.broken) throw this.host.broken;
    if (result < 0) throw new GuestError(name, result, this.#detail.code === result ? this.#detail.message : "");
    return result;
  }

  /**
   * @param {string} name
   * @param {any[]} args
   */
  #call(name, ...args) {
    try {
      return this.#exports[name](...args);
    } catch (error) {
      // A trap, or an endless recursion; else an import has ended the run.
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError)
        throw new TrapError(name, error, this.#detail.message);
      throw error;
    } finally {
      const limit = this.host?.limits.memory;
      if (limit && this.memory > limit) throw new LimitError("memory", `${this.memory} bytes, of ${limit} allowed`);
    }
  }

  /**
   * @param {number} ptr
   * @param {number} length
   */
  bytes(ptr, length) {
    const buffer = this.#exports.memory.buffer;
    if ((ptr >>> 0) + (length >>> 0) > buffer.byteLength)
      throw new Refusal(abi.CODE_RANGE, "a buffer outside the memory");
    return new Uint8Array(buffer, ptr >>> 0, length >>> 0);
  }

  /**
   * Copies data into the guest's buffer, if it fits.
   * @param {Uint8Array} data
   * @param {number} ptr
   * @param {number} capacity
   */
  give(data, ptr, capacity) {
    const buffer = this.bytes(ptr, capacity);
    if (buffer.length >= data.length) buffer.set(data);
    return data.length;
  }

  /** The run; without one nothing but put_manifest and fail does anything. */
  get run() {
    if (!this.host) throw new Refusal(abi.CODE_STATE, "the module describes itself");
    return this.host;
  }

  /**
   * @param {number} code
   * @param {string} message
   */
  fail(code, message) {
    this.#detail = { code, message };
  }

  /**
   * Makes an import of a function: what it refuses is the code that it returns, and
   * what ends the run is kept until the guest returns.
   * @param {(instance: Instance, ...args: any[]) => number | void} f
   */
  #answer(f) {
    return (/** @type {any[]} */ ...args) => {
      try {
        return f(this, ...args) ?? 0;
      } catch (error) {
        if (error instanceof Refusal) return error.code;
        if (this.host) this.host.broken ??= /** @type {Error} */ (error);
        return error instanceof LimitError ? abi.CODE_LIMIT : abi.CODE_INVALID;
      }
    };
  }
}

const decoder = new TextDecoder();

/** @param {Uint8Array} bytes */
function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @type {Record<string, (i: Instance, ...args: any[]) => number | void>} */
const IMPORTS = {
  get_config: (i, ptr, cap) => i.give(i.run.config, ptr, cap),
  get_dataset: (i, ptr, cap) => i.give(i.run.dataset(), ptr, cap),
  put_manifest: (i, ptr, len) => {
    if (i.host || i.manifest) return abi.CODE_STATE;
    const manifest = i.bytes(ptr, len);
    if (manifest.length > MANIFEST) return abi.CODE_LIMIT;
    i.manifest = manifest.slice();
  },
  open_view: (i, ptr, len) => i.run.openView(view(i.bytes(ptr, len))),
  read_view: (i, handle, first, n, ptr, cap) => i.run.readView(handle, first, n, i.bytes(ptr, cap)),
  emit: (i, kind, ptr, len) => i.run.emit(kind, view(i.bytes(ptr, len).slice())),
  log_enabled: (i) => (i.host ? 1 : 0),
  log: (i, level, ptr, len) => i.run.log(level, decoder.decode(i.bytes(ptr, len)), len),
  metric: (i, ptr, len, value) => i.run.metric(decoder.decode(i.bytes(ptr, len)), len, value),
  random: (i, ptr, len) => i.run.random(i.bytes(ptr, len)),
  fail: (i, code, ptr, len) => i.fail(code, decoder.decode(i.bytes(ptr, len))),
};
