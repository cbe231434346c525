// The check of this GPU: it agrees, it differs, it stops.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";
import { SIZES, devices, opened, picture, root } from "./browser.mjs";

const LINE = /^fanin check: contract \d+; WebGPU; [^;]+; [^;]+; (agrees|DIFFERS); ((?:\w+ (?:f32|f16|bf16) [0-9a-f]{8}(?:, )?)+)$/;

const answers = () => JSON.parse(readFileSync(join(root, "web", "known_answers.json"), "utf8"));

// The page as it is when known_answers.json is what `change` makes of it.
async function checkPage(change = (known) => known) {
  const known = change(answers());
  const prepare = (view) => view.route("**/known_answers.json", (route) => route.fulfill({ json: known }));
  return opened("?check", { state: null, timeout: 900_000, prepare });
}

// One digest altered: the first of the last kernel's.
function alter(known) {
  const altered = known.checks.find(({ kernel }) => kernel === known.checks.at(-1).kernel);
  altered.sha256 = altered.sha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  return known;
}

// The constant's, and the one that is altered: enough for what the page shows, not for what it says of a GPU.
function fewer(known) {
  const last = known.checks.find(({ kernel }) => kernel === known.checks.at(-1).kernel);
  return { ...known, checks: known.checks.filter((one) => one.kernel === "constant" || one === last) };
}

// The check's section, wide and narrow, light and dark.
async function pictures(view, name) {
  for (const { width, height, colorScheme } of SIZES) {
    await view.setViewportSize({ width, height });
    await view.emulateMedia({ colorScheme });
    await picture(view, `check-${name}`, { width, colorScheme });
  }
}

test("the check of this GPU agrees", { timeout: 900_000 }, async () => {
  const { checks } = answers();
  const view = await checkPage();
  const values = checks.reduce((sum, { start, end }) => sum + end - start, 0).toLocaleString("en");
  assert.ok((await view.locator("#check-status").innerText()).startsWith(`agrees: ${checks.length} checks, ${values} values`));
  assert.equal(await view.locator("#check-wrong").innerText(), "");
  const [, verdict, digests] = LINE.exec(await view.locator("#check-line").innerText());
  assert.equal(verdict, "agrees");
  const groups = [...new Set(checks.map(({ kernel, dtype }) => `${kernel} ${dtype}`))];
  assert.deepEqual(digests.split(", ").map((digest) => digest.slice(0, -9)), groups);
  // The program reports the same for this machine's other adapters, and more kernels.
  const [device] = devices();
  // What has a table, which the page does not draw, comes last.
  assert.ok(device.report.split("; ").at(-1).startsWith(`${digests}, lookup f32 `), device.report);
  assert.equal(await view.evaluate(() => document.body.dataset.state), "done");
  await pictures(view, "agrees");
  await view.close();
});

// Whatever is drawn is compared in the same way: that all is drawn is the test's before.
test("the check of this GPU says what differs", { timeout: 900_000 }, async () => {
  const before = fewer(answers());
  const altered = alter(structuredClone(before)).checks.find(({ sha256 }, i) => sha256 !== before.checks[i].sha256);
  const view = await checkPage((known) => alter(fewer(known)));
  assert.equal(await view.evaluate(() => document.body.dataset.state), "wrong");
  const alert = await view.getByRole("alert").innerText();
  assert.ok(alert.startsWith(`DIFFERS: 1 of ${before.checks.length} checks, `), alert);
  const rows = await view.locator("#check-differing tbody tr").allInnerTexts();
  assert.equal(rows.length, 1);
  assert.ok(rows[0].includes(altered.name) && rows[0].includes(altered.sha256), rows[0]);
  assert.equal(LINE.exec(await view.locator("#check-line").innerText())[1], "DIFFERS");
  await pictures(view, "differs");
  await view.close();
});

test("a check that cannot be drawn is said to have stopped", async () => {
  const view = await checkPage((known) => ({ ...known, checks: [{ ...known.checks[0], kernel: "unheard_of" }] }));
  assert.match(await view.getByRole("alert").innerText(), /The check stopped: .*unheard_of/);
  assert.equal(await view.locator("#check-report").isVisible(), false);
  await view.close();
});
