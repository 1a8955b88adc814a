import {
  CODE_INTERNAL, CODE_RANGE, Emitted, NO_ROW, Ranked, SIZE_EMITTED, SIZE_RANKED, ViewKind, viewName,
} from "./abi";
import * as host from "./imports";
import { fail, failed, refused } from "./fault";
import { Batch } from "./round";

/**
 * Records that a view has read: f32, f64, or a class of abi.ts. `records[i]` is one
 * of them; of a record of several fields it is where the fields are, so that
 * `records[i].p` reads memory that the host has written. Holds until the view reads again.
 */
export class Records<T> {
  /** How many there are. */
  length: i32 = 0;
  private data: usize = 0;
  private buffer: ArrayBuffer = new ArrayBuffer(0);

  constructor(
    /** How many belong to each row, class or model: C of `openRows`, m of `openTopM` … */
    readonly width: i32,
  ) {}

  @operator("[]")
  private get(i: i32): T {
    const at = <u32>i < <u32>this.length ? this.data + <usize>i * recordSize<T>() : outside(i, this.length);
    if (isFloat<T>()) return load<T>(at);
    return changetype<T>(at);
  }

  @operator("[]=")
  private set(i: i32, value: T): void {
    const at = <u32>i < <u32>this.length ? this.data + <usize>i * recordSize<T>() : outside(i, this.length);
    if (isFloat<T>()) store<T>(at, value);
    else memory.copy(at, changetype<usize>(value), recordSize<T>());
  }

  /** Record `column` of row `row`: `[row * width + column]`. */
  at(row: i32, column: i32): T {
    return this[row * this.width + column];
  }

  /** Sets record `column` of row `row`. */
  put(row: i32, column: i32, value: T): void {
    this[row * this.width + column] = value;
  }

  /** Makes room for n records, the first `kept` of which stay, behind `head` bytes. For the SDK. */
  reserve(n: i32, kept: i32 = 0, head: i32 = 0): usize {
    const size = head + n * <i32>recordSize<T>();
    if (size > this.buffer.byteLength) {
      const grown = new ArrayBuffer(size);
      memory.copy(changetype<usize>(grown), changetype<usize>(this.buffer), head + kept * <i32>recordSize<T>());
      this.buffer = grown;
    }
    this.data = changetype<usize>(this.buffer) + head;
    return this.data;
  }
}

/** The size of a record in bytes. */
export function recordSize<T>(): usize {
  return isFloat<T>() ? sizeof<T>() : offsetof<T>();
}

const nothing: usize = memory.data(32);

/**
 * Traps. But where something has failed it gives a record of zeros, so that the
 * failure is reported and not what came of it.
 */
function outside(i: i32, length: i32): usize {
  if (!failed()) throw new RangeError("record " + i.toString() + " of " + length.toString());
  memory.fill(nothing, 0, 32);
  return nothing;
}

/** An open view, whose records are of type T. */
export class View<T> {
  protected records: Records<T>;

  /** For the SDK: policies open views by `Setup`. */
  constructor(
    private kind: ViewKind,
    private handle: i32,
    width: i32,
  ) {
    this.records = new Records<T>(width);
  }

  /** Reads the records of a batch's rows: `width` a row. */
  batch(b: Batch): Records<T> {
    return this.read(b.first, b.rows);
  }

  /** Reads the records of n rows (classes, quantiles) from `first` on: `width` each. */
  read(first: u64, n: i32): Records<T> {
    const records = this.records;
    records.length = 0;
    const want = <i64>n * records.width;
    if (n < 0 || want * recordSize<T>() > <i64>i32.MAX_VALUE) {
      fail(CODE_RANGE, this.doing() + ": " + n.toString() + " rows at once");
      return records;
    }
    const size = this.fetch(first, n, records.reserve(<i32>want), <i32>want * <i32>recordSize<T>());
    if (size == <i32>want * <i32>recordSize<T>()) records.length = <i32>want;
    else if (size >= 0) fail(CODE_INTERNAL, this.doing() + ": the host's records have another size");
    return records;
  }

  /** read_view: the size of what was read; -1 where it failed. */
  protected fetch(first: u64, n: i32, at: usize, room: i32): i32 {
    if (failed()) return -1;
    const size = host.readView(this.handle, first, n, at, room);
    if (size < 0) refused(size, this.doing());
    return size;
  }

  protected doing(): string {
    return "reading view " + viewName(this.kind);
  }
}

/** An open view of the first rows of each class. */
export class ClassTopK extends View<Ranked> {
  constructor(
    kind: ViewKind,
    handle: i32,
    private m: i32,
  ) {
    super(kind, handle, 1);
  }

  /** Reads the first rows of a class, m or fewer, in order. */
  of(class_: i32): Records<Ranked> {
    const records = this.records;
    let found = 0;
    for (let last = false; !last && found < this.m; ) {
      const n = min(256, this.m - found); // m may be far more than a class has
      const data = records.reserve(found + n, found) + <usize>found * SIZE_RANKED;
      if (this.fetch(<u64>class_ * this.m + found, n, data, n * <i32>SIZE_RANKED) < 0) {
        found = 0;
        break;
      }
      let i = 0;
      while (i < n && load<u64>(data + <usize>i * SIZE_RANKED) != NO_ROW) i++;
      found += i;
      last = i < n;
    }
    records.length = found;
    return records;
  }
}

/** The last selection: what the last round before this one that emitted anything has emitted. */
export class Previous extends View<Emitted> {
  /** Reads the records from `first` on, n or fewer; none at their end. */
  read(first: u64, n: i32): Records<Emitted> {
    const records = this.records;
    records.length = 0;
    if (n < 0 || <i64>n * SIZE_EMITTED > <i64>i32.MAX_VALUE) {
      fail(CODE_RANGE, this.doing() + ": " + n.toString() + " records at once");
      return records;
    }
    const size = this.fetch(first, n, records.reserve(n), n * <i32>SIZE_EMITTED);
    if (size >= 0) records.length = size / <i32>SIZE_EMITTED;
    return records;
  }
}
