// Draws on the GPU with the kernels of shaders/, as they are: the browser's side of src/gpu.

import { DTYPES, SIZES } from "./sampler.js";

const TILE = 1024;
const WORKGROUP = 64;
const PER_WORKGROUP = 2048;

// The order of `Numbers` in shaders/params.wgsl; `word` is an integer.
const NUMBERS = [
  "location", "offset", "scale", "coarse", "fine", "first", "last", "unit", "limit", "tiny", "word", "low", "high",
  "mass_per_step", "beyond", "slope", "curve", "peak",
];

const OWN = {
  constant: ["constant", "blocks"],
  uniform: ["uniform", "blocks"],
  normal: ["normal", "blocks"],
  by_normal: ["by_normal", "truncated_normal"],
  by_exponential: ["by_exponential", "truncated_normal"],
};

export class Gpu {
  static async open(shaders = "../shaders/") {
    if (!navigator.gpu) {
      throw new Error(
        "this browser has no WebGPU (or this page is neither on https nor on localhost). Chrome and Edge 113, Safari 26 and " +
          "Firefox 141 have it on most systems; on Linux, chrome://flags/#enable-unsafe-webgpu turns it on",
      );
    }
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) throw new Error("WebGPU is here, but finds no adapter on this machine");
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    return new Gpu(adapter, device, shaders);
  }

  constructor(adapter, device, shaders) {
    this.device = device;
    this.shaders = shaders;
    this.files = new Map();
    this.pipelines = new Map();
    const { vendor, architecture, device: model, description } = adapter.info ?? {};
    this.name = [description, vendor, architecture, model].filter(Boolean).join(", ") || "an adapter without a name";
    this.layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } },
        { binding: 1, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } },
      ],
    });
  }

  // The most elements that can be drawn at once.
  most(dtype) {
    const { maxStorageBufferBindingSize, maxBufferSize, maxComputeWorkgroupsPerDimension } = this.device.limits;
    const bytes = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    return Math.min(Math.floor(bytes / SIZES[dtype]) - 4, maxComputeWorkgroupsPerDimension * PER_WORKGROUP, 2 ** 30);
  }

  async file(name) {
    if (!this.files.has(name)) {
      const response = await fetch(`${this.shaders}${name}.wgsl`);
      if (!response.ok) throw new Error(`${this.shaders}${name}.wgsl: ${response.status}`);
      this.files.set(name, await response.text());
    }
    return this.files.get(name);
  }

  async pipeline(kernel, dtype, writes) {
    const key = `${kernel} ${dtype} ${writes}`;
    if (!this.pipelines.has(key)) {
      const write = writes === "words" ? "write_words" : `write_blocks_${SIZES[dtype] * 8}`;
      const parts = ["params", "mul_wide", "philox", "math", "rounding", write, "tile", ...OWN[kernel]];
      const code = (await Promise.all(parts.map((part) => this.file(part)))).join("\n");
      this.pipelines.set(
        key,
        await this.device.createComputePipelineAsync({
          label: key,
          layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.layout] }),
          compute: {
            module: this.device.createShaderModule({ label: key, code }),
            entryPoint: "main",
            constants: { dtype: DTYPES[dtype] },
          },
        }),
      );
    }
    return this.pipelines.get(key);
  }

  // Draws elements start..end of a tensor; gives their bytes, and the seconds that the GPU took.
  async draw({ kernel, numbers }, stream, dtype, start, end) {
    const size = SIZES[dtype];
    const bytes = (end - start) * size;
    if (end - start > this.most(dtype)) {
      throw new Error(`${end - start} elements are wanted, allowed on this adapter: ${this.most(dtype)}`);
    }
    const usage = GPUBufferUsage;
    const room = Math.max(16, Math.ceil(bytes / 16) * 16);
    const buffer = this.device.createBuffer({ size: room, usage: usage.STORAGE | usage.COPY_SRC });
    const back = this.device.createBuffer({ size: room, usage: usage.MAP_READ | usage.COPY_DST });
    const used = [buffer, back];
    try {
      const dispatches = [];
      for (const window of windowsOf(start, end, dtype)) {
        const params = this.device.createBuffer({ size: 144, usage: usage.UNIFORM | usage.COPY_DST });
        used.push(params);
        this.device.queue.writeBuffer(params, 0, paramsOf(window, numbers, stream));
        const entries = [params, buffer].map((buffer, binding) => ({ binding, resource: { buffer } }));
        const pipeline = await this.pipeline(kernel, dtype, window.writes);
        dispatches.push([pipeline, this.device.createBindGroup({ layout: this.layout, entries }), window.workgroups]);
      }
      await this.device.queue.onSubmittedWorkDone();
      const started = performance.now();
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const [pipeline, bindings, workgroups] of dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(workgroups);
      }
      pass.end();
      this.device.queue.submit([encoder.finish()]);
      await this.device.queue.onSubmittedWorkDone();
      const seconds = (performance.now() - started) / 1000;
      const copy = this.device.createCommandEncoder();
      copy.copyBufferToBuffer(buffer, 0, back, 0, room);
      this.device.queue.submit([copy.finish()]);
      await back.mapAsync(GPUMapMode.READ);
      return { bytes: back.getMappedRange().slice(0, bytes), seconds };
    } finally {
      used.forEach((buffer) => buffer.destroy());
    }
  }
}

// The dispatches that write elements start..end from the buffer's first byte on, as src/gpu/windows.rs has it.
function windowsOf(start, end, dtype) {
  const windows = [];
  for (let from = start; from < end; ) {
    const first = Math.floor(from / TILE) * TILE;
    const shift = from - start - (from - first);
    const inner = Math.ceil(from / TILE) * TILE;
    const innerEnd = inner + Math.floor(Math.max(end - inner, 0) / PER_WORKGROUP) * PER_WORKGROUP;
    let [to, writes] = [innerEnd, "blocks"];
    if (shift % 4 !== 0 || inner === innerEnd) [to, writes] = [end, "words"];
    else if (from < inner) [to, writes] = [inner, "words"];
    const rest = (to - first) % TILE;
    const groups = Math.floor((to - first) / TILE) * 32 + Math.min(Math.ceil(rest / 4), 32);
    // Neighbouring blocks of 16-bit elements that share a word are drawn one after the other.
    const stride = dtype !== "f32" && shift % 2 !== 0 ? 2 : 1;
    for (let phase = 0; phase < stride && phase < groups; phase++) {
      const workgroups = Math.ceil(Math.ceil((groups - phase) / stride) / WORKGROUP);
      windows.push({ first, from, to, shift, stride, phase, writes, workgroups });
    }
    from = to;
  }
  return windows;
}

function paramsOf({ first, from, to, shift, stride, phase }, numbers, { key, nonce }) {
  const halves = (n) => [n >>> 0, Math.floor(n / 2 ** 32)];
  const bytes = new ArrayBuffer(144);
  const [integers, floats] = [new Uint32Array(bytes), new Float32Array(bytes)];
  integers.set([...key, nonce, 0, ...halves(first / 4), ...halves(first / 32), from - first, to - first, shift, stride, phase]);
  NUMBERS.forEach((name, i) => {
    if (name === "word") integers[16 + i] = numbers.word ?? 0;
    else floats[16 + i] = numbers[name] ?? 0;
  });
  return bytes;
}
