// A kernel's numbers by name -> the words that it reads them from.

// The order of `Numbers` in shaders/params.wgsl; `word` and `asks` are integers.
const NAMES = [
  "location", "offset", "scale", "coarse", "fine", "first", "last", "unit", "limit", "tiny", "word", "low", "high",
  "mass_per_step", "beyond", "slope", "curve", "peak", "width", "asks",
];

export const WORDS = NAMES.length;

// What a kernel with these numbers has to ask.
export const asksOf = (words) => words[NAMES.indexOf("asks")];

// What is not named is zero.
export function wordsOf(numbers) {
  const words = new Uint32Array(WORDS);
  const floats = new Float32Array(words.buffer);
  NAMES.forEach((name, i) => {
    if (name === "word" || name === "asks") words[i] = numbers[name] ?? 0;
    else floats[i] = numbers[name] ?? 0;
  });
  return words;
}
