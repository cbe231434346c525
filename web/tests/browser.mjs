// What the page's tests share: one server, one browser, one page, and the program.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { after, before } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const program = join(target, "release", "fanin");

// Of adapters the program has Mesa's on Vulkan here: SwiftShader takes it a minute, and is what the page draws by, and the program's own
// tests compare all. All with FANIN_TEST_ALL=1.
const env = { ...process.env };
if (!env.FANIN_TEST_ALL) {
  delete env.VK_ADD_DRIVER_FILES;
  env.__EGL_VENDOR_LIBRARY_FILENAMES = "/nowhere.json";
}
export const fanin = (...given) => execFileSync(program, given, { encoding: "utf8", env, stdio: ["ignore", "pipe", "ignore"] });

// What the program says of this machine's adapters, each of which it tests for it.
let said;
export const devices = () => (said ??= JSON.parse(fanin("devices", "--json")));

// The digest that the program gives.
export const byProgram = (device, { shape, dtype, seed, range }, scheme, ...more) =>
  fanin(
    "fill", scheme, shape, "--digest", "--device", device, ...more,
    ...Object.entries({ dtype, seed, range }).flatMap(([option, value]) => (value ? [`--${option}`, value] : [])),
  ).trim();

export let browser, page, folder;
let server, origin;
// What the console of any page says.
export const errors = [];

before(async () => {
  assert.ok(existsSync(join(root, "web", "library.wasm")), "web/library.wasm is not there: run web/build");
  folder = mkdtempSync(join(tmpdir(), "fanin-page-"));
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wgsl": "text/plain", ".json": "application/json" };
  server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname).replace(/\/$/, "/index.html");
    try {
      const body = readFileSync(join(root, path));
      response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  origin = `http://localhost:${server.address().port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
  });
  page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await go("");
});

after(async () => {
  await browser?.close();
  server?.close();
  if (folder) rmSync(folder, { recursive: true });
});

const settled = () => page.waitForFunction(() => document.body.dataset.state, null, { timeout: 60_000 });

// Does it, and waits until the page has answered.
export async function answered(action) {
  await page.evaluate(() => delete document.body.dataset.state);
  await action();
  await settled();
}

// The page of all tests, at another address.
export async function go(query) {
  await page.goto(`${origin}/web/${query}`);
  await settled();
}

// A page of a test's own, once it has this state, or any if it is null; before it is loaded, `prepare` has it.
export async function opened(query, { state = "done", timeout = 60_000, prepare = async () => {}, ...options } = {}) {
  const view = await browser.newPage(options);
  view.on("pageerror", (error) => errors.push(error.message));
  await prepare(view);
  await view.goto(`${origin}/web/${query}`);
  const is = ([state]) => (state ? document.body.dataset.state === state : document.body.dataset.state);
  await view.waitForFunction(is, [state], { timeout });
  return view;
}

// Of windows in pictures.
export const SIZES = [
  { width: 1100, height: 900, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
];

// A picture of all of it, in which nothing is wider than the window.
export async function picture(view, name, { width, colorScheme }) {
  const pictures = join(target, "web");
  mkdirSync(pictures, { recursive: true });
  await view.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true });
  const overflow = await view.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels wider than the window of ${width}`);
}
