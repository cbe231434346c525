// Beside the page, so that a config of a million layers does not hold it up: a config's bytes -> its tensors, or what is wrong with it.

import { run } from "./wasi.js";

const PROGRAM = new URL("plan.wasm", import.meta.url);
let loaded = null;

async function load() {
  const response = await fetch(PROGRAM);
  if (!response.ok) throw new Error(`${PROGRAM.pathname}: ${response.status}; web/build makes it`);
  return WebAssembly.compile(await response.arrayBuffer());
}

async function planOf(config) {
  loaded ??= await load();
  const { code, output, errors } = await run(loaded, config);
  if (code !== 0) throw new Error(errors);
  return JSON.parse(output);
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ plan: await planOf(data) });
  } catch (error) {
    self.postMessage({ wrong: error.message });
  }
};
