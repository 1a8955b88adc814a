// A reader of JSON (RFC 8259), for the configuration. AssemblyScript has none.

import { parseNumber } from "./number";

export const enum JSONKind { NULL, BOOL, NUMBER, STRING, ARRAY, OBJECT }

/** A JSON value. */
export class JSONValue {
  /** Of a string its characters, of a number its digits, of true "true"; else empty. */
  text: string = "";
  /** Of an array and an object. */
  items: JSONValue[] = [];
  /** Of an object, the name of each item. */
  names: string[] = [];

  constructor(readonly kind: JSONKind) {}

  /** The member of an object; null where there is none. */
  get(name: string): JSONValue | null {
    for (let i = 0; i < this.names.length; i++) {
      if (this.names[i] == name) return this.items[i];
    }
    return null;
  }

  /** Of a number: its value. */
  number(): f64 {
    return parseNumber(this.text);
  }
}

/** Reads one JSON text of UTF-8. Null where it is malformed. */
export function parseJSON(text: ArrayBuffer): JSONValue | null {
  const reader = new Reader(changetype<usize>(text), text.byteLength);
  const value = reader.value(0);
  return reader.ended() ? value : null;
}

const MAX_DEPTH: i32 = 64; // of the reader's recursion
const REPLACEMENT: i32 = 0xfffd;

class Reader {
  private at: usize;
  private end: usize;

  constructor(start: usize, size: i32) {
    this.at = start;
    this.end = start + size;
  }

  value(depth: i32): JSONValue | null {
    this.space();
    if (depth > MAX_DEPTH) return null;
    const c = this.peek();
    if (c == 0x7b) return this.object(depth);
    if (c == 0x5b) return this.array(depth);
    if (c == 0x22) {
      const text = this.string();
      return text === null ? null : leaf(JSONKind.STRING, text);
    }
    if (this.word("true")) return leaf(JSONKind.BOOL, "true");
    if (this.word("false")) return leaf(JSONKind.BOOL, "");
    if (this.word("null")) return leaf(JSONKind.NULL, "");
    return this.number();
  }

  ended(): bool {
    this.space();
    return this.at == this.end;
  }

  private object(depth: i32): JSONValue | null {
    const object = new JSONValue(JSONKind.OBJECT);
    this.at++;
    if (this.next(0x7d)) return object;
    while (true) {
      this.space();
      const name = this.string();
      if (name === null || !this.next(0x3a)) return null;
      const value = this.value(depth + 1);
      if (value === null) return null;
      object.names.push(name);
      object.items.push(value);
      if (this.next(0x7d)) return object;
      if (!this.next(0x2c)) return null;
    }
  }

  private array(depth: i32): JSONValue | null {
    const array = new JSONValue(JSONKind.ARRAY);
    this.at++;
    if (this.next(0x5d)) return array;
    while (true) {
      const value = this.value(depth + 1);
      if (value === null) return null;
      array.items.push(value);
      if (this.next(0x5d)) return array;
      if (!this.next(0x2c)) return null;
    }
  }

  private number(): JSONValue | null {
    const start = this.at;
    this.take(0x2d);
    if (!this.take(0x30) && this.digits() == 0) return null;
    if (this.take(0x2e) && this.digits() == 0) return null;
    if (this.take(0x65) || this.take(0x45)) {
      if (!this.take(0x2b)) this.take(0x2d);
      if (this.digits() == 0) return null;
    }
    return leaf(JSONKind.NUMBER, String.UTF8.decodeUnsafe(start, this.at - start));
  }

  private string(): string | null {
    if (!this.take(0x22)) return null;
    let s = "";
    let start = this.at; // of what is to be taken as it is
    while (this.at < this.end) {
      const c = load<u8>(this.at);
      if (c < 0x20) return null;
      if (c != 0x22 && c != 0x5c) {
        this.at++;
        continue;
      }
      s += String.UTF8.decodeUnsafe(start, this.at - start);
      this.at++;
      if (c == 0x22) return s;
      const char = this.escape();
      if (char < 0) return null;
      s += String.fromCodePoint(char);
      start = this.at;
    }
    return null;
  }

  /** The character of an escape, behind its backslash; -1 of none. */
  private escape(): i32 {
    const c = this.peek();
    this.at++;
    switch (c) {
      case 0x22: case 0x5c: case 0x2f: return c;
      case 0x62: return 0x08;
      case 0x66: return 0x0c;
      case 0x6e: return 0x0a;
      case 0x72: return 0x0d;
      case 0x74: return 0x09;
      case 0x75: return this.unit();
    }
    return -1;
  }

  /** The character of one \u escape or, of a pair of surrogates, two. */
  private unit(): i32 {
    const high = this.hex();
    if (high < 0 || high >> 11 != 0x1b) return high; // no surrogate
    const before = this.at;
    if (high < 0xdc00 && this.word("\\u")) {
      const low = this.hex();
      if (low >> 10 == 0x37) return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
    }
    this.at = before; // one alone; what follows is read for itself
    return REPLACEMENT;
  }

  private hex(): i32 {
    if (this.at + 4 > this.end) return -1;
    let x = 0;
    for (let i = 0; i < 4; i++) {
      const c = <i32>load<u8>(this.at++);
      const letter = c | 0x20;
      if (c >= 0x30 && c <= 0x39) x = (x << 4) + c - 0x30;
      else if (letter >= 0x61 && letter <= 0x66) x = (x << 4) + letter - 0x57;
      else return -1;
    }
    return x;
  }

  /** The next byte; -1 at the end. */
  private peek(): i32 {
    return this.at < this.end ? <i32>load<u8>(this.at) : -1;
  }

  private take(c: i32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  /** Skips space and takes c if it comes. */
  private next(c: i32): bool {
    this.space();
    return this.take(c);
  }

  private space(): void {
    while (this.take(0x20) || this.take(0x0a) || this.take(0x0d) || this.take(0x09)) {}
  }

  private word(word: string): bool {
    if (this.at + word.length > this.end) return false;
    for (let i = 0; i < word.length; i++) {
      if (load<u8>(this.at + i) != word.charCodeAt(i)) return false;
    }
    this.at += word.length;
    return true;
  }

  private digits(): i32 {
    const start = this.at;
    for (let c = this.peek(); c >= 0x30 && c <= 0x39; c = this.peek()) this.at++;
    return <i32>(this.at - start);
  }
}

function leaf(kind: JSONKind, text: string): JSONValue {
  const value = new JSONValue(kind);
  value.text = text;
  return value;
}

/** A string as JSON. */
export function quoteJSON(s: string): string {
  let out = '"';
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c == 0x22 || c == 0x5c) out += "\\" + s.charAt(i);
    else if (c < 0x20) out += "\\u00" + (c < 0x10 ? "0" : "") + c.toString(16);
    else out += s.charAt(i);
  }
  return out + '"';
}
