// From the kernels' working values to elements: the twin of src/arithmetic/rounding.rs and src/kernel/line.rs.

// By comparisons, since min and max may give either zero for 0 and -0.
fn clamped(x: f32, low: f32, high: f32) -> f32 {
    let y = select(x, low, x < low);
    return select(y, high, y > high);
}

// What a pipeline has to ask, a bit each: `asks` in src/kernel/line.rs. What it need not ask, it is compiled without.
override asks: u32 = 0u;
const LOCATION: u32 = 1u;
const OFFSET: u32 = 2u;
const UNIT: u32 = 4u;
const BOUNDS: u32 = 8u;

// The location and a distance from it, with what the distance has beyond f32, as if rounded once.
fn joined(distance: f32, rest: f32) -> f32 {
    if ((asks & LOCATION) == 0u) {
        return hidden(distance) + rest;
    }
    let sum = two_sum(params.numbers.location, hidden(distance));
    var small = rest;
    if ((asks & OFFSET) != 0u) {
        small = hidden(params.numbers.offset + rest);
    }
    return sum.x + hidden(sum.y + small);
}

// Out of working units, inside the bounds.
fn finish(value: f32) -> f32 {
    let n = params.numbers;
    var y = value;
    if ((asks & UNIT) != 0u) {
        let held = clamped(hidden(y), -n.limit, n.limit);
        y = select(held * n.unit, 0.0, abs(held) < n.tiny);
    }
    if ((asks & BOUNDS) != 0u) {
        y = clamped(y, n.first, n.last);
    }
    return y;
}

fn f16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let sign = (bits >> 16u) & 0x8000u;
    let rebiased = magnitude - 0x38000000u;
    let normal = (rebiased + 0xfffu + ((rebiased >> 13u) & 1u)) >> 13u;
    // The sum's last place is 2^-24, a subnormal f16's: the addition rounds.
    let subnormal = bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u;
    return sign | select(normal, subnormal, magnitude < 0x38800000u);
}

fn bf16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The bits of the element nearest to x.
fn rounded(x: f32) -> u32 {
    switch dtype {
        case 1u: { return f16_bits(hidden(x)); }
        case 2u: { return bf16_bits(x); }
        default: { return bitcast<u32>(x); }
    }
}

// The bits of the element nearest to a value in working units, inside the bounds.
fn element(value: f32) -> u32 {
    return rounded(finish(value));
}

// Stores a block's four.
fn store_values(count: u32, y: vec4<f32>) {
    store_block(count, vec4(element(y.x), element(y.y), element(y.z), element(y.w)));
}

// The nearest f16, ties to even, as an f32.
fn in_f16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let normal = (bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u;
    // The sum's last place is 2^-24, a subnormal f16's: the addition rounds.
    let rounded = hidden(hidden(abs(hidden(x)) + 0.5) - 0.5);
    let subnormal = bitcast<u32>(rounded) | (bits & 0x80000000u);
    return bitcast<f32>(select(normal, subnormal, abs(hidden(x)) < 6.1035156e-5));
}

// The nearest bf16, ties to even, as an f32.
fn in_bf16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u);
}

fn in_dtype(x: f32) -> f32 {
    switch dtype {
        case 1u: { return in_f16(x); }
        case 2u: { return in_bf16(x); }
        default: { return hidden(x); }
    }
}

// A value of a framework, times the scale and plus the location, each step rounded to the dtype as the framework does.
fn placed(z: f32) -> f32 {
    let n = params.numbers;
    let x = in_dtype(in_dtype(z) * n.scale);
    return clamped(in_dtype(x + n.location), n.first, n.last);
}

// Stores a block's four values of a framework.
fn store_placed(count: u32, z: vec4<f32>) {
    store_block(count, vec4(rounded(placed(z.x)), rounded(placed(z.y)), rounded(placed(z.z)), rounded(placed(z.w))));
}
