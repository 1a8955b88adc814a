// What AssemblyScript's own library asks of its surroundings, in terms of upl_v1:
// asconfig.json puts these in the place of imports from "env", which upl-host refuses.

import { CODE_INTERNAL, LEVEL_DEBUG, LEVEL_ERROR, LEVEL_INFO, LEVEL_WARN } from "./abi";
import { pendingMessage } from "./fault";
import * as host from "./imports";
import { log } from "./report";

// An abort may be one for want of memory or of stack: what follows takes neither.
// It sees strings as their addresses, for the compiler would push them as strings.
const ROOM: usize = 4096;
const text: usize = memory.data(4096);
let end: usize = text;
let aborting = false;

/** `throw`, a failed assertion, an index out of range: says what and where, and traps. */
export function abort(message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0): void {
  if (!aborting) {
    aborting = true;
    const what = changetype<usize>(message), where = changetype<usize>(file);
    if (where >= __heap_base) {
      // Names of files are static. These are the compiler's check of the stack, whose
      // strings (asc 0.28) are where the heap has long overwritten them.
      write(changetype<usize>("stack overflow"));
    } else {
      write(what != 0 ? what : changetype<usize>("abort"));
      if (where != 0) {
        write(changetype<usize>(" in "));
        write(where);
        write(changetype<usize>(" line "));
        digits(line);
      }
    }
    if (pendingMessage != 0) {
      write(changetype<usize>(", after a failure: "));
      write(pendingMessage);
    }
    const size = <i32>(end - text);
    host.log(LEVEL_ERROR, text, size);
    host.fail(CODE_INTERNAL, text, size);
  }
  unreachable();
}

/** Appends what there is room for: a UTF-16 unit has at most three bytes of UTF-8. */
function write(s: usize): void {
  const units = min<usize>(load<u32>(s - 4) >> 1, (text + ROOM - end) / 3); // rtSize is before the characters
  end += String.UTF8.encodeUnsafe(s, <i32>units, end);
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
