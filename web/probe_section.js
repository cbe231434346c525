// The page's section that sends a batch through layers of the scheme, and of the one compared.

import { curves } from "./curves.js";
import { device } from "./device.js";
import { Library } from "./library.js";
import { ACTIVATIONS, probe, weightsOf } from "./probe.js";

const $ = (id) => document.getElementById(`probe-${id}`);
const PANELS = [["forward", "preStd"], ["backward", "gradientStd"]];
const library = new Library();
let shown = null;

for (const activation of ACTIVATIONS) $("activation").append(new Option(activation, activation, activation === "tanh", activation === "tanh"));

export function redraw() {
  if (!shown) return;
  for (const [id, key] of PANELS) {
    const series = shown.map(({ measured, theory }, i) => ({
      measured: measured.map((layer) => layer[key]),
      expected: theory?.map((layer) => layer[key]),
      colour: i ? "--second" : "--first",
    }));
    curves($(id), series);
  }
}

function whole(name, text, most) {
  if (!/^\d+$/.test(text) || Number(text) < 2 || Number(text) > most) {
    throw new Error(`the ${name} is "${text}", allowed: 2 to ${most}`);
  }
  return Number(text);
}

// Of the form's schemes and seed.
export async function showProbe(schemes, seedText) {
  $("button").disabled = true;
  $("status").classList.remove("wrong");
  delete document.body.dataset.probe;
  try {
    const [depth, width] = [whole("depth", $("depth").value, 100), whole("width", $("width").value, 2048)];
    if (!/^\d+$/.test(seedText) || BigInt(seedText) >= 1n << 64n) {
      throw new Error(`the seed is "${seedText}", allowed: 0 to 2^64 - 1`);
    }
    const seed = BigInt(seedText);
    const asked = { activation: $("activation").value, depth, width, batch: 64, seed };
    const gpu = await device();
    const all = [];
    for (const scheme of schemes) {
      $("status").textContent = `${scheme} …`;
      const layers = { ...asked, weights: await weightsOf(library, { ...asked, scheme }) };
      all.push({ scheme, measured: await probe(gpu, layers), theory: await library.theory({ ...asked, scheme }) });
    }
    shown = all;
    $("results").hidden = false;
    redraw();
    const ends = all.map(({ scheme, measured }) => {
      const text = (x) => (Number.isFinite(x) ? x.toPrecision(3) : "beyond f32");
      return `${scheme}: ${text(measured.at(-1).preStd)} in the last layer, gradients of ${text(measured[0].gradientStd)} in the first`;
    });
    $("status").textContent = `${ends.join("; ")}. Dots are measured, lines are mean-field theory.`;
    document.body.dataset.probe = "done";
  } catch (error) {
    shown = null;
    $("results").hidden = true;
    $("status").textContent = error.message;
    $("status").classList.add("wrong");
    document.body.dataset.probe = "wrong";
  } finally {
    $("button").disabled = false;
  }
}
