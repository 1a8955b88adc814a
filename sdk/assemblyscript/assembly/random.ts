import * as host from "./imports";
import { refused } from "./fault";

const SIZE: i32 = 256; // bytes taken from the host at once
const block: usize = memory.data(SIZE);
let used: i32 = SIZE;

/** Drops what is left of a round's stream: each round has its own. */
export function restartRandom(): void {
  used = SIZE;
}

/**
 * Random numbers, a function of the run's seed, the policy's name and the round
 * alone. There is no other source; Math.random is seeded by it.
 */
export namespace random {
  /** 32 random bits: the next four bytes of the stream, little-endian. */
  export function bits(): u32 {
    if (used == SIZE) {
      const code = host.random(block, SIZE);
      if (code < 0) refused(code, "drawing random numbers");
      used = 0;
    }
    const x = load<u32>(block + used);
    used += 4;
    return x;
  }

  /**
   * One of 0 … n-1, each as likely as the others; n > 0. Lemire's method: the high
   * half of a 32 x 32 bit product, drawn again in the few cases that would favour
   * some numbers (Fast Random Integer Generation in an Interval, 2019).
   */
  export function below(n: u32): u32 {
    assert(n > 0, "random.below(0)");
    let product = <u64>bits() * n;
    if (<u32>product < n) {
      const excess: u32 = (0 - n) % n; // 2^32 mod n
      while (<u32>product < excess) product = <u64>bits() * n;
    }
    return <u32>(product >> 32);
  }

  /** A number in [0, 1), of 32 random bits. */
  export function unit(): f64 {
    return <f64>bits() * (1.0 / 4294967296.0);
  }
}
