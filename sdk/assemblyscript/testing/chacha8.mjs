// The host's random stream, so that a policy draws in its tests what it draws in
// upl-host: chacha8rand (https://c2sp.org/chacha8rand), which is Go's math/rand/v2 ChaCha8.

import { createHash } from "node:crypto";

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];
const BLOCKS = 16; // of 64 bytes, to a key
const OUTPUT = 992; // bytes of them that are given out; the last 32 are the next key

/** A stream of random bytes. */
export class ChaCha8 {
  /** @param {Uint8Array} key 32 bytes */
  constructor(key) {
    this.#key = key;
    this.#fill();
  }

  #key;
  #bytes = new Uint8Array(1024);
  #used = 0;

  /**
   * The stream of a round.
   * @param {bigint} seed the run's
   * @param {number} round
   * @param {string} policy
   */
  static of(seed, round, policy) {
    const numbers = new BigUint64Array([BigInt.asUintN(64, seed), BigInt(round)]);
    return new ChaCha8(createHash("sha256").update(new Uint8Array(numbers.buffer)).update(policy).digest());
  }

  /**
   * Fills dst with the next bytes.
   * @param {Uint8Array} dst
   */
  read(dst) {
    for (let at = 0; at < dst.length;) {
      if (this.#used === OUTPUT) {
        this.#key = this.#bytes.slice(OUTPUT);
        this.#fill();
      }
      const n = Math.min(dst.length - at, OUTPUT - this.#used);
      dst.set(this.#bytes.subarray(this.#used, this.#used + n), at);
      at += n;
      this.#used += n;
    }
  }

  #fill() {
    const key = new DataView(this.#key.buffer, this.#key.byteOffset);
    const out = new DataView(this.#bytes.buffer);
    for (let block = 0; block < BLOCKS; block++) {
      const words = chacha8(key, block);
      // Four blocks are interlaced, a word of each in turn.
      const base = (block >> 2) * 256 + (block & 3) * 4;
      words.forEach((word, i) => out.setUint32(base + i * 16, word, true));
    }
    this.#used = 0;
  }
}

/**
 * A block of ChaCha with 8 rounds. The key alone is added at the end, as the other
 * words of the state are known anyway.
 * @param {DataView} key
 * @param {number} counter
 */
function chacha8(key, counter) {
  const x = new Uint32Array(16);
  x.set(CONSTANTS);
  for (let i = 0; i < 8; i++) x[4 + i] = key.getUint32(4 * i, true);
  x[12] = counter;
  for (let twice = 0; twice < 4; twice++) {
    for (const [a, b, c, d] of QUARTERS) {
      x[a] += x[b];
      x[d] = rotate(x[d] ^ x[a], 16);
      x[c] += x[d];
      x[b] = rotate(x[b] ^ x[c], 12);
      x[a] += x[b];
      x[d] = rotate(x[d] ^ x[a], 8);
      x[c] += x[d];
      x[b] = rotate(x[b] ^ x[c], 7);
    }
  }
  for (let i = 0; i < 8; i++) x[4 + i] += key.getUint32(4 * i, true);
  return x;
}

/**
 * @param {number} x
 * @param {number} bits
 */
function rotate(x, bits) {
  return (x << bits) | (x >>> (32 - bits));
}
