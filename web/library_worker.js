// The library's program, beside the page, so that what takes long does not hold it up: arguments and input -> what it writes, or what
// is wrong.

import { run } from "./wasi.js";

const PROGRAM = new URL("library.wasm", import.meta.url);
let loaded = null;

async function load() {
  const response = await fetch(PROGRAM);
  if (!response.ok) throw new Error(`${PROGRAM.pathname}: ${response.status}; web/build makes it`);
  return WebAssembly.compile(await response.arrayBuffer());
}

self.onmessage = async ({ data: { given, input } }) => {
  try {
    loaded ??= await load();
    const { code, output, errors } = await run(loaded, given, input);
    if (code !== 0) throw new Error(errors);
    self.postMessage({ output }, [output]);
  } catch (error) {
    self.postMessage({ wrong: error.message });
  }
};
