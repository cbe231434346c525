// The few special functions that a kernel's numbers are made with, in `+ - * /` alone, which every browser rounds the same way:
// the twin of src/arithmetic/special.rs, line by line.

const LN_2_HIGH = 0.6931471803691238;
const LN_2_LOW = 1.9082149292705877e-10;
const SQRT_PI = 1.772453850905516;
const SMALLEST_NORMAL = 2 ** -1022;

const word = new DataView(new ArrayBuffer(8));

// e^x: 2^k e^r with |r| <= ln(2) / 2, and the series of e^r.
export function exp(x) {
  if (Number.isNaN(x)) return x;
  if (x > 710) return Infinity;
  if (x < -746) return 0;
  const k = Math.floor(x / (LN_2_HIGH + LN_2_LOW) + 0.5);
  const r = x - k * LN_2_HIGH - k * LN_2_LOW;
  // In two steps, neither of which leaves the normal numbers before the result does.
  const half = Math.floor(k / 2);
  return (1 + r * series(r)) * powerOfTwo(half) * powerOfTwo(k - half);
}

// e^x - 1, also where it is small.
export function expm1(x) {
  return Math.abs(x) < 0.5 ? x * series(x) : exp(x) - 1;
}

// The natural logarithm: 2^k m with m next to 1, and the series of artanh.
export function ln(x) {
  if (x === 0) return -Infinity;
  if (Number.isNaN(x) || x < 0 || x === Infinity) return x > 0 ? x : NaN;
  // What is subnormal is made normal.
  const scaled = x < SMALLEST_NORMAL ? 54 : 0;
  if (scaled > 0) x *= powerOfTwo(scaled);
  let k = exponent(x);
  let m = x / powerOfTwo(k);
  if (m > Math.SQRT2) [m, k] = [m / 2, k + 1];
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 23; n > 1; n -= 2) sum = square * (1 / n + sum);
  k -= scaled;
  return k * LN_2_HIGH + (k * LN_2_LOW + 2 * s * sum + 2 * s);
}

// The error function.
export function erf(x) {
  if (Math.abs(x) < 1) return nearErf(x);
  return x < 0 ? tail(-x) - 1 : 1 - tail(x);
}

// 1 - erf(x), also where it is small.
export function erfc(x) {
  if (Math.abs(x) < 1) return 1 - nearErf(x);
  return x < 0 ? 2 - tail(-x) : tail(x);
}

// The exponent of a normal number; of a smaller one, less than that of any.
export function exponent(x) {
  word.setFloat64(0, x);
  return ((word.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

// (e^x - 1) / x for |x| <= 0.5.
function series(x) {
  let sum = 1;
  for (let n = 16; n > 1; n -= 1) sum = 1 + (x / n) * sum;
  return sum;
}

// 2^k, for a whole k within the normal numbers' exponents.
function powerOfTwo(k) {
  word.setUint32(0, ((k + 1023) << 20) >>> 0);
  word.setUint32(4, 0);
  return word.getFloat64(0);
}

// The series of erf for |x| <= 1.
function nearErf(x) {
  let sum = 1;
  for (let n = 45; n > 1; n -= 2) sum = 1 + ((2 * x * x) / n) * sum;
  return (2 / SQRT_PI) * x * exp(-x * x) * sum;
}

// The continued fraction of erfc for x >= 1.
function tail(x) {
  if (Number.isNaN(x)) return x;
  if (x > 28) return 0;
  let fraction = x;
  for (let n = 200; n > 0; n -= 1) fraction = x + n / 2 / fraction;
  // x^2 in two parts, the first of which is exact; its exponential by halves, which are normal numbers where erfc is not.
  const near = Math.floor(x * 1048576) / 1048576;
  const half = exp((-near * near) / 2);
  return half * ((half * exp(-(x - near) * (x + near))) / (SQRT_PI * fraction));
}
