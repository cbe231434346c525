// The dtypes: how many bytes each takes, what kernels call it, and the numbers that 16 bits stand for.

export const DTYPES = { f32: 0, f16: 1, bf16: 2 };
export const SIZES = { f32: 4, f16: 2, bf16: 2 };

export function f16ToNumber(h) {
  const [sign, exponent, fraction] = [h & 0x8000 ? -1 : 1, (h >> 10) & 0x1f, h & 0x3ff];
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

export function bf16ToNumber(h) {
  const word = new DataView(new ArrayBuffer(4));
  word.setUint16(0, h);
  return word.getFloat32(0);
}
