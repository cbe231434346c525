// A range of elements -> pieces that fit a buffer, and their dispatches, as src/gpu/windows.rs has it; but what lies on no multiple
// of a vector is written word by word.

import { WORDS } from "./numbers.js";
import { SIZES } from "./dtypes.js";

const TILE = 1024;
const WORKGROUP = 64;
const PER_WORKGROUP = 2048;
// After so many elements blocks begin anew in the low half of their numbers.
const WRAP = 2 ** 34;

const PARAMS_BYTES = 64 + WORDS * 4;
// As many as shaders/write_words.wgsl has parameters for; the page uses the first.
const ROWS = 28;

// Bytes of a dispatch's parameters.
export const paramsBytes = (writes) => PARAMS_BYTES * (writes === "words" ? ROWS : 1);

// Ranges that make up start..end, each of at most so many bytes. They are cut between tiles: from a cut on, blocks lie on
// multiples of their size.
export function piecesOf(start, end, dtype, bytes) {
  const most = bytes / SIZES[dtype];
  const pieces = [];
  for (let from = start; from < end; ) {
    const to = Math.min(Math.floor((from + most) / TILE) * TILE, end);
    pieces.push([from, to]);
    from = to;
  }
  return pieces;
}

// The dispatches that write elements start..end from the buffer's first byte on.
export function windowsOf(start, end, dtype) {
  const windows = [];
  for (let from = start; from < end; ) {
    const first = Math.floor(from / TILE) * TILE;
    const shift = from - start - (from - first);
    const inner = Math.ceil(from / TILE) * TILE;
    // Inside a window, blocks are counted with 32 bits.
    const limit = Math.min(end, (Math.floor(first / WRAP) + 1) * WRAP);
    const innerEnd = inner + Math.floor(Math.max(limit - inner, 0) / PER_WORKGROUP) * PER_WORKGROUP;
    let [to, writes] = [innerEnd, "blocks"];
    if (shift % 4 !== 0 || inner === innerEnd) [to, writes] = [limit, "words"];
    else if (from < inner) [to, writes] = [inner, "words"];
    const rest = (to - first) % TILE;
    const groups = Math.floor((to - first) / TILE) * 32 + Math.min(Math.ceil(rest / 4), 32);
    // Neighbouring blocks of 16-bit elements that share a word are drawn one after the other.
    const stride = dtype !== "f32" && shift % 2 !== 0 ? 2 : 1;
    for (let phase = 0; phase < stride && phase < groups; phase++) {
      const workgroups = Math.ceil(Math.ceil((groups - phase) / stride) / WORKGROUP);
      windows.push({ first, from, to, shift, stride, phase, writes, workgroups });
    }
    from = to;
  }
  return windows;
}

// `Params` of shaders/params.wgsl; the numbers are words.
export function paramsOf({ first, from, to, shift, stride, phase }, numbers, { key, nonce }) {
  const halves = (n) => [n >>> 0, Math.floor(n / 2 ** 32)];
  const words = new Uint32Array(PARAMS_BYTES / 4);
  const counts = [from - first, to - first, shift, stride, phase];
  words.set([...key, nonce, 0, ...halves(first / 4), ...halves(first / 32), ...counts, 2 ** 31]);
  words.set(numbers, 16);
  return words;
}
