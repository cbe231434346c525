// The GPU that the page draws with: opened when first needed, and again after it was lost.

import { Gpu } from "./gpu.js";

let last = null;
let opening = null;

export async function device() {
  if (last?.lost === null) return last;
  // Whoever asks meanwhile gets the same one.
  opening ??= open().finally(() => (opening = null));
  return opening;
}

async function open() {
  try {
    return (last = await Gpu.open());
  } catch (error) {
    throw last ? new Error(`the GPU was lost (${last.lost}), and does not open again: ${error.message}`) : error;
  }
}
