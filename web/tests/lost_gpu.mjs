// A GPU that is lost, for a moment or for good, or has no memory.

import { test } from "node:test";
import assert from "node:assert/strict";
import { byProgram, opened } from "./browser.mjs";

test("a lost GPU is opened again", async () => {
  const fields = { shape: "300x500", dtype: "f32", seed: "3" };
  const view = await opened("?shape=64x64");
  const [before, during, after] = await view.evaluate(
    async (fields) => {
      const [{ draw }, { device }] = [await import("/web/page.js"), await import("/web/device.js")];
      const once = async () => (await draw(fields, "he_normal")).sha256;
      const before = await once();
      const gpu = await device();
      // While it draws: an error, not what was left of the picture.
      const dispatches = gpu.dispatches.bind(gpu);
      gpu.dispatches = async (...given) => {
        const made = await dispatches(...given);
        gpu.device.destroy();
        return made;
      };
      const during = await draw({ ...fields, shape: "4096x4096" }, "he_normal").then(() => "drawn", (error) => error.message);
      return [before, during, await once()];
    },
    { layout: "out_in", name: "weight", range: "", ...fields },
  );
  const expected = byProgram("cpu", fields, "he_normal");
  assert.deepEqual([before, after], [expected, expected]);
  assert.match(during, /the GPU was lost/);
  await view.locator("#form button").click();
  await view.waitForFunction(() => document.querySelector("#status").textContent.startsWith("Drawn by"));
  await view.close();
});

test("a GPU that stays lost is named", async () => {
  const view = await opened("?shape=64x64");
  await view.evaluate(async () => {
    const { device } = await import("/web/device.js");
    const gpu = await device();
    gpu.device.destroy();
    await gpu.device.lost;
    GPU.prototype.requestAdapter = async () => null;
    delete document.body.dataset.state;
  });
  await view.locator("#form button").click();
  await view.waitForFunction(() => document.body.dataset.state === "wrong");
  assert.match(await view.locator("#status").innerText(), /the GPU was lost .* does not open again/);
  await view.close();
});

test("a GPU without memory is an error, not a picture", async () => {
  const prepare = (view) => view.addInitScript(() => {
    // Far more than any GPU has, which every browser refuses.
    const create = GPUDevice.prototype.createBuffer;
    GPUDevice.prototype.createBuffer = function (descriptor) {
      return create.call(this, descriptor.usage & GPUBufferUsage.STORAGE ? { ...descriptor, size: 2 ** 50 } : descriptor);
    };
  });
  const view = await opened("?shape=64x64", { state: null, prepare });
  assert.match(await view.locator("#status").innerText(), /too little memory|refuses the work/);
  assert.equal(await view.locator("#results").isVisible(), false);
  await view.close();
});
