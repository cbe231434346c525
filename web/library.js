// The library's own program, for what the page does not do by itself: library/src/main.rs says what it takes.

import { resolve } from "./scheme.js";

// Schemes that the page has drawn by it; it knows the others, too, and more names of all.
export const SCHEMES = [
  "uniform_unit_scaling", "variance_scaling_initializer", "orthogonal", "delta_orthogonal", "identity", "dirac", "sparse", "arange",
  "linspace", "inverse_frequencies", "log_uniform", "log_of_uniform", "inverse_softplus",
];

export class Library {
  #worker = null;
  #works = false;

  // Ends what it is at; one that waits stays, with the program that it has loaded.
  stop() {
    if (!this.#works) return;
    this.#worker.terminate();
    [this.#worker, this.#works] = [null, false];
  }

  // What the program writes for these arguments and this input. Whoever asks again is answered alone.
  run(given, input = new Uint8Array()) {
    this.stop();
    const worker = (this.#worker ??= new Worker(new URL("library_worker.js", import.meta.url), { type: "module" }));
    this.#works = true;
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data: { output, wrong } }) => {
        this.#works = false;
        if (output) resolve(output);
        else reject(new Error(wrong));
      };
      worker.onerror = ({ message }) => {
        this.stop();
        reject(new Error(message || "the library cannot be loaded"));
      };
      worker.postMessage({ given, input });
    });
  }

  // What a scheme draws of elements start..end of a tensor: `distribution` by the page's own reading of it, if it has one, or by the
  // library's; in this case the library draws, too, unless the page's kernels do, and there are `bytes`.
  async resolved({ shape, layout, dtype, seed, name, start, end }, scheme) {
    let refused;
    try {
      return { distribution: resolve(scheme, shape, layout) };
    } catch (error) {
      refused = error;
    }
    const asked = ["draw", scheme, shape.join("x"), layout, dtype, seed, name, start, end].map(String);
    const answer = await this.run(asked).catch((error) => {
      // Where there is no library, the page's own words serve.
      throw error.message.includes("web/build") ? new Error(`${refused.message} (${error.message})`) : error;
    });
    const bytes = new Uint8Array(answer);
    const line = bytes.indexOf(10);
    const head = JSON.parse(new TextDecoder().decode(line < 0 ? bytes : bytes.subarray(0, line)));
    if (line < 0) return { distribution: resolve(head.scheme, shape, layout) };
    return { distribution: head, bytes: answer.slice(line + 1) };
  }
}
