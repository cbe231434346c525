// Kernels as WGSL: which parts of shaders/ make one up, as src/gpu/kernels.rs and src/kernel/ have it.

import { SIZES } from "./dtypes.js";

const TENSORFLOW = "tensorflow";
const JAX = ["threefry", "jax"];

const OWN = {
  constant: ["constant", "blocks"],
  uniform: ["uniform", "blocks"],
  normal: ["normal", "blocks"],
  by_normal: ["by_normal", "truncated_normal"],
  by_exponential: ["by_exponential", "truncated_normal"],
  tensorflow_uniform: [TENSORFLOW, "tensorflow_uniform", "blocks"],
  tensorflow_normal: [TENSORFLOW, "tensorflow_normal", "blocks"],
  tensorflow_truncated: [TENSORFLOW, "tensorflow_truncated", "blocks"],
  jax_uniform: [...JAX, "jax_uniform", "blocks"],
  jax_normal: [...JAX, "jax_normal", "blocks"],
};

// The names of the parts, in order.
export function partsOf(kernel, dtype, writes) {
  if (!OWN[kernel]) throw new Error(`there is no kernel named "${kernel}" on this page, allowed: ${Object.keys(OWN).join(", ")}`);
  const write = writes === "words" ? "write_words" : `write_blocks_${SIZES[dtype] * 8}`;
  return ["params", "mul_wide", "philox", "hidden", "math", "rounding", write, "tile", ...OWN[kernel]];
}
