import {
  CODE_INVALID, EMIT_CANDIDATES, EMIT_DROP, EMIT_HARD, EMIT_SOFT, EmitKind, SIZE_CANDIDATE, SIZE_DROP, SIZE_HEAD, SIZE_LABEL, emitName,
} from "./abi";
import { fail, failed, refused } from "./fault";
import * as host from "./imports";

const AT_ONCE: i32 = 24 << 10; // bytes of records that go to the host in one call

/** Records of a kind on their way to the host. */
class Pending {
  private buffer: ArrayBuffer = new ArrayBuffer(0);
  private used: i32 = 0;

  constructor(private kind: EmitKind) {}

  /** Where the next record goes, of this size. */
  room(size: i32): usize {
    if (this.used + size > this.buffer.byteLength) {
      this.flush();
      if (size > this.buffer.byteLength) this.buffer = new ArrayBuffer(max(size, AT_ONCE));
    }
    const at = changetype<usize>(this.buffer) + this.used;
    this.used += size;
    return at;
  }

  flush(): void {
    const size = this.used;
    this.used = 0;
    if (size == 0 || failed()) return;
    const code = host.emit(this.kind, changetype<usize>(this.buffer), size);
    if (code < 0) refused(code, "emitting " + emitName(this.kind));
  }
}

const hard = new Pending(EMIT_HARD);
const soft = new Pending(EMIT_SOFT);
const candidates = new Pending(EMIT_CANDIDATES);
const drops = new Pending(EMIT_DROP);

/** Gives the host all that is pending. For the SDK. */
export function flushAll(): void {
  hard.flush();
  soft.flush();
  candidates.flush();
  drops.flush();
}

/**
 * Takes a selection's results, in any order: in `observe` and `endRound`. The host
 * checks them; one wrong record ends the run. A row has hard labels, of several
 * classes perhaps, or one record of another kind, once. Weights are 0 to 1000; 1 is
 * a whole picture.
 */
export class Emitter {
  /** Labels a row as a class. */
  emit(row: u64, class_: u32, weight: f32 = 1): void {
    const at = hard.room(<i32>SIZE_LABEL);
    store<u64>(at, row);
    store<u32>(at, class_, 8);
    store<f32>(at, weight, 12);
    store<u64>(at, 0, 16); // flags, reserved
  }

  /**
   * Gives a row a distribution: classes, each once, and their probabilities, which
   * sum to 1 within 1e-3; classes that are not named have 0. Not every host takes
   * it: `Setup.takes(EMIT_SOFT)`.
   */
  emitSoft(row: u64, classes: u32[], p: f32[], weight: f32 = 1): void {
    const n = classes.length;
    if (n != p.length) {
      fail(CODE_INVALID, "a soft label of " + n.toString() + " classes and " + p.length.toString() + " probabilities");
      return;
    }
    const at = head(soft, row, weight, n, n * <i32>SIZE_CANDIDATE);
    for (let i = 0; i < n; i++) {
      store<u32>(at + <usize>i * SIZE_CANDIDATE, unchecked(classes[i]));
      store<f32>(at + <usize>i * SIZE_CANDIDATE, unchecked(p[i]), 4);
    }
  }

  /**
   * Gives a row a set of classes, each once, of which one is right. Not every host
   * takes it: `Setup.takes(EMIT_CANDIDATES)`.
   */
  emitCandidates(row: u64, classes: u32[], weight: f32 = 1): void {
    const n = classes.length;
    const at = head(candidates, row, weight, n, n * 4);
    for (let i = 0; i < n; i++) store<u32>(at + (<usize>i << 2), unchecked(classes[i]));
  }

  /**
   * Says that a row is of no class, or not fit to learn from even without a label.
   * Not every host has a use for that: `Setup.takes(EMIT_DROP)`.
   */
  drop(row: u64): void {
    store<u64>(drops.room(<i32>SIZE_DROP), row);
  }
}

/** Writes the head of a record with n classes; where they go. */
function head(pending: Pending, row: u64, weight: f32, n: i32, size: i32): usize {
  const at = pending.room(<i32>SIZE_HEAD + size);
  store<u64>(at, row);
  store<f32>(at, weight, 8);
  store<u32>(at, n, 12);
  return at + SIZE_HEAD;
}
