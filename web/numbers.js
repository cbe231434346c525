// The words of a kernel's numbers.

// The order of `Numbers` in shaders/params.wgsl; `word` and `asks` are integers.
const NAMES = [
  "location", "offset", "scale", "coarse", "fine", "first", "last", "unit", "limit", "tiny", "word", "low", "high",
  "mass_per_step", "beyond", "slope", "curve", "peak", "width", "asks",
];

// How many there are.
export const WORDS = NAMES.length;

// What a kernel with these numbers has to ask.
export const asksOf = (words) => words[NAMES.indexOf("asks")];
