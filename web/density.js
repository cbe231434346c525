// Densities of what is drawn, from what the library says of them: library/src/draw.rs.

const bell = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

// The mass of the standard normal between two bounds, divided by its density at the mode there, and the mode: by Simpson's rule.
function relativeMass(from, to) {
  const mode = Math.min(Math.max(0, from), to);
  const reach = mode === 0 ? 10 : 100 / (Math.sqrt(mode * mode + 100) + Math.abs(mode));
  const [start, end] = [Math.max(from - mode, -reach), Math.min(to - mode, reach)];
  const intervals = 4096;
  const step = (end - start) / intervals;
  let mass = 0;
  for (let i = 0; i <= intervals; i++) {
    const s = start + step * i;
    mass += (i === 0 || i === intervals ? 1 : 2 + 2 * (i % 2)) * Math.exp(-s * (mode + s / 2));
  }
  return { mass: (mass * step) / 3, mode };
}

const DENSITIES = {
  uniform: ({ low, high }) => (x) => (x >= low && x < high ? 1 / (high - low) : 0),
  normal: ({ mean, std, share }) => (x) => (share * bell((x - mean) / std)) / std,
  truncated_normal({ mean, std, from, to }) {
    const { mass, mode } = relativeMass(from, to);
    return (x) => {
      const z = (x - mean) / std;
      return z >= from && z <= to ? Math.exp((-(z - mode) * (z + mode)) / 2) / mass / std : 0;
    };
  },
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

// The density as a function of x; nothing where there is none.
export const densityOf = ({ density }) => density && DENSITIES[density.of](density);
