// The form, its link and its messages, and how the page looks and answers.

import { spawnSync } from "node:child_process";
import { test } from "node:test";
import assert from "node:assert/strict";
import { SIZES, answered, byProgram, fanin, go, opened, page, picture, program } from "./browser.mjs";

test("the list of schemes is the library's", async () => {
  const { stderr } = spawnSync(program, ["fill", "no_such", "4x4"], { encoding: "utf8" });
  const [, all] = /allowed: ([a-z_, ]+)/.exec(stderr);
  const listed = await page.evaluate(() => [...document.querySelectorAll("#schemes option")].map(({ value }) => value));
  assert.deepEqual(listed.toSorted(), all.split(", ").toSorted());
});

test("of a part, theory speaks where each element has the whole's law", async () => {
  for (const [scheme, shape, range, known] of [
    ["arange", "1000", "0..10", false], ["arange", "1000", "", true], ["orthogonal", "64x64", "5..500", true],
    ["delta_orthogonal", "9x9x3", "5..50", false], ["sparse:sparsity=0.5", "64x64", "5..500", true], ["identity", "9x9", "0..9", false],
  ]) {
    await go(`?scheme=${scheme}&shape=${shape}&range=${range}`);
    assert.equal((await page.locator("#numbers").innerText()).includes("in theory"), known, `${scheme} ${range}`);
  }
});

test("of two requests the last is answered", async () => {
  await go("?shape=64x64");
  await answered(() => page.evaluate(() => {
    const form = document.getElementById("form");
    for (const [scheme, shape] of [["orthogonal", "900x900"], ["sparse:sparsity=0.5", "70x70"]]) {
      form.elements.scheme.value = scheme;
      form.elements.shape.value = shape;
      form.dispatchEvent(new Event("submit", { cancelable: true }));
    }
  }));
  const expected = byProgram("cpu", { shape: "70x70" }, "sparse:sparsity=0.5");
  await page.waitForTimeout(2000);
  assert.ok((await page.locator("#numbers").innerText()).includes(expected));
  assert.equal(await page.locator("#form button").isEnabled(), true);
});

test("a link gives the same picture, and what it shows is what was drawn", async () => {
  const query = "scheme=he_normal&compare=glorot_normal&shape=512x512&layout=in_out&dtype=bf16&seed=5&name=w";
  await go(`?${query}`);
  const text = await page.locator("main").innerText();
  const fields = { shape: "512x512", dtype: "bf16", seed: "5" };
  const of = (scheme) => byProgram("cpu", fields, scheme, "--layout", "in_out", "--name", "w");
  assert.ok(text.includes(of("he_normal")) && text.includes(of("glorot_normal")), text);
  assert.match(text, /0 standard errors off|\d standard errors off/);
  const copy = (await page.url()).split("?")[1];
  assert.deepEqual(Object.fromEntries(new URLSearchParams(copy)), Object.fromEntries(new URLSearchParams(query)));
  // The command that the page shows gives the digest that it shows.
  const command = await page.locator("td", { hasText: "fanin fill" }).first().innerText();
  assert.equal(fanin(...command.split(" ").slice(1)).trim(), of("he_normal"));
});

test("wrong input is named", async () => {
  for (const [query, says] of [
    ["scheme=he_norml", "he_norml"],
    ["scheme=he_normal&shape=12", "fan_in"],
    ["shape=4x-1", "4x-1"],
    ["shape=99999x99999", "allowed on this adapter"],
    ["seed=-1", "the seed is"],
    ["range=5..3", "START..END"],
    ["scheme=normal:std=-1", "std is -1"],
    ["scheme=uniform:low=1,high=1", "low < high"],
    ["scheme=he_normal:nonlinearity=nonsense", "nonsense"],
    ["scheme=constant:value=1e9&dtype=f16", "65504"],
    ["scheme=normal:sigma=1", "sigma"],
    ["scheme=constructor", "the scheme is"],
    ["scheme=orthogonal&shape=64", "fewer than two"],
    ["scheme=orthogonal&shape=70000x8", "large=true"],
    ["scheme=sparse:sparsity=2&shape=8x8", "sparsity is 2"],
    ["scheme=dirac:groups=3&shape=8x8x3", "groups is 3"],
    ["scheme=orthogonal&shape=20000x20000", "allowed of orthogonal:gain=1,rows=20000,columns=20000 on this page: 67108864"],
    ["scheme=normal:std=0x10", "0x10"],
    ["scheme=normal:std=1,", "a parameter"],
    ["scheme=truncated_normal:sigmas=2,low=0", "not both"],
    ["scheme=he_normal:gain=-1", "gain is -1"],
  ]) {
    await go(`?${query}`);
    const status = await page.locator("#status").innerText();
    assert.ok(status.includes(says), `${query}: ${status}`);
    assert.equal(await page.locator("#results").isVisible(), false);
  }
});

test("the section of layers says what is wrong with it", async () => {
  const view = await opened("?shape=64x64");
  for (const [field, text, said] of [["depth", "0", "the depth is"], ["depth", "5", "the width is"], ["width", "32", "the seed is"]]) {
    await view.locator("#probe-width").fill(field === "width" ? text : "x");
    if (field === "depth") await view.locator("#probe-depth").fill(text);
    await view.locator('[name="seed"]').fill("-1");
    await view.locator("#probe-button").click();
    await view.waitForFunction((said) => document.querySelector("#probe-status").textContent.startsWith(said), said);
  }
  await view.close();
});

test("a browser without WebGPU is told so", async () => {
  const prepare = (view) => view.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { value: undefined }));
  const view = await opened("", { state: "wrong", prepare });
  assert.match(await view.locator("#status").innerText(), /no WebGPU/);
  await view.close();
});

test("it can be driven with the keyboard", async () => {
  await go("?shape=64x64");
  await page.locator("input[name=seed]").focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("12");
  await answered(() => page.keyboard.press("Enter"));
  const expected = byProgram("cpu", { shape: "64x64", seed: "12" }, "he_normal");
  assert.ok((await page.locator("main").innerText()).includes(expected));
});

test("16 million normals and their histogram leave the page responsive", { timeout: 120_000 }, async () => {
  // The longest time between two turns of the event loop.
  await page.addInitScript(() => {
    let last = performance.now();
    window.longest = 0;
    setInterval(() => {
      const now = performance.now();
      window.longest = Math.max(window.longest, now - last);
      last = now;
    }, 10);
  });
  const started = Date.now();
  await go("?scheme=normal&shape=4096x4096");
  const seconds = (Date.now() - started) / 1000;
  const longest = await page.evaluate(() => window.longest);
  // Measured, not asserted: machines differ.
  console.log(`16,777,216 normals: ${seconds.toFixed(2)} s, the longest pause ${longest.toFixed(0)} ms`);
});

test("pictures, wide and narrow, light and dark", { timeout: 900_000 }, async () => {
  const queries = [
    "scheme=he_normal&compare=glorot_normal&shape=2048x512",
    "scheme=orthogonal&compare=sparse:sparsity=0.2,std=0.1&shape=64x256",
  ];
  for (const [i, { width, height, colorScheme }] of SIZES.entries()) {
    const view = await opened(`?${queries[i]}`, { viewport: { width, height }, colorScheme });
    await view.locator("#probe-width").fill("96");
    await view.locator("#probe-button").click();
    await view.waitForFunction(() => document.body.dataset.probe === "done");
    await picture(view, "page", { width, colorScheme });
    await view.close();
  }
});
