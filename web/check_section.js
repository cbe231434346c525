// The page's section that checks this GPU.

import { check, knownAnswers, reportLine } from "./check.js";
import { device } from "./device.js";

const $ = (id) => document.getElementById(`check-${id}`);
const count = (n) => n.toLocaleString("en");

function clear() {
  delete document.body.dataset.state;
  $("status").textContent = $("wrong").textContent = "";
  $("status").classList.remove("right");
  $("copy").textContent = "Copy";
  $("differing").hidden = $("report").hidden = true;
  $("progress").hidden = false;
  $("progress").removeAttribute("value");
  $("button").disabled = true;
}

// Draws all known answers and shows what came of it.
export async function showCheck() {
  clear();
  try {
    const gpu = await device();
    const answers = await knownAnswers();
    $("progress").max = answers.checks.length;
    const started = performance.now();
    const outcome = await check(gpu, answers, (before, { name }) => {
      $("progress").value = before;
      $("status").textContent = `${before + 1} of ${answers.checks.length}: ${name}`;
    });
    show(outcome, (performance.now() - started) / 1000);
    $("line").textContent = reportLine(answers.contract, gpu.name, navigator.userAgent, outcome);
    $("report").hidden = false;
    document.body.dataset.state = outcome.agrees ? "done" : "wrong";
  } catch (error) {
    $("status").textContent = "";
    $("wrong").textContent = `The check stopped: ${error.message}`;
    document.body.dataset.state = "wrong";
  } finally {
    $("progress").hidden = true;
    $("button").disabled = false;
  }
}

function show({ results, agrees }, seconds) {
  const values = results.reduce((sum, { start, end }) => sum + end - start, 0);
  const all = `${results.length} checks, ${count(values)} values`;
  $("status").textContent = agrees ? `agrees: ${all}, in ${seconds.toFixed(1)} s` : "";
  $("status").classList.toggle("right", agrees);
  if (agrees) return;
  const differing = results.filter((one) => !one.agrees);
  $("wrong").textContent = `DIFFERS: ${differing.length} of ${all}. This GPU, its driver or the browser draws other bits.`;
  $("differing").tBodies[0].replaceChildren(
    ...differing.map(({ name, drawn, sha256 }) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      for (const text of [drawn, sha256]) row.insertCell().textContent = text;
      return row;
    }),
  );
  $("differing").hidden = false;
}

$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("line").textContent);
    $("copy").textContent = "Copied";
  } catch {
    // Not allowed: it is at least selected, for the keyboard's own copy.
    getSelection().selectAllChildren($("line"));
  }
});
