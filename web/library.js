// The library's own program: library/src/main.rs says what it takes. It reads schemes and works out what kernels draw by; the page draws.

// The schemes that the form offers; the library knows more names of them.
export const SCHEMES = [
  "zeros", "ones", "constant", "uniform", "normal", "truncated_normal", "standard", "glorot_uniform", "glorot_normal", "he_uniform",
  "he_normal", "lecun_uniform", "lecun_normal", "variance_scaling", "uniform_unit_scaling", "variance_scaling_initializer", "orthogonal",
  "delta_orthogonal", "identity", "dirac", "sparse", "arange", "linspace", "inverse_frequencies", "sinusoids", "column_norms",
  "log_uniform", "log_of_uniform", "inverse_softplus",
];

const textOf = (bytes) => new TextDecoder().decode(bytes);

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

  // What a scheme draws of elements start..end of a tensor: `distribution`, with the kernel that draws it, its numbers and the stream; or
  // the `bytes`, which the library has drawn.
  async resolved({ shape, layout, dtype, seed, name, start, end }, scheme) {
    const asked = ["draw", scheme, shape.join("x"), layout, dtype, seed, name, start, end].map(String);
    const answer = await this.run(asked);
    const bytes = new Uint8Array(answer);
    const line = bytes.indexOf(10);
    const distribution = JSON.parse(textOf(bytes.subarray(0, line)));
    if (!distribution.kernel) return { distribution, bytes: answer.slice(line + 1) };
    distribution.numbers = Uint32Array.from(distribution.numbers);
    return { distribution };
  }

  // The streams of tensors of these names.
  async streams(seed, names) {
    return JSON.parse(textOf(await this.run(["streams", String(seed), ...names])));
  }

  // What mean-field theory expects of each layer: `preStd` and `gradientStd`; null where it is silent.
  async theory({ scheme, activation, depth, width }) {
    return JSON.parse(textOf(await this.run(["theory", scheme, activation, depth, width].map(String))));
  }
}
