// The page's section of whole models: a config.json -> the table of its tensors, each of which can be drawn.

import { Library } from "./library.js";

const $ = (id) => document.getElementById(`model-${id}`);
const count = (n) => BigInt(n).toLocaleString("en");

// Of a larger tensor, so many elements are drawn.
const SAMPLE = 2 ** 20;
// Rows that are shown at a time; a search finds the others.
const SHOWN = 1000;
// The library reads no longer text.
const MOST_BYTES = 10_000_000;

const library = new Library();
// Which request is the last.
let turn = 0;
let tensors = [];

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

// The tensors of a config's text, by the library's rules.
async function planOf(text) {
  return JSON.parse(new TextDecoder().decode(await library.run(["plan"], new TextEncoder().encode(text))));
}

// Where a tensor's own distribution draws: from an element on to before another, at most SAMPLE of them, between its other parts.
export function sampleOf({ shape, elements, draw }) {
  const last = Number(elements);
  const row = last / shape[0];
  const parts = draw.parts.map(({ start, end }) => [start * row, end * row]).sort(([a], [b]) => a - b);
  let [start, best] = [0, [0, 0]];
  for (const [from, to] of [...parts, [last, last]]) {
    const end = Math.min(from, start + SAMPLE);
    if (end - start > best[1] - best[0]) best = [start, end];
    start = Math.max(start, to);
  }
  return best;
}

// Why a tensor cannot be drawn here, if it cannot.
function hindrance({ shape, elements, draw, cannot }) {
  if (!draw) return "it is not drawn";
  if (cannot) return cannot;
  if (shape.length === 0 || elements === "0") return "it has no elements along a dimension";
  if (BigInt(elements) > Number.MAX_SAFE_INTEGER) return "it has more than 2^53 elements";
  if (draw.parts.some(({ dim }) => dim !== 0)) return "its parts lie side by side in each row";
  const [start, end] = sampleOf({ shape, elements, draw });
  return end > start ? null : "its parts leave nothing of it";
}

function rowOf(tensor, index) {
  const row = document.createElement("tr");
  const drawing = row.insertCell();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = tensor.name;
  row.append(head);
  const distribution = tensor.distribution ?? "not drawn: a buffer of integers";
  const texts = [tensor.shape.join("x"), tensor.dtype?.toLowerCase() ?? "", count(tensor.elements), distribution];
  for (const text of texts) row.insertCell().textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Draw";
  button.dataset.index = index;
  button.setAttribute("aria-label", `Draw ${tensor.name}`);
  const reason = hindrance(tensor);
  if (reason) [button.disabled, button.title] = [true, reason];
  drawing.append(button);
  return row;
}

// The rows whose names have what is searched for.
function list() {
  const wanted = $("search").value.trim().toLowerCase();
  const found = [...tensors.keys()].filter((i) => tensors[i].name.toLowerCase().includes(wanted));
  const shown = found.slice(0, SHOWN);
  $("rows").replaceChildren(...shown.map((i) => rowOf(tensors[i], i)));
  const left = found.length - shown.length;
  const of = wanted ? `${count(found.length)} of ${count(tensors.length)} tensors` : `${count(tensors.length)} tensors`;
  const elements = found.reduce((sum, i) => sum + BigInt(tensors[i].elements), 0n);
  $("count").textContent = `${of}, ${count(elements)} elements${left ? `; the first ${count(SHOWN)} are shown, search for others` : ""}`;
}

function clear() {
  library.stop();
  turn++;
  tensors = [];
  $("table").hidden = true;
  say("");
  delete document.body.dataset.model;
}

// Shows the tensors of a text that is there or comes, or what is wrong with it.
async function show(coming) {
  clear();
  const own = turn;
  say("Reading …");
  try {
    const text = await coming;
    if (own !== turn) return;
    if ($("config").value !== text) $("config").value = text;
    const plan = await planOf(text);
    if (own !== turn) return;
    tensors = plan.tensors;
    list();
    $("table").hidden = false;
    say(`By the rules of data/architectures/${plan.architecture}.toml.`);
    document.body.dataset.model = "done";
  } catch (error) {
    if (own !== turn) return;
    say(error.message, true);
    document.body.dataset.model = "wrong";
  }
}

function readText() {
  const text = $("config").value;
  if (text.trim()) show(text);
  else clear();
}

async function textOf(file) {
  if (file.size > MOST_BYTES) {
    throw new Error(`the length of the config in bytes is ${file.size}, allowed: at most ${MOST_BYTES}`);
  }
  return file.text();
}

function readFile(file) {
  if (file) show(textOf(file));
}

// `draw` gets the form's fields for the tensor that is to be drawn.
export function listen(draw) {
  let typed;
  $("config").addEventListener("input", ({ inputType }) => {
    clearTimeout(typed);
    // More may be typed.
    typed = setTimeout(readText, inputType?.startsWith("insertText") ? 200 : 0);
  });
  $("file").addEventListener("change", ({ target }) => {
    readFile(target.files[0]);
    // The same one may be chosen again.
    target.value = "";
  });
  $("search").addEventListener("input", list);
  const section = document.getElementById("model");
  for (const event of ["dragover", "drop"]) {
    section.addEventListener(event, (dragged) => {
      if (![...dragged.dataTransfer.types].includes("Files")) return;
      dragged.preventDefault();
      if (event === "drop") readFile(dragged.dataTransfer.files[0]);
    });
  }
  $("rows").addEventListener("click", ({ target }) => {
    if (!target.dataset.index) return;
    const tensor = tensors[target.dataset.index];
    const [start, end] = sampleOf(tensor);
    const whole = end - start === Number(tensor.elements);
    const drawn = whole ? `all ${count(end)} elements` : `elements ${count(start)}..${count(end)} of ${count(tensor.elements)}`;
    say(`Drawn above: ${drawn} of ${tensor.name}.`);
    draw({
      scheme: tensor.draw.scheme,
      compare: "",
      shape: tensor.shape.join("x"),
      layout: "out_in",
      dtype: tensor.draw.dtype ?? tensor.dtype?.toLowerCase() ?? "f32",
      name: tensor.draw.stream,
      range: whole ? "" : `${start}..${end}`,
    });
  });
}
