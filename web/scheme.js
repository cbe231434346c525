// Schemes: text + shape + layout -> distribution, as src/scheme/, src/layout.rs and src/moments.rs have it.

export const TRUNCATED_STD = 0.8796256610342398;

// Scale, mode and spread of the schemes that are scaled to the fans.
const SCALED = {
  standard: [1 / 3, "fan_in", "uniform"],
  glorot_uniform: [1, "fan_avg", "uniform"],
  glorot_normal: [1, "fan_avg", "normal"],
  he_uniform: [2, "fan_in", "uniform"],
  he_normal: [2, "fan_in", "normal"],
  lecun_uniform: [1, "fan_in", "uniform"],
  lecun_normal: [1, "fan_in", "normal"],
  variance_scaling: [1, "fan_in", "truncated_normal"],
};

const PARAMETERS = {
  zeros: [],
  ones: [],
  constant: ["value"],
  uniform: ["low", "high"],
  normal: ["mean", "std"],
  truncated_normal: ["mean", "std", "sigmas", "low", "high"],
  standard: [],
  glorot_uniform: ["gain"],
  glorot_normal: ["gain", "truncated"],
  he_uniform: ["gain", "mode"],
  he_normal: ["gain", "mode", "truncated"],
  lecun_uniform: [],
  lecun_normal: ["truncated"],
  variance_scaling: ["scale", "mode", "distribution"],
};

export const SCHEMES = Object.keys(PARAMETERS);

// "4096x16384" -> [4096, 16384]
export function parseShape(text) {
  const shape = text.split(/[xX]/).map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  if (shape.some((d) => !Number.isSafeInteger(d))) {
    throw new Error(`the shape is "${text}", allowed: whole numbers joined by x, such as 512x2048`);
  }
  return shape;
}

// Neither case nor - for _ matters, as in the library.
const plain = (text) => text.trim().toLowerCase().replaceAll("-", "_");

// The distribution that a scheme's text draws into a weight of this shape.
export function resolve(text, shape, layout) {
  const [givenName, rest = ""] = text.trim().split(/:(.*)/s);
  const name = plain(givenName);
  const known = Object.hasOwn(PARAMETERS, name) && PARAMETERS[name];
  if (!known) {
    throw new Error(`there is no scheme named "${name}" on this page, allowed: ${SCHEMES.join(", ")}`);
  }
  const given = {};
  for (const pair of rest.trim() ? rest.split(",") : []) {
    const [written, value] = pair.split(/=(.*)/s).map((part) => part.trim());
    const key = plain(written);
    if (!known.includes(key) || value === undefined) {
      throw new Error(`${name} has no parameter "${key}", allowed: ${known.join(", ") || "none"}`);
    }
    if (key in given) throw new Error(`${key} is given twice, allowed: each key once`);
    given[key] = value;
  }
  const number = (key, otherwise) => {
    if (!(key in given)) {
      if (otherwise === undefined) throw new Error(`${name} needs ${key}=...`);
      return otherwise;
    }
    // As Rust reads numbers.
    const [, sign, size] = given[key].match(/^([+-]?)(inf(?:inity)?|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i) ?? [];
    const value = size ? (sign === "-" ? -1 : 1) * (/^i/i.test(size) ? Infinity : Number(size)) : NaN;
    if (Number.isNaN(value)) throw new Error(`${key} is "${given[key]}", allowed: a number`);
    return value;
  };
  const choice = (key, allowed, otherwise) => {
    const value = key in given ? plain(given[key]) : otherwise;
    if (!allowed.includes(value)) throw new Error(`${key} is "${value}", allowed: ${allowed.join(", ")}`);
    return value;
  };
  switch (name) {
    case "zeros":
      return { kind: "constant", value: 0 };
    case "ones":
      return { kind: "constant", value: 1 };
    case "constant":
      return checked({ kind: "constant", value: number("value") });
    case "uniform":
      return checked({ kind: "uniform", low: number("low", 0), high: number("high", 1) });
    case "normal":
      return checked({ kind: "normal", mean: number("mean", 0), std: number("std", 1) });
    case "truncated_normal": {
      const [mean, std] = [number("mean", 0), number("std", 1)];
      const bounded = "low" in given || "high" in given;
      if (bounded && "sigmas" in given) {
        throw new Error(`sigmas is "${given.sigmas}", allowed: sigmas, or low and high, not both`);
      }
      const sigmas = number("sigmas", 2);
      if (!(sigmas > 0)) throw new Error(`sigmas is ${sigmas}, allowed: above 0`);
      // A bound that is not given is none.
      const [low, high] = bounded
        ? [number("low", -Infinity), number("high", Infinity)]
        : [mean - sigmas * std, mean + sigmas * std];
      return checked({ kind: "truncated_normal", mean, std, low, high });
    }
    default: {
      let [scale, mode, spread] = SCALED[name];
      if (name === "variance_scaling") scale = number("scale", scale);
      if ("gain" in given) {
        const gain = number("gain");
        if (!(gain > 0 && gain * gain > 0 && gain * gain < Infinity)) {
          throw new Error(`gain is ${gain}, allowed: finite and above 0, as must be its square`);
        }
        scale = gain * gain;
      }
      mode = choice("mode", ["fan_in", "fan_out", "fan_avg"], mode);
      spread = choice("distribution", ["uniform", "normal", "truncated_normal", "truncated_normal_uncorrected"], spread);
      if (choice("truncated", ["true", "false"], "false") === "true") spread = "truncated_normal";
      return scaled(scale, mode, spread, fansOf(shape, layout));
    }
  }
}

// fan_in and fan_out.
export function fansOf(shape, layout) {
  if (shape.length < 2 || shape.includes(0)) {
    throw new Error(`[${shape}] has no fan_in and fan_out, allowed: two or more dimensions, none of them 0`);
  }
  const product = (dimensions) => dimensions.reduce((a, b) => a * b, 1);
  if (layout === "out_in") {
    const kernel = product(shape.slice(2));
    return [shape[1] * kernel, shape[0] * kernel];
  }
  const kernel = product(shape.slice(0, -2));
  return [shape.at(-2) * kernel, shape.at(-1) * kernel];
}

function scaled(scale, mode, spread, [fanIn, fanOut]) {
  if (!(scale > 0 && scale < Infinity)) {
    throw new Error(`scale is ${scale}, allowed: finite and above 0`);
  }
  const fan = { fan_in: fanIn, fan_out: fanOut, fan_avg: (fanIn + fanOut) / 2 }[mode];
  const std = Math.sqrt(scale / fan);
  const cut = (std) => ({ kind: "truncated_normal", mean: 0, std, low: 0 - 2 * std, high: 0 + 2 * std });
  switch (spread) {
    case "uniform": {
      const limit = Math.sqrt((3 * scale) / fan);
      return checked({ kind: "uniform", low: -limit, high: limit });
    }
    case "normal":
      return checked({ kind: "normal", mean: 0, std });
    case "truncated_normal":
      return checked(cut(std / TRUNCATED_STD));
    default:
      return checked(cut(std));
  }
}

function checked(d) {
  const finite = (name) => {
    if (!Number.isFinite(d[name])) throw new Error(`${name} is ${d[name]}, allowed: a finite number`);
  };
  if (d.kind === "constant") finite("value");
  if (d.kind === "uniform") ["low", "high"].forEach(finite);
  if (d.kind.endsWith("normal")) {
    ["mean", "std"].forEach(finite);
    const least = d.kind === "normal" ? "at least 0" : "above 0";
    if (d.std < 0 || (d.std === 0 && d.kind !== "normal")) throw new Error(`std is ${d.std}, allowed: ${least}`);
  }
  if ("low" in d && !(d.low < d.high)) {
    throw new Error(`the window from ${d.low} to ${d.high} is empty, allowed: low < high`);
  }
  return d;
}

// Mass, mean and standard deviation of the standard normal cut to [a, b], by Simpson's rule around the mode.
export function truncatedMoments(a, b) {
  const mode = Math.min(Math.max(0, a), b);
  const reach = mode === 0 ? 10 : 100 / (Math.sqrt(mode * mode + 100) + Math.abs(mode));
  const [from, to] = [Math.max(a - mode, -reach), Math.min(b - mode, reach)];
  const intervals = 4096;
  const step = (to - from) / intervals;
  let [mass, first, second] = [0, 0, 0];
  for (let i = 0; i <= intervals; i++) {
    const s = from + step * i;
    const weight = i === 0 || i === intervals ? 1 : 2 + 2 * (i % 2);
    const density = weight * Math.exp(-s * (mode + s / 2));
    mass += density;
    first += density * s;
    second += density * s * s;
  }
  const mean = first / mass;
  return {
    // Of the density relative to the mode's.
    relativeMass: (mass * step) / 3,
    mass: ((mass * step) / 3) * Math.exp((-mode * mode) / 2) / Math.sqrt(2 * Math.PI),
    mode,
    mean: mode + mean,
    std: Math.sqrt(Math.max(0, second / mass - mean * mean)),
  };
}

export function momentsOf(d) {
  switch (d.kind) {
    case "library":
      return d;
    case "constant":
      return { mean: d.value, std: 0 };
    case "uniform":
      return { mean: d.low / 2 + d.high / 2, std: (d.high / 2 - d.low / 2) / Math.sqrt(3) };
    case "normal":
      return { mean: d.mean, std: d.std };
    default: {
      const m = truncatedMoments((d.low - d.mean) / d.std, (d.high - d.mean) / d.std);
      return { mean: d.mean + d.std * m.mean, std: d.std * m.std };
    }
  }
}

// The exact density at x, as a function of x; nothing where there is none.
export function densityOf(d) {
  switch (d.kind) {
    case "library":
      return d.density && DENSITIES[d.density.of](d.density);
    case "constant":
      return null;
    case "uniform":
      return (x) => (x >= d.low && x < d.high ? 1 / (d.high - d.low) : 0);
    case "normal":
      return (x) => Math.exp(-(((x - d.mean) / d.std) ** 2) / 2) / (d.std * Math.sqrt(2 * Math.PI));
    default: {
      const m = truncatedMoments((d.low - d.mean) / d.std, (d.high - d.mean) / d.std);
      const relative = (z) => Math.exp(-(z - m.mode) * (z + m.mode) / 2) / m.relativeMass / d.std;
      return (x) => (x >= d.low && x <= d.high ? relative((x - d.mean) / d.std) : 0);
    }
  }
}

const bell = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

// Of what the library draws: library/src/draw.rs.
const DENSITIES = {
  normal: ({ std, share }) => (x) => (share * bell(x / std)) / std,
  // A coordinate of a vector that is uniform on the sphere of this radius.
  coordinate({ gain, length, share }) {
    if (length < 2) return null;
    // Gamma(length / 2) / Gamma((length - 1) / 2), from one length to the next.
    let ratio = 1 / Math.sqrt(Math.PI);
    for (let n = 2; n < length; n++) ratio = (n - 1) / 2 / ratio;
    const most = (share * ratio) / Math.sqrt(Math.PI) / gain;
    return (x) => (Math.abs(x) < gain ? most * (1 - (x / gain) ** 2) ** ((length - 3) / 2) : 0);
  },
  log_uniform: ({ low, high }) => (x) => (x >= low && x < high ? 1 / x / Math.log(high / low) : 0),
  log_of_uniform: ({ low, high }) => (y) => (y >= Math.log(low) && y < Math.log(high) ? Math.exp(y) / (high - low) : 0),
  // What is below the floor is all at one place.
  inverse_softplus: ({ low, high, floor }) => (y) => {
    const x = Math.max(y, 0) + Math.log1p(Math.exp(-Math.abs(y)));
    return x >= Math.max(low, floor) && x < high ? 1 / (1 + Math.exp(-y)) / x / Math.log(high / low) : 0;
  },
};

export function describe(d) {
  switch (d.kind) {
    case "library":
      return d.text;
    case "constant":
      return `constant(${d.value})`;
    case "uniform":
      return `uniform[${d.low}, ${d.high})`;
    case "normal":
      return `normal(${d.mean}, ${d.std}²)`;
    default:
      return `normal(${d.mean}, ${d.std}²) in [${d.low}, ${d.high}]`;
  }
}
