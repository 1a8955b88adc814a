// Decimal numbers, read exactly: the standard library's parseFloat is off by one in
// the last place now and then, and a parameter is to be the same in any language.

/** The double nearest to a number of JSON's grammar; of two the one with an even mantissa. */
export function parseNumber(text: string): f64 {
  const big = new Big();
  let exponent = 0;
  let places = 0; // digits behind the point
  let point = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c == 0x2e) {
      point = true;
    } else if ((c | 0x20) == 0x65) {
      exponent = readExponent(text, i + 1);
      break;
    } else if (c != 0x2d) {
      big.scale(10, c - 0x30);
      if (point) places++;
    }
  }
  const x = nearest(big, exponent - places);
  return text.charCodeAt(0) == 0x2d ? -x : x;
}

/** An integer, cut where it makes no difference. */
function readExponent(text: string, at: i32): i32 {
  const negative = text.charCodeAt(at) == 0x2d;
  let x = 0;
  for (let i = at; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x30) x = min(x * 10 + c - 0x30, 1 << 24);
  }
  return negative ? -x : x;
}

/** The double nearest to big x 10^exponent. */
function nearest(big: Big, exponent: i32): f64 {
  const magnitude = <i64>(big.bits() * 0.30103) + exponent; // of its decimal logarithm, within one
  if (big.bits() == 0 || magnitude < -330) return 0;
  if (magnitude > 310) return Infinity;
  let binary = 0; // the value is big x 2^binary
  let rest = false; // and a little more
  for (let e = exponent; e > 0; e--) big.scale(10, 0);
  if (exponent < 0) {
    const limbs = -exponent / 9 + 4; // so that some 64 bits and more are left by the division
    big.shift(limbs);
    binary = -32 * limbs;
    for (let e = exponent; e < 0; e++) rest = big.divide(10) != 0 || rest;
  }
  const bits = big.bits();
  // A double has 53 bits, and none below 2^-1074.
  const drop = max(bits - 53, -1074 - binary);
  if (drop <= 0) return scaled(big.from(0), binary);
  let mantissa = big.from(drop);
  const half = big.bit(drop - 1);
  if (half && (rest || big.any(drop - 1) || (mantissa & 1) != 0)) mantissa++;
  return scaled(mantissa, binary + drop);
}

/** x 2^e, in two steps, for 2^e alone may be no double. */
function scaled(x: u64, e: i32): f64 {
  if (e > 1023) return Infinity;
  const half = e / 2;
  return <f64>x * power(half) * power(e - half);
}

function power(e: i32): f64 {
  return reinterpret<f64>(<u64>(e + 1023) << 52);
}

/** A natural number. */
class Big {
  private limbs: u32[] = []; // the lowest first

  /** Multiplies, and adds. */
  scale(factor: u32, plus: u32): void {
    let carry: u64 = plus;
    for (let i = 0; i < this.limbs.length; i++) {
      carry += <u64>this.limbs[i] * factor;
      this.limbs[i] = <u32>carry;
      carry >>= 32;
    }
    if (carry != 0) this.limbs.push(<u32>carry);
  }

  /** Multiplies by 2^32, so many times. */
  shift(limbs: i32): void {
    this.limbs = new Array<u32>(limbs).concat(this.limbs);
  }

  /** Divides; the remainder. */
  divide(by: u32): u32 {
    let rest: u64 = 0;
    for (let i = this.limbs.length - 1; i >= 0; i--) {
      rest = (rest << 32) | this.limbs[i];
      this.limbs[i] = <u32>(rest / by);
      rest %= by;
    }
    return <u32>rest;
  }

  /** How many bits it has. */
  bits(): i32 {
    let n = this.limbs.length;
    while (n > 0 && this.limbs[n - 1] == 0) n--;
    return n == 0 ? 0 : 32 * n - <i32>clz(this.limbs[n - 1]);
  }

  bit(i: i32): bool {
    return i >>> 5 < this.limbs.length && ((this.limbs[i >>> 5] >>> (i & 31)) & 1) != 0;
  }

  /** Says whether one of the lowest n bits is set. */
  any(n: i32): bool {
    for (let i = 0; i < n; i++) if (this.bit(i)) return true;
    return false;
  }

  /** Its bits from the i-th on, 64 at most. */
  from(i: i32): u64 {
    let x: u64 = 0;
    for (let at = this.bits() - 1; at >= i; at--) x = (x << 1) | (this.bit(at) ? 1 : 0);
    return x;
  }
}
