// Runs a program of WASI with arguments and a standard input; what it writes and its exit code are what came of it.

// Of WASI's error numbers.
const NO_SUCH_FILE = 8;

class Exit extends Error {}

export async function run(module, given, input) {
  let instance, code;
  let stopped = "";
  let read = 0;
  const written = [[], []];
  const words = () => new DataView(instance.exports.memory.buffer);
  // The pieces of memory that a list of (pointer, length) has.
  const pieces = (list, count) =>
    Array.from({ length: count }, (_, i) => {
      const [at, length] = [0, 4].map((offset) => words().getUint32(list + 8 * i + offset, true));
      return new Uint8Array(instance.exports.memory.buffer, at, length);
    });
  // The program's name, and what it is given, each with a zero behind it.
  const texts = ["fanin", ...given].map((text) => new TextEncoder().encode(`${text}\0`));
  const system = {
    args_sizes_get(count, bytes) {
      words().setUint32(count, texts.length, true);
      words().setUint32(bytes, texts.reduce((sum, text) => sum + text.length, 0), true);
      return 0;
    },
    args_get(list, to) {
      texts.forEach((text, i) => {
        words().setUint32(list + 4 * i, to, true);
        new Uint8Array(instance.exports.memory.buffer, to, text.length).set(text);
        to += text.length;
      });
      return 0;
    },
    fd_read(file, list, count, counted) {
      if (file !== 0) return NO_SUCH_FILE;
      const before = read;
      for (const piece of pieces(list, count)) {
        const part = input.subarray(read, read + piece.length);
        piece.set(part);
        read += part.length;
      }
      words().setUint32(counted, read - before, true);
      return 0;
    },
    fd_write(file, list, count, counted) {
      if (file !== 1 && file !== 2) return NO_SUCH_FILE;
      // Copied: the memory is the program's.
      const parts = pieces(list, count).map((piece) => piece.slice());
      written[file - 1].push(...parts);
      words().setUint32(counted, parts.reduce((sum, part) => sum + part.length, 0), true);
      return 0;
    },
    environ_sizes_get(count, bytes) {
      words().setUint32(count, 0, true);
      words().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    random_get(at, length) {
      const random = new Uint8Array(instance.exports.memory.buffer, at, length);
      for (let from = 0; from < length; from += 65536) crypto.getRandomValues(random.subarray(from, from + 65536));
      return 0;
    },
    proc_exit(given) {
      code = given;
      throw new Exit();
    },
  };
  instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: system });
  try {
    instance.exports._start();
    code = 0;
  } catch (error) {
    // A trap: too little memory, or a fault of the program, which has said of what.
    if (!(error instanceof Exit)) [code, stopped] = [-1, `the library has stopped: ${error.message}`];
  }
  const [output, errors] = written.map((parts) => new Blob(parts));
  return { code, output: await output.arrayBuffer(), errors: [await errors.text(), stopped].filter(Boolean).join("; ") };
}
