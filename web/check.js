// Whether this GPU draws what known_answers.json says, which the library's tests keep.

import { digest } from "./values.js";

export async function knownAnswers(from = "known_answers.json") {
  const response = await fetch(from);
  if (!response.ok) throw new Error(`${from}: ${response.status}`);
  return response.json();
}

// Draws all of it; gives each check with the digest that was drawn, and one digest for each kernel and dtype. Says before
// each check how many were before it.
export async function check(gpu, { checks }, before) {
  // All are compiled at once, as far as the browser does; what does not compile is said where it is drawn.
  Promise.allSettled(checks.flatMap(({ dtype, start, end, ...one }) => gpu.pipelinesOf(one, dtype, start, end)));
  const results = [];
  const digests = [];
  for (const [name, group] of grouped(checks)) {
    const drawn = [];
    for (const one of group) {
      before(results.length, one);
      const bytes = await drawOne(gpu, one);
      const sha256 = await digest(bytes);
      results.push({ ...one, drawn: sha256, agrees: sha256 === one.sha256 });
      drawn.push(bytes);
    }
    digests.push({ name, sha256: await digest(await new Blob(drawn).arrayBuffer()) });
  }
  return { results, digests, agrees: results.length > 0 && results.every(({ agrees }) => agrees) };
}

async function drawOne(gpu, { name, kernel, dtype, start, end, key, nonce, numbers }) {
  try {
    return (await gpu.draw({ kernel, numbers }, { key, nonce }, dtype, start, end)).bytes;
  } catch (error) {
    throw new Error(`${name}: ${error.message}`);
  }
}

// By kernel and dtype, in the order in which they come first.
function grouped(checks) {
  const groups = new Map();
  for (const one of checks) {
    const name = `${one.kernel} ${one.dtype}`;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(one);
  }
  return groups;
}

// One line for a table of GPUs; semicolons part its fields.
export function reportLine(contract, adapter, browser, { agrees, digests }) {
  const field = (text) => text.replaceAll(";", ",");
  const drawn = digests.map(({ name, sha256 }) => `${name} ${sha256.slice(0, 8)}`).join(", ");
  const verdict = agrees ? "agrees" : "DIFFERS";
  return `fanin check: contract ${contract}; WebGPU; ${field(adapter)}; ${field(browser)}; ${verdict}; ${drawn}`;
}
