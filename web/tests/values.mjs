// The values that the page draws are the program's, of every distribution and dtype; so are its densities, and what its layers measure.

import { test } from "node:test";
import assert from "node:assert/strict";
import { byProgram, devices, fanin, page } from "./browser.mjs";

const SCHEMES = {
  constant: "constant:value=0.1",
  uniform: "uniform:low=-0.3,high=0.7",
  normal: "normal:mean=0.1,std=0.02",
  truncated: "truncated_normal:std=0.02",
  tail: "truncated_normal:low=5,high=inf",
};

// The digest that the page's own code gives.
const onPage = (fields, scheme) =>
  page.evaluate(
    async ([fields, scheme]) => (await (await import("/web/page.js")).draw(fields, scheme)).sha256,
    [{ layout: "out_in", name: "weight", range: "", ...fields }, scheme],
  );

test("digests are the CPU's and every adapter's, for every distribution and dtype", { timeout: 600_000 }, async () => {
  const all = Boolean(process.env.FANIN_TEST_ALL);
  const adapters = devices().map(({ device }) => device);
  assert.notEqual(adapters.length, 0, "no adapter: run tests/run, or apt-get install mesa-vulkan-drivers");
  for (const dtype of ["f32", "f16", "bf16"]) {
    for (const [kind, scheme] of Object.entries(SCHEMES)) {
      for (const [shape, seed, range] of [
        ["1", "0", ""],
        ["1000", "18446744073709551615", ""],
        ["5000", "0", "3..4322"],
        ["5000", "7", "1026..4999"],
        // A large one of each kernel in one dtype: all that another dtype changes is in small ones, too.
        [dtype === "f32" || all ? "2048x2048" : "256x256", "42", ""],
      ]) {
        const fields = { shape, dtype, seed, range };
        const expected = byProgram("cpu", fields, scheme);
        assert.equal(await onPage(fields, scheme), expected, `${kind} ${dtype} ${shape} ${range}`);
        // Each run of the program tests its adapter first. tests/adapters/same_bits.rs holds adapters to the CPU in all distributions,
        // dtypes and sizes; here one is, and all are with FANIN_TEST_ALL=1.
        if (!all && !(kind === "normal" && dtype === "f32" && shape === "2048x2048")) continue;
        for (const adapter of adapters) assert.equal(byProgram(adapter, fields, scheme), expected, `${kind} on ${adapter}`);
      }
    }
  }
});

test("what the page's kernels do not draw, the library draws, by whatever name", { timeout: 300_000 }, async () => {
  for (const [scheme, shape, layout] of [
    ["orthogonal", "96x200", "out_in"], ["orthogonal:gain=0.5", "3x3x40x24", "in_out"], ["delta_orthogonal", "48x40x3x3", "out_in"],
    ["identity:gain=2", "40x60", "in_out"], ["eye", "9x9", "out_in"], ["dirac:groups=2", "8x4x3x3", "out_in"],
    ["sparse:sparsity=0.25,std=0.1", "50x70", "out_in"], ["arange", "1000", "out_in"], ["linspace:start=1,end=2,axis=0", "40x30", "out_in"],
    ["inverse_frequencies", "64", "out_in"], ["log_uniform:low=1e-3,high=0.1", "40x30", "out_in"],
    ["sinusoids", "40x30", "out_in"], ["log_of_uniform:low=1,high=16", "40x30", "out_in"],
    ["inverse_softplus:low=1e-3,high=0.1,floor=1e-4", "300", "out_in"],
    // Resolved by the library, drawn by the GPU.
    ["kaiming_uniform", "300x20", "out_in"], ["he_normal:nonlinearity=tanh", "300x20", "out_in"], ["xavier_normal", "300x20", "in_out"], ["uniform_unit_scaling", "300x20", "out_in"],
  ]) {
    for (const [dtype, range] of [["f32", ""], ["f16", "5..64"], ["bf16", ""]]) {
      const fields = { shape, layout, dtype, seed: "18446744073709551615", range };
      const expected = byProgram("cpu", fields, scheme, "--layout", layout);
      assert.equal(await onPage(fields, scheme), expected, `${scheme} ${shape} ${layout} ${dtype} ${range}`);
    }
  }
});

test("a tensor is drawn in pieces as in one", async () => {
  for (const [dtype, range] of [["f32", "5..9000001"], ["bf16", "1027..19000000"]]) {
    const fields = { shape: "5000x5000", dtype, seed: "9", range };
    assert.equal(await onPage(fields, "normal"), byProgram("cpu", fields, "normal"), `${dtype} ${range}`);
  }
});

test("densities of what the library draws are those of what it draws", async () => {
  // Of 120 equal bins, how far counts are from what the density says, in standard errors.
  const worst = (fields, scheme) =>
    page.evaluate(
      async ([fields, scheme]) => {
        const [{ draw }, { densityOf }, { reader }] = await Promise.all(["page", "density", "values"].map((name) => import(`/web/${name}.js`)));
        const { bytes, dtype, distribution } = await draw(fields, scheme);
        const [values, density] = [reader(bytes, dtype), densityOf(distribution)];
        const all = Array.from({ length: values.length }, (_, i) => values.value(i));
        const [low, high] = [Math.min(...all), Math.max(...all)];
        const bins = 120;
        const counts = new Uint32Array(bins);
        for (const x of all) if (x !== 0) counts[Math.min(bins - 1, Math.floor(((x - low) / (high - low)) * bins))]++;
        const step = (high - low) / bins;
        // Simpson's rule in each bin.
        const mass = (i) => [[0, 1], [0.25, 4], [0.5, 2], [0.75, 4], [1, 1]].reduce((sum, [at, weight]) => sum + (weight / 12) * density(low + (i + at) * step), 0) * step;
        return Math.max(...Array.from(counts, (count, i) => {
          const expected = mass(i) * all.length;
          return Math.abs(count - expected) / Math.sqrt(Math.max(expected, 25));
        }));
      },
      [{ layout: "out_in", dtype: "f32", seed: "1", name: "w", range: "", ...fields }, scheme],
    );
  // 120 bins of eleven densities: beyond 5 in one of 1,000 seeds.
  for (const [scheme, shape] of [
    ["uniform:low=-1,high=3", "300x300"], ["normal:mean=2,std=0.5", "300x300"], ["truncated_normal:mean=1,std=2,sigmas=1", "300x300"],
    ["truncated_normal:low=5", "300x300"], ["orthogonal", "300x300"], ["orthogonal:gain=3", "2000x8"], ["delta_orthogonal", "64x64x3"], ["sparse:sparsity=0.3,std=2", "300x300"],
    ["log_uniform:low=0.01,high=1", "100000"], ["log_of_uniform:low=1,high=16", "100000"],
    ["inverse_softplus:low=0.001,high=0.1,floor=0.0001", "100000"],
  ]) {
    const sigmas = await worst({ shape }, scheme);
    assert.ok(sigmas < 5, `${scheme}: ${sigmas}`);
  }
});

test("layers measure what the program's do, and theory expects what its does", { timeout: 900_000 }, async () => {
  for (const [scheme, activation] of [
    ["standard", "tanh"], ["he_normal", "relu"], ["lecun_normal", "selu"], ["normal:std=0.2", "gelu"], ["zeros", "relu"],
    ["normal:std=0.1", "sigmoid"], ["he_uniform", "elu"], ["glorot_normal", "silu"], ["normal:std=0.3", "softsign"],
    ["he_normal", "leaky_relu"], ["normal:std=1e-9", "linear"], ["orthogonal", "tanh"], ["kaiming_normal", "relu"],
  ]) {
    const [depth, width, batch] = [4, 70, 64];
    const [measured, theory] = await page.evaluate(
      async (asked) => {
        const [{ probe, weightsOf }, { device }] = [await import("/web/probe.js"), await import("/web/device.js")];
        const { Library } = await import("/web/library.js");
        const library = new Library();
        const layers = { ...asked, seed: 3n, weights: await weightsOf(library, { ...asked, seed: 3n }) };
        return [await probe(await device(), layers), await library.theory(asked)];
      },
      { scheme, activation, depth, width, batch },
    );
    const given = ["--activation", activation, "--depth", depth, "--width", width, "--batch", batch, "--seed", "3"].map(String);
    const { layers } = JSON.parse(fanin("probe", scheme, ...given, "--device", "cpu", "--json"));
    const near = (a, b, what) => assert.ok(Math.abs(a - b) <= 1e-3 * Math.abs(b), `${scheme} ${activation} ${what}: ${a}, ${b}`);
    layers.forEach((layer, i) => {
      near(measured[i].preStd, layer.pre_std, `layer ${i}`);
      near(measured[i].gradientStd, layer.gradient_std, `gradient ${i}`);
      near(theory[i].preStd, layer.expected_pre_std, `theory ${i}`);
      near(theory[i].gradientStd, layer.expected_gradient_std, `theory of the gradient ${i}`);
    });
  }
});
