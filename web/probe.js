// Layers drawn by a scheme, a batch on its way through them and a gradient back, as src/probe has it, with its kernels of
// shaders/probe.wgsl.

// As the kernels number them.
export const ACTIVATIONS = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softsign"];
const LEAKY = 0.01;
const BINS = 24;
const TILE = 64;

const KERNELS = {
  forward: { entry: "forward", bindings: [0, 3, 4, 5, 6] },
  backward: { entry: "backward", bindings: [0, 3, 4, 6] },
  multiply: { entry: "multiply", constants: { transposed: 0 }, bindings: [0, 1, 2, 3] },
  transposed: { entry: "multiply", constants: { transposed: 1 }, bindings: [0, 1, 2, 3] },
};

// By the device, which compiles them once.
const compiled = new WeakMap();

function pipelinesOf(gpu) {
  if (!compiled.has(gpu)) compiled.set(gpu, compile(gpu));
  return compiled.get(gpu);
}

async function compile(gpu) {
  const code = `const BINS = ${BINS}u;\n${await gpu.file("probe")}`;
  const module = gpu.device.createShaderModule({ label: "probe", code });
  const made = Object.entries(KERNELS).map(async ([name, { entry, constants, bindings }]) => {
    const compute = { module, entryPoint: entry, constants };
    return [name, { pipeline: await gpu.device.createComputePipelineAsync({ layout: "auto", compute }), bindings }];
  });
  return Object.fromEntries(await Promise.all(made));
}

const WEIGHT = (layer) => `layer.${layer}.weight`;

// What a scheme draws into square layers: its distribution, and a layer's weights, unless the GPU's kernels draw them; and the distribution of
// inputs and gradients, with the streams of all.
export async function weightsOf(library, { scheme, width, depth, seed }) {
  const asked = { shape: [width, width], layout: "out_in", dtype: "f32", seed, start: 0, end: width * width };
  const drawn = (layer) => library.resolved({ ...asked, name: WEIGHT(layer) }, scheme);
  const { distribution, bytes } = await drawn(0);
  const { distribution: unit } = await library.resolved({ ...asked, name: "input" }, "normal");
  const names = ["input", "gradient", ...Array.from({ length: depth }, (_, layer) => WEIGHT(layer))];
  const streams = new Map((await library.streams(seed, names)).map((stream, i) => [names[i], stream]));
  return { distribution, unit, streams, bytesOf: bytes && (async (layer) => (layer === 0 ? bytes : (await drawn(layer)).bytes)) };
}

// The standard deviations of each layer's pre-activations, and of gradients relative to the last layer's. Weights are drawn where they
// are multiplied, if the GPU draws them; a few numbers of each unit come back.
export async function probe(gpu, { weights, activation, depth, width, batch }) {
  const { distribution, unit, streams, bytesOf } = weights;
  const kernels = await pipelinesOf(gpu);
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const used = [];
  const buffer = (size, usage) => {
    used.push(gpu.device.createBuffer({ size: Math.max(16, size), usage }));
    return used.at(-1);
  };
  try {
    const buffers = await gpu.checked(() => ({
      uniform: buffer(32, UNIFORM | COPY_DST),
      weight: buffer(4 * width * width, STORAGE | COPY_DST),
      last: buffer(4 * width * batch, STORAGE),
      next: buffer(4 * width * batch, STORAGE),
      bias: buffer(4 * width, STORAGE),
      measured: buffer(36 * width, STORAGE | COPY_SRC),
      back: buffer(36 * width, MAP_READ | COPY_DST),
      pre: Array.from({ length: depth }, () => buffer(4 * width * batch, STORAGE)),
    }));
    const fill = async (distribution, name, elements, to) =>
      gpu.timed(await gpu.dispatches(distribution, streams.get(name), "f32", 0, elements, to, buffer));
    const fillLayer = async (layer) => {
      if (!bytesOf) return fill(distribution, WEIGHT(layer), width * width, buffers.weight);
      const bytes = await bytesOf(layer);
      return gpu.checked(() => gpu.device.queue.writeBuffer(buffers.weight, 0, bytes));
    };
    const swap = () => ([buffers.last, buffers.next] = [buffers.next, buffers.last]);
    const run = async (scale, steps) => {
      const params = new DataView(new ArrayBuffer(32));
      params.setUint32(0, width, true);
      params.setUint32(4, batch, true);
      params.setFloat32(8, scale, true);
      params.setFloat32(12, LEAKY, true);
      params.setUint32(24, ACTIVATIONS.indexOf(activation), true);
      gpu.device.queue.writeBuffer(buffers.uniform, 0, params);
      await gpu.checked(() => {
        const encoder = gpu.device.createCommandEncoder();
        for (const [kernel, layer, x, y] of steps) {
          const { pipeline, bindings } = kernels[kernel];
          const { uniform, weight, last, next, bias, measured } = buffers;
          const all = [uniform, weight, last, next, buffers.pre[layer], bias, measured];
          const entries = bindings.map((binding) => ({ binding, resource: { buffer: all[binding] } }));
          const pass = encoder.beginComputePass();
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
          pass.dispatchWorkgroups(x, y);
          pass.end();
        }
        gpu.device.queue.submit([encoder.finish()]);
      });
    };
    // The deviation over all units, from each one's mean, deviation and count of what f32 does not hold.
    const measure = async (stride, lost) => {
      const bytes = new Uint8Array(36 * width);
      await gpu.read(buffers.measured, buffers.back, bytes);
      const floats = new Float32Array(bytes.buffer);
      const units = Array.from({ length: width }, (_, i) => floats.subarray(i * stride, (i + 1) * stride));
      if (units.some((unit) => unit[lost] > 0)) return NaN;
      const mean = units.reduce((sum, unit) => sum + unit[0], 0) / width;
      return Math.sqrt(units.reduce((sum, unit) => sum + unit[1] ** 2 + (unit[0] - mean) ** 2, 0) / width);
    };
    const tiles = [Math.ceil(batch / TILE), Math.ceil(width / TILE)];
    const layers = [];
    await fill(unit, "input", width * batch, buffers.next);
    for (let layer = 0; layer < depth; layer++) {
      swap();
      await fillLayer(layer);
      await run(1, [["multiply", layer, ...tiles], ["forward", layer, width, 1]]);
      layers.push({ preStd: await measure(9, 8) });
    }
    await fill(unit, "gradient", width * batch, buffers.next);
    await run(1, [["backward", depth - 1, width, 1]]);
    const top = await measure(3, 2);
    let [last, scaled] = [top, 0];
    const relative = () => (last === 0 ? 0 : (last / top) * 2 ** -scaled);
    layers[depth - 1].gradientStd = relative();
    for (let layer = depth - 2; layer >= 0; layer--) {
      if (last > 0 && Number.isFinite(last)) {
        const shift = -Math.max(-126, Math.min(126, Math.round(Math.log2(last))));
        swap();
        await fillLayer(layer + 1);
        await run(2 ** shift, [["transposed", layer, ...tiles], ["backward", layer, width, 1]]);
        scaled += shift;
        last = await measure(3, 2);
      }
      layers[layer].gradientStd = relative();
    }
    return layers;
  } finally {
    used.forEach((buffer) => buffer.destroy());
  }
}
