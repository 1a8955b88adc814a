// What AssemblyScript's own library asks of its surroundings, in terms of upl_v1:
// asconfig.json puts these in the place of imports from "env", which upl-host refuses.

import { CODE_INTERNAL, LEVEL_DEBUG, LEVEL_ERROR, LEVEL_INFO, LEVEL_WARN } from "./abi";
import * as host from "./imports";
import { log } from "./report";

// Static, for an abort may be one for want of memory or stack.
const ROOM: i32 = 4096;
const text: usize = memory.data(ROOM);
let end: usize = text;
let aborting = false;

/** `throw`, a failed assertion, an index out of range: says what and where, and traps. */
export function abort(message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0): void {
  if (!aborting) {
    aborting = true;
    write(message === null ? "abort" : message);
    if (file !== null) {
      write(" in ");
      write(file);
      write(" line ");
      digits(line);
    }
    const size = <i32>(end - text);
    host.log(LEVEL_ERROR, text, size);
    host.fail(CODE_INTERNAL, text, size);
  }
  unreachable();
}

/** Appends what there is room for; a UTF-16 unit has at most three bytes of UTF-8. */
function write(s: string): void {
  const units = min(s.length, <i32>(text + ROOM - end) / 3);
  end += String.UTF8.encodeUnsafe(changetype<usize>(s), units, end);
}

function digits(n: u32): void {
  if (n > 9) digits(n / 10);
  if (end < text + ROOM) store<u8>(end++, 0x30 + <u8>(n % 10));
}

/** Seeds Math.random from the run's seed. */
export function seed(): f64 {
  const bits: usize = memory.data(8);
  host.random(bits, 8);
  return load<f64>(bits);
}

export function trace(
  message: string, n: i32 = 0, a0: f64 = 0, a1: f64 = 0, a2: f64 = 0, a3: f64 = 0, a4: f64 = 0,
): void {
  const numbers: StaticArray<f64> = [a0, a1, a2, a3, a4];
  for (let i = 0; i < n; i++) message += " " + numbers[i].toString();
  log(LEVEL_DEBUG, message);
}

/** The console is the run's log. */
export namespace console {
  export function log(message: string = ""): void { info(message); }
  export function debug(message: string = ""): void { say(LEVEL_DEBUG, message); }
  export function info(message: string = ""): void { say(LEVEL_INFO, message); }
  export function warn(message: string = ""): void { say(LEVEL_WARN, message); }
  export function error(message: string = ""): void { say(LEVEL_ERROR, message); }
  export function assert<T>(condition: T, message: string = ""): void {
    if (!condition) error("Assertion failed: " + message);
  }
}

function say(level: i32, message: string): void { log(level, message); }
