// A kernel's numbers by name -> the words that it reads them from.

// The order of `Numbers` in shaders/params.wgsl; `word` is an integer.
const NAMES = [
  "location", "offset", "scale", "coarse", "fine", "first", "last", "unit", "limit", "tiny", "word", "low", "high",
  "mass_per_step", "beyond", "slope", "curve", "peak",
];

// With two words of padding.
export const WORDS = 20;

// What is not named is zero.
export function wordsOf(numbers) {
  const words = new Uint32Array(WORDS);
  const floats = new Float32Array(words.buffer);
  NAMES.forEach((name, i) => {
    if (name === "word") words[i] = numbers.word ?? 0;
    else floats[i] = numbers[name] ?? 0;
  });
  return words;
}
