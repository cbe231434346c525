// The page: form -> draw -> plot and numbers. The address bar holds the form, so that a link gives the same picture.

import { device } from "./device.js";
import { showCheck } from "./check_section.js";
import { densityOf } from "./density.js";
import { SIZES } from "./dtypes.js";
import { Library, SCHEMES } from "./library.js";
import { listen } from "./model_section.js";
import { plot } from "./plot.js";
import { redraw, showProbe } from "./probe_section.js";
import { digest, histogram, reader, summarise } from "./values.js";

const $ = (id) => document.getElementById(id);
const form = $("form");
const BINS = 120;

const library = new Library();
// How often something was asked for.
let turn = 0;
let shown = null;

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

// "4096x16384" -> [4096, 16384]
function parseShape(text) {
  const shape = text.split(/[xX]/).map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  if (shape.some((d) => !Number.isSafeInteger(d))) {
    throw new Error(`the shape is "${text}", allowed: whole numbers joined by x, such as 512x2048`);
  }
  return shape;
}

function parseRange(text, elements) {
  if (!text.trim()) return [0, elements];
  const match = /^\s*(\d+)\s*\.\.\s*(\d+)\s*$/.exec(text);
  const [start, end] = match ? [Number(match[1]), Number(match[2])] : [NaN, NaN];
  if (!(start < end && end <= elements)) {
    throw new Error(`the elements are "${text}", allowed: START..END within 0..${elements}`);
  }
  return [start, end];
}

// What the form asks for; throws what is wrong with it.
function request(fields) {
  const shape = parseShape(fields.shape);
  const elements = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(elements) || elements === 0) {
    throw new Error(`the shape holds ${elements} elements, allowed: 1 to 2^53`);
  }
  if (!/^\d+$/.test(fields.seed) || BigInt(fields.seed) >= 1n << 64n) {
    throw new Error(`the seed is "${fields.seed}", allowed: 0 to 2^64 - 1`);
  }
  const [start, end] = parseRange(fields.range, elements);
  return { ...fields, shape, start, end, seed: BigInt(fields.seed) };
}

// Draws one scheme, on the GPU if its kernels can; also what the test calls.
export async function draw(fields, scheme) {
  const asked = request(fields);
  const { dtype, start, end } = asked;
  const { distribution, bytes } = await library.resolved(asked, scheme);
  if (bytes) return { by: "the library on this processor", scheme, distribution, bytes, dtype, sha256: await digest(bytes) };
  const gpu = await device();
  const drawn = await gpu.draw(distribution, distribution.stream, dtype, start, end);
  return { by: gpu.name, scheme, distribution, ...drawn, dtype, sha256: await digest(drawn.bytes) };
}

async function measure(drawn) {
  const values = reader(drawn.bytes, drawn.dtype);
  return { ...drawn, values, summary: await summarise(values) };
}

function cell(table, name, ...texts) {
  const row = table.insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  row.append(head);
  for (const text of texts) row.insertCell().textContent = text;
}

function table(title) {
  const [section, heading, table] = ["section", "h2", "table"].map((tag) => document.createElement(tag));
  heading.textContent = title;
  section.append(heading, table);
  $("numbers").append(section);
  return table;
}

const digits = (x) => Number(x.toPrecision(6)).toString();

function command(fields, scheme) {
  const quoted = (text) => (/^[\w.:=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const more = [
    fields.layout !== "out_in" && `--layout ${fields.layout}`,
    fields.name !== "weight" && `--name ${quoted(fields.name)}`,
    fields.range.trim() && `--range ${fields.range.replaceAll(" ", "")}`,
  ].filter(Boolean);
  return ["fanin fill", quoted(scheme), fields.shape, `--dtype ${fields.dtype} --seed ${fields.seed} --digest`, ...more].join(" ");
}

function show(fields, all) {
  $("numbers").replaceChildren();
  $("legend").replaceChildren();
  all.forEach(({ scheme, distribution, seconds, dtype, sha256, values, summary }, i) => {
    const line = document.createElement("span");
    const swatch = document.createElement("span");
    swatch.className = i ? "swatch second" : "swatch";
    const bars = hasZeros(distribution) ? "bars drawn without zeros" : "bars drawn";
    line.append(swatch, `${scheme}: ${bars}${densityOf(distribution) ? ", line exact" : ""}`);
    $("legend").append(line);

    const { mean: exactMean, std, text } = distribution;
    // What is left of an integral over a symmetric window.
    const mean = Math.abs(exactMean) < 1e-12 * std ? 0 : exactMean;
    const moments = table(all.length > 1 ? scheme : "Drawn");
    cell(moments, "distribution", text);
    cell(moments, "values", summary.count.toLocaleString("en"));
    // Of what the library draws, elements hang together.
    const apart = distribution.kernel;
    const errors = (difference, error) => (apart && error > 0 ? `, ${(difference / error).toFixed(2)} standard errors off` : "");
    const meanError = std / Math.sqrt(summary.count);
    // Of a part of what varies with the place, theory has nothing to say.
    const theory = (value, said) => (exactMean === null ? "" : `, in theory ${digits(value)}${said}`);
    cell(moments, "mean", digits(summary.mean) + theory(mean, errors(summary.mean - mean, meanError)));
    const stdError = std / Math.sqrt(2 * summary.count);
    cell(moments, "std", digits(summary.std) + theory(std, errors(summary.std - std, stdError)));
    cell(moments, "smallest, largest", `${digits(summary.min)}, ${digits(summary.max)}`);
    cell(moments, "zeros", summary.zeros.toLocaleString("en"));
    if (seconds) {
      const rate = summary.count / seconds;
      cell(moments, "speed", `${(rate / 1e6).toFixed(0)} million values/s, ${((rate * SIZES[dtype]) / 1e9).toFixed(2)} GB/s`);
    }
    cell(moments, "SHA-256", sha256);
    cell(moments, "the same by", command(fields, scheme));
    const first = table(all.length > 1 ? `First values of ${scheme}` : "First values");
    for (let k = 0; k < Math.min(8, values.length); k++) cell(first, String(k), `0x${values.bits(k)}`, digits(values.value(k)));
  });
  $("results").hidden = false;
}

// From the first to the last value of all, but no further than 5 deviations from the mean.
function spanOf(all) {
  const low = Math.min(...all.map(({ summary: s }) => Math.max(s.min, s.mean - 5 * s.std)));
  const high = Math.max(...all.map(({ summary: s }) => Math.min(s.max, s.mean + 5 * s.std)));
  if (high > low) {
    const margin = (high - low) * 0.03;
    return [low - margin, high + margin];
  }
  const width = Math.abs(low) || 1;
  return [low - width / 2, low + width / 2];
}

// Whether its density is that of the elements that are not zero for sure.
const hasZeros = ({ density }) => density?.share < 1;

function replot() {
  if (shown) plot($("plot"), shown);
  redraw();
}

async function run() {
  // Who asks last is answered.
  const own = ++turn;
  library.stop();
  const fields = Object.fromEntries(new FormData(form));
  const query = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ""));
  history.replaceState(null, "", `?${query}`);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    say("Drawing …");
    const schemes = [fields.scheme, fields.compare].filter((scheme) => scheme.trim());
    const drawn = [];
    for (const scheme of schemes) drawn.push(await draw(fields, scheme));
    if (own !== turn) return;
    say("Counting …");
    const all = [];
    for (const one of drawn) all.push(await measure(one));
    const [low, high] = spanOf(all);
    const series = [];
    for (const [i, { values, distribution }] of all.entries()) {
      series.push({
        counts: await histogram(values, low, high, BINS, hasZeros(distribution)),
        total: values.length,
        density: densityOf(distribution),
        colour: i ? "--second" : "--first",
      });
    }
    if (own !== turn) return;
    show(fields, all);
    shown = { low, high, series };
    replot();
    say(`Drawn by ${[...new Set(drawn.map(({ by }) => by))].join(" and ")}.`);
    document.body.dataset.state = "done";
  } catch (error) {
    if (own !== turn) return;
    $("results").hidden = true;
    shown = null;
    say(error.message, true);
    document.body.dataset.state = "wrong";
  } finally {
    if (own === turn) button.disabled = false;
  }
}

for (const scheme of SCHEMES) $("schemes").append(new Option(scheme));
for (const [key, value] of new URLSearchParams(location.search)) {
  if (form.elements[key]) form.elements[key].value = value;
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
addEventListener("resize", replot);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", replot);
$("check-button").addEventListener("click", showCheck);
listen((fields) => {
  for (const [key, value] of Object.entries(fields)) form.elements[key].value = value;
  run().then(() => $("status").scrollIntoView({ block: "start" }));
});
$("probe-button").addEventListener("click", () => {
  const { scheme, compare, seed } = form.elements;
  const schemes = [scheme.value, compare.value].filter((scheme) => scheme.trim());
  showProbe(schemes, seed.value);
});
if (new URLSearchParams(location.search).has("check")) {
  say("");
  showCheck();
} else {
  run();
}
