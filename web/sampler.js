// Distribution + dtype -> kernel and its numbers, as src/kernel/ has it; and streams, as src/stream.rs.

import { wordsOf } from "./numbers.js";
import { erfc, exp, expm1, exponent } from "./special.js";

export const DTYPES = { f32: 0, f16: 1, bf16: 2 };
export const SIZES = { f32: 4, f16: 2, bf16: 2 };

const MAX = { f32: 3.4028234663852886e38, f16: 65504, bf16: 3.3895313892515355e38 };
const F32_MAX = MAX.f32;
const F32_TINY = 2 ** -126;

const words = new DataView(new ArrayBuffer(8));

export function bitsOf(x) {
  words.setFloat32(0, x);
  return words.getUint32(0);
}

function f32Of(bits) {
  words.setUint32(0, bits);
  return words.getFloat32(0);
}

export function f16ToNumber(h) {
  const [sign, exponent, fraction] = [h & 0x8000 ? -1 : 1, (h >> 10) & 0x1f, h & 0x3ff];
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

export function bf16ToNumber(h) {
  return f32Of((h << 16) >>> 0);
}

// The nearest f16 to an f32 within range, ties to even.
function f16Bits(x) {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(x);
  const step = magnitude < 2 ** -14 ? 2 ** -24 : 2 ** (exponent(magnitude) - 10);
  const steps = magnitude / step;
  let rounded = Math.floor(steps);
  const rest = steps - rounded;
  if (rest > 0.5 || (rest === 0.5 && rounded % 2 === 1)) rounded += 1;
  const value = rounded * step;
  if (value < 2 ** -14) return sign | rounded;
  const power = exponent(value);
  return sign | ((power + 15) << 10) | ((value / 2 ** power - 1) * 1024);
}

function bf16Bits(x) {
  const bits = bitsOf(x);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

// Values of the dtype around x, two on either side, without subnormals of f32 and bf16.
function candidatesNear(x, dtype) {
  const near = Math.fround(Math.min(Math.max(x, -MAX[dtype]), MAX[dtype]));
  const normal = Math.abs(near) >= F32_TINY ? near : 0;
  const [bits, largest, value] = {
    f32: [bitsOf(near), 0x7f7fffff, f32Of],
    f16: [f16Bits(normal), 0x7bff, f16ToNumber],
    bf16: [bf16Bits(normal), 0x7f7f, bf16ToNumber],
  }[dtype];
  const signBit = dtype === "f32" ? 0x80000000 : 0x8000;
  const ordinal = bits >= signBit ? -(bits - signBit) : bits;
  const around = [-2, -1, 0, 1, 2]
    .map((d) => ordinal + d)
    .filter((o) => Math.abs(o) <= largest)
    .map((o) => value(o < 0 ? signBit - o : o));
  if (dtype !== "f16" && Math.abs(near) <= F32_TINY) around.push(-F32_TINY, 0, F32_TINY);
  return around.filter((v) => Number.isFinite(v) && (v === 0 || Math.abs(v) >= F32_TINY)).map((v) => v + 0);
}

// The smallest and the largest value of the dtype inside the bounds.
function within(dtype, low, high, open) {
  const inside = (x) => x >= low && (open ? x < high : x <= high);
  const [first, last] = [candidatesNear(low, dtype).filter(inside), candidatesNear(high, dtype).filter(inside)];
  if (!first.length || !last.length) {
    throw new Error(`no ${dtype} value lies from ${low} to ${high}, allowed: a window that holds at least one`);
  }
  return { first: Math.min(...first), last: Math.max(...last) };
}

function fits(dtype, name, value) {
  if (Math.abs(value) > MAX[dtype]) {
    throw new Error(`${name} is ${value}, allowed in ${dtype}: from -${MAX[dtype]} to ${MAX[dtype]}`);
  }
}

// The nearest f32, with zero for what would be subnormal.
function normalF32(x) {
  const nearest = Math.fround(Math.min(Math.max(x, -F32_MAX), F32_MAX));
  return Math.abs(nearest) >= F32_TINY ? nearest : 0;
}

// What a kernel has to ask, a bit each: `asks` in src/kernel/line.rs.
const ASKS = { location: 1, offset: 2, unit: 4, bounds: 8, narrow: 16 };

// What the radius of a normal is too large by, inverted: src/arithmetic/math.rs.
const RADIUS_UNIT = 0.08465968289;

// With what the numbers need asked, and this.
function asking(numbers, asks) {
  const { location, offset, unit } = numbers;
  const needed = (location ? ASKS.location : 0) | (offset ? ASKS.offset : 0) | (unit !== 1 ? ASKS.unit : 0);
  return { ...numbers, asks: asks | needed };
}

function scaled(location, scale, magnitude, bounds) {
  const ordinary = magnitude === 0 || (magnitude >= 2 ** -40 && magnitude <= 2 ** 40);
  const unit = 2 ** (ordinary ? 0 : Math.min(Math.max(exponent(magnitude), -126), 127));
  const rounded = normalF32(location / unit);
  return {
    location: rounded,
    offset: normalF32(location / unit - rounded),
    scale: normalF32(scale / unit),
    unit,
    limit: Math.fround(Math.min(F32_MAX / unit, F32_MAX)),
    tiny: normalF32(F32_TINY / unit),
    ...bounds,
  };
}

// Below this acceptance, proposals come from the exponential.
const NORMAL_ACCEPTANCE = 0.48;

// The kernel that draws the distribution, and the words of its numbers.
export function samplerOf(d, dtype) {
  const { kernel, numbers } = named(d, dtype);
  return { kernel, numbers: wordsOf(numbers) };
}

function named(d, dtype) {
  switch (d.kind) {
    case "constant": {
      fits(dtype, "value", d.value);
      const x = Math.fround(d.value);
      const word = { f32: bitsOf, f16: f16Bits, bf16: bf16Bits }[dtype](x);
      return { kernel: "constant", numbers: { word } };
    }
    case "uniform": {
      fits(dtype, "low", d.low);
      fits(dtype, "high", d.high);
      const bounds = within(dtype, d.low, d.high, true);
      const [middle, half] = [d.low / 2 + d.high / 2, d.high / 2 - d.low / 2];
      const magnitude = Math.max(Math.abs(d.low), Math.abs(d.high));
      const numbers = asking(scaled(middle, half / 2 ** 31, magnitude, bounds), ASKS.bounds);
      const perHighHalf = half / numbers.unit / 2 ** 15;
      numbers.coarse = f32Of((bitsOf(normalF32(perHighHalf)) & 0xffff0000) >>> 0);
      numbers.fine = normalF32(perHighHalf - numbers.coarse);
      return { kernel: "uniform", numbers };
    }
    case "normal": {
      fits(dtype, "mean", d.mean);
      fits(dtype, "std", d.std);
      if (d.std === 0) return named({ kind: "constant", value: d.mean + 0 }, dtype);
      const bounds = within(dtype, -Infinity, Infinity, false);
      const magnitude = Math.max(Math.abs(d.mean), d.std);
      // No standard normal reaches 7.
      const overflows = Math.abs(d.mean) + 7 * d.std > MAX[dtype];
      const numbers = scaled(d.mean, d.std * RADIUS_UNIT, magnitude, bounds);
      return { kernel: "normal", numbers: asking(numbers, overflows ? ASKS.bounds : 0) };
    }
    default:
      fits("f32", "mean", d.mean);
      fits("f32", "std", d.std);
      // What is drawn is the f32 inside f32's bounds, rounded, in every dtype.
      return truncatedNormal(d, within(dtype, d.low, d.high, false), within("f32", d.low, d.high, false));
  }
}

function truncatedNormal({ mean, std: given, low, high }, bounds, window) {
  const std = Math.max(given, 1e-60);
  const [a, b] = [(low - mean) / std, (high - mean) / std];
  const mirrored = a + b < 0;
  const [start, end] = mirrored ? [-b, -a] : [a, b];
  if (normalAcceptance(start, end) >= NORMAL_ACCEPTANCE) {
    const numbers = asking(scaled(mean, std * RADIUS_UNIT, Math.max(Math.abs(mean), std), bounds), 0);
    if (numbers.asks === 0) {
      // A distance is what is drawn.
      const asks = bounds.first === window.first && bounds.last === window.last ? 0 : ASKS.bounds;
      return { kernel: "by_normal", numbers: asking({ ...numbers, low: window.first, high: window.last }, asks) };
    }
    const fromMean = (bound) => normalF32((bound - mean) / numbers.unit);
    return { kernel: "by_normal", numbers: asking({ ...numbers, low: fromMean(low), high: fromMean(high) }, ASKS.bounds) };
  }
  const width = Math.max((high - low) / std, 1e-280);
  let rate = bestRate(start, width);
  // A rate whose distance is an f32, and not a larger one.
  let distance = Math.fround(std / rate);
  if (distance < std / rate) distance = f32Of(bitsOf(distance) + 1);
  if (distance >= F32_TINY && Number.isFinite(distance)) rate = std / distance;
  const [slope, curve] = [1 - start / rate, 0.5 / rate / rate];
  const best = Math.min(Math.max(slope / (2 * curve), 0), rate * width);
  const peak = Number.isFinite(best) ? Math.max(best * (slope - curve * best), 0) : 0;
  const [near, direction] = mirrored ? [high, -1] : [low, 1];
  const scale = (direction * std) / rate;
  const mass = -expm1(-rate * width);
  const narrow = mass <= 0.5;
  const asks = ASKS.bounds | (narrow ? ASKS.narrow : 0);
  const numbers = asking(scaled(near, scale, Math.max(Math.abs(near), Math.abs(scale)), bounds), asks);
  return {
    kernel: "by_exponential",
    numbers: {
      ...numbers,
      mass_per_step: normalF32((narrow ? -mass : mass) / 2 ** 33),
      beyond: normalF32(exp(-rate * width)),
      slope: normalF32(2 * slope),
      curve: normalF32(2 * curve),
      peak: normalF32(2 * peak),
      width: normalF32(rate * width),
    },
  };
}

// Phi(b) - Phi(a).
function normalAcceptance(a, b) {
  const upperTail = (x) => erfc(x / Math.SQRT2) / 2;
  return upperTail(a) - upperTail(b);
}

function bestRate(a, width) {
  const robert = a > 1e8 ? a : (a + Math.sqrt(a * a + 4)) / 2;
  return Math.max(Math.min(robert, a + width / 2), 2 ** -3 / width);
}

// Philox4x32-10, for the key of a stream alone.
function philox(counter, key) {
  const product = (a, b) => BigInt(a) * BigInt(b);
  const high = (p) => Number(p >> 32n);
  const low = (p) => Number(p & 0xffffffffn);
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let r = 0; r < 10; r++) {
    const [p0, p1] = [product(0xd2511f53, c0), product(0xcd9e8d57, c2)];
    [c0, c1, c2, c3] = [(high(p1) ^ c1 ^ k0) >>> 0, low(p1), (high(p0) ^ c3 ^ k1) >>> 0, low(p0)];
    [k0, k1] = [(k0 + 0x9e3779b9) >>> 0, (k1 + 0xbb67ae85) >>> 0];
  }
  return [c0, c1, c2, c3];
}

// The stream of the tensor called `name` under a seed (a BigInt). The third word says that it is a name's.
export async function streamNamed(seed, name) {
  const hash = new DataView(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
  const counter = [0, 4, 8, 12].map((i) => hash.getUint32(i, true));
  counter[2] = (counter[2] | 0xc0000000) >>> 0;
  const [k0, k1, nonce] = philox(counter, [Number(seed & 0xffffffffn), Number(seed >> 32n)]);
  return { key: [k0, k1], nonce };
}
