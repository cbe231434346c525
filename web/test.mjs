// The page in a real browser: every distribution in every dtype against the program's digests on every device, scheme
// arithmetic, tables of models, messages, the check of the GPU, a lost GPU, screenshots. `node web/test.mjs`, with the program in
// target/release, web/library.wasm of web/build, and Debian's Chromium. One browser runs them in this order.

import "./tests/values.mjs";
import "./tests/form.mjs";
import "./tests/check.mjs";
import "./tests/lost_gpu.mjs";
import "./tests/model.mjs";
import { test } from "node:test";
import assert from "node:assert/strict";
import { errors } from "./tests/browser.mjs";

test("the console stays quiet", () => {
  assert.deepEqual(errors, []);
});
