// Draws on the GPU with the kernels of shaders/, as they are: the browser's side of src/gpu.

import { partsOf } from "./kernels.js";
import { asksOf } from "./numbers.js";
import { DTYPES, SIZES } from "./dtypes.js";
import { paramsBytes, paramsOf, piecesOf, windowsOf } from "./windows.js";

// What the GPU holds of a tensor at a time, twice: as drawn, and to be read.
const PIECE = 2 ** 24;

// What one ArrayBuffer holds in every browser.
const MOST_BYTES = 2 ** 31;

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
    return new Gpu(adapter, await adapter.requestDevice(), shaders);
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
    // Why the device is gone, once it is.
    this.lost = null;
    device.lost.then(({ message, reason }) => (this.lost = message || reason || "no reason given"));
  }

  // The most elements that can be drawn at once.
  most(dtype) {
    return MOST_BYTES / SIZES[dtype];
  }

  async file(name) {
    if (!this.files.has(name)) {
      const response = await fetch(`${this.shaders}${name}.wgsl`);
      if (!response.ok) throw new Error(`${this.shaders}${name}.wgsl: ${response.status}`);
      this.files.set(name, await response.text());
    }
    return this.files.get(name);
  }

  // A pipeline, which is compiled when it is first asked for, beside others.
  pipeline(kernel, asks, dtype, writes) {
    const key = `${kernel} ${asks} ${dtype} ${writes}`;
    if (!this.pipelines.has(key)) {
      const compiled = this.compile(key, partsOf(kernel, dtype, writes), { dtype: DTYPES[dtype], asks });
      this.pipelines.set(key, compiled);
      compiled.catch(() => this.pipelines.delete(key));
    }
    return this.pipelines.get(key);
  }

  async compile(label, parts, constants) {
    const code = (await Promise.all(parts.map((part) => this.file(part)))).join("\n");
    return this.device.createComputePipelineAsync({
      label,
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.layout] }),
      compute: { module: this.device.createShaderModule({ label, code }), entryPoint: "main", constants },
    });
  }

  // The pipelines that draw these elements.
  pipelinesOf({ kernel, numbers }, dtype, start, end) {
    const windows = piecesOf(start, end, dtype, PIECE).flatMap(([from, to]) => windowsOf(from, to, dtype));
    return windows.map(({ writes }) => this.pipeline(kernel, asksOf(numbers), dtype, writes));
  }

  // Does GPU work that returns at once; throws what the GPU finds wrong with it, which would otherwise pass in silence.
  async checked(work) {
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let result;
    let scopes;
    try {
      result = work();
    } finally {
      // Popped before anything else can run, so that work done meanwhile has scopes of its own.
      scopes = [this.device.popErrorScope(), this.device.popErrorScope()];
    }
    const [invalid, full] = await Promise.all(scopes);
    if (full) throw new Error(`the GPU has too little memory: ${full.message || "no reason given"}`);
    if (invalid) throw new Error(`the GPU refuses the work: ${invalid.message}`);
    return result;
  }

  // Draws elements start..end of a tensor; gives their bytes, and the seconds that the GPU took.
  async draw({ kernel, numbers }, stream, dtype, start, end) {
    if (end - start > this.most(dtype)) {
      throw new Error(`${end - start} elements are wanted, allowed on this adapter: ${this.most(dtype)}`);
    }
    const size = SIZES[dtype];
    const pieces = piecesOf(start, end, dtype, PIECE);
    const largest = Math.max(0, ...pieces.map(([from, to]) => (to - from) * size));
    const room = Math.max(16, Math.ceil(largest / 16) * 16);
    const used = [];
    try {
      const drawn = new Uint8Array((end - start) * size);
      const buffer = (size, usage) => {
        used.push(this.device.createBuffer({ size, usage }));
        return used.at(-1);
      };
      const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
      const [elements, back] = await this.checked(() => [
        buffer(room, STORAGE | COPY_SRC),
        buffer(room, MAP_READ | COPY_DST),
      ]);
      let seconds = 0;
      for (const [from, to] of pieces) {
        seconds += await this.timed(await this.dispatches({ kernel, numbers }, stream, dtype, from, to, elements, buffer));
        await this.read(elements, back, drawn.subarray((from - start) * size, (to - start) * size));
      }
      return { bytes: drawn.buffer, seconds };
    } catch (error) {
      // The news of a lost device may come after what fails by it.
      const soon = new Promise((resolve) => setTimeout(resolve, 200));
      await Promise.race([this.device.lost, soon]);
      throw this.lost === null ? error : new Error(`the GPU was lost (${this.lost}); drawing again opens it again`);
    } finally {
      used.forEach((buffer) => buffer.destroy());
    }
  }

  // What draws elements from..to of a tensor into a buffer; `buffer` makes those of the parameters.
  async dispatches({ kernel, numbers }, stream, dtype, from, to, elements, buffer) {
    const windows = windowsOf(from, to, dtype);
    const pipelines = await Promise.all(windows.map(({ writes }) => this.pipeline(kernel, asksOf(numbers), dtype, writes)));
    return this.checked(() =>
      windows.map((window, i) => {
        const params = buffer(paramsBytes(window.writes), GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
        this.device.queue.writeBuffer(params, 0, paramsOf(window, numbers, stream));
        const entries = [params, elements].map((buffer, binding) => ({ binding, resource: { buffer } }));
        const bindings = this.device.createBindGroup({ layout: this.layout, entries });
        return { pipeline: pipelines[i], bindings, workgroups: window.workgroups };
      }),
    );
  }

  // Runs the dispatches; gives the seconds that they took.
  async timed(dispatches) {
    await this.device.queue.onSubmittedWorkDone();
    const started = performance.now();
    let done;
    await this.checked(() => {
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, bindings, workgroups } of dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(workgroups);
      }
      pass.end();
      this.device.queue.submit([encoder.finish()]);
      done = this.device.queue.onSubmittedWorkDone().then(() => performance.now());
    });
    return ((await done) - started) / 1000;
  }

  // Copies what was drawn to the page.
  async read(elements, back, to) {
    await this.checked(() => {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(elements, 0, back, 0, back.size);
      this.device.queue.submit([encoder.finish()]);
    });
    await back.mapAsync(GPUMapMode.READ);
    to.set(new Uint8Array(back.getMappedRange(), 0, to.length));
    back.unmap();
  }
}
