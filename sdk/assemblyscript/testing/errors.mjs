import { abi, nameOf } from "./abi.mjs";

/** An error that the policy itself returned. */
export class GuestError extends Error {
  name = "GuestError";

  /**
   * @param {string} call the function that returned it: "upl_configure" …
   * @param {number} code CODE_CONFIG …: -1 to -9
   * @param {string} detail the policy's own words; may be empty
   */
  constructor(call, code, detail) {
    const whole = detail ? `${call}: ${detail} (${nameOf("CODE", code)})` : `${call}: ${nameOf("CODE", code)}`;
    super(code === abi.CODE_CONFIG && detail ? detail : whole);
    this.call = call;
    this.code = code;
  }
}

/** A policy's crash. `cause` is the trap, with the guest's functions in its stack. */
export class TrapError extends Error {
  name = "TrapError";

  /**
   * @param {string} call
   * @param {Error} trap
   * @param {string} detail what the policy said of it; may be empty
   */
  constructor(call, trap, detail) {
    const frames = (trap.stack ?? "").split("\n").filter((line) => line.includes("wasm"));
    super([`${call}: crashed: ${detail || trap.message}`, ...frames].join("\n"), { cause: trap });
    this.call = call;
  }
}

/** A breach of the contract. */
export class ProtocolError extends Error {
  name = "ProtocolError";

  /**
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(message, options) {
    super(`breaks the plugin contract: ${message}`, options);
  }
}

/** A limit of the run. */
export class LimitError extends Error {
  name = "LimitError";

  /**
   * @param {string} limit "records", "output", "gather", "rounds", "memory"
   * @param {string} detail
   */
  constructor(limit, detail) {
    super(`${limit} limit exceeded: ${detail}`);
    this.limit = limit;
  }
}

/** Probabilities or features that cannot be used. */
export class DataError extends Error {
  name = "DataError";
}

/** An answer that the guest may live with. */
export class Refusal extends Error {
  /**
   * @param {number} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}
