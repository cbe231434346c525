// What a tensor's bytes hold: values, moments, a histogram, a digest. Long loops give way to the page now and then.

import { bf16ToNumber, f16ToNumber } from "./dtypes.js";

const AT_ONCE = 1 << 20;

const pause = () => new Promise((resolve) => setTimeout(resolve, 0));

// Typed bits and the value of each.
export function reader(bytes, dtype) {
  if (dtype === "f32") {
    const [values, bits] = [new Float32Array(bytes), new Uint32Array(bytes)];
    return { length: values.length, value: (i) => values[i], bits: (i) => bits[i].toString(16).padStart(8, "0") };
  }
  const bits = new Uint16Array(bytes);
  // Each of the 65,536 patterns once.
  const table = Float64Array.from({ length: 65536 }, (_, i) => (dtype === "f16" ? f16ToNumber(i) : bf16ToNumber(i)));
  return { length: bits.length, value: (i) => table[bits[i]], bits: (i) => bits[i].toString(16).padStart(4, "0") };
}

// Mean, standard deviation and extremes.
export async function summarise({ length, value }) {
  let [sum, min, max, zeros] = [0, Infinity, -Infinity, 0];
  for (let from = 0; from < length; from += AT_ONCE) {
    for (let i = from; i < Math.min(from + AT_ONCE, length); i++) {
      const x = value(i);
      sum += x;
      if (x < min) min = x;
      if (x > max) max = x;
      if (x === 0) zeros++;
    }
    await pause();
  }
  const mean = sum / length;
  let squares = 0;
  for (let from = 0; from < length; from += AT_ONCE) {
    for (let i = from; i < Math.min(from + AT_ONCE, length); i++) squares += (value(i) - mean) ** 2;
    await pause();
  }
  return { count: length, mean, std: Math.sqrt(squares / length), min, max, zeros };
}

// Counts in `bins` equal bins from low to high; what is outside is left out, and zeros if that is asked for.
export async function histogram({ length, value }, low, high, bins, withoutZeros = false) {
  const counts = new Uint32Array(bins);
  const scale = bins / (high - low);
  for (let from = 0; from < length; from += AT_ONCE) {
    for (let i = from; i < Math.min(from + AT_ONCE, length); i++) {
      const x = value(i);
      if (withoutZeros && x === 0) continue;
      const bin = Math.floor((x - low) * scale);
      if (bin >= 0 && bin < bins) counts[bin]++;
    }
    await pause();
  }
  return counts;
}

// SHA-256, in hexadecimal.
export async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
