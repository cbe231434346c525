// The functions that the draws are made of: the twin of src/cpu/math.rs, line by line.
//
// A GPU's compiler may fuse (a * b + c in one rounding), reassociate (a * (b * c), a + (b + c)), distribute ((p - 1.0) * x as
// p * x - x), assume that all numbers are finite, and flush subnormal numbers to zero. So the rule of all kernels:
//
//     Whatever an f32 +, - or * made is hidden before another one sees it.
//
// Hidden is an XOR with a zero that arrives at run time: no compiler can look through it, and each operation is rounded as it
// stands. What needs no guard: words, literals and parameters; conversions of at most 24 bits; the same negated, their
// magnitude, one or the other of them; all of these times a literal power of two, which no rounding can tell from its operand;
// and products that are exact, where a sum takes them, since a fused one is the same: they have names, `exact_product`, and a
// reason each. src/gpu/kernels/guards.rs reads all kernels for this rule,
// src/gpu/kernels/compilers.rs has compilers do all of that to them.

fn hidden(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn product(a: f32, b: f32) -> f32 {
    return hidden(a * b);
}

// Where the product needs no rounding.
fn exact_product(a: f32, b: f32) -> f32 {
    return a * b;
}

// A step of a polynomial, by Horner's rule.
fn horner(p: f32, x: f32, c: f32) -> f32 {
    return hidden(product(p, x) + c);
}

const PER_STEP: f32 = 1.1641532e-10;

// The product is exact here, and so the same fused or not.
fn middle_of(u: u32) -> f32 {
    return f32(u >> 15u) * 65536.0 + f32(((u << 1u) & 0xffffu) | 1u);
}

fn from_signed_word(i: i32) -> f32 {
    return f32(i >> 16u) * 65536.0 + f32(i & 0xffff);
}

// -ln(v) for v in (0, 1], where f = v - 1 is given apart so that v near 1 loses no digits.
fn neg_ln(v: f32, f: f32) -> f32 {
    let bits = bitcast<u32>(v) + (0x3f800000u - 0x3f3504f3u);
    let near = f >= -0.2928932;
    let e = f32(select(127 - i32(bits >> 23u), 0, near));
    let m = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u);
    let x = hidden(select(m - 1.0, f, near));
    var p = 0.07862204;
    p = horner(p, x, -0.12883228);
    p = horner(p, x, 0.13128442);
    p = horner(p, x, -0.14180906);
    p = horner(p, x, 0.1662456);
    p = horner(p, x, -0.20002303);
    p = horner(p, x, 0.2500081);
    p = horner(p, x, -0.33333316);
    p = horner(p, x, 0.5);
    p = horner(p, x, -1.0);
    // 8 bits times 15.
    return hidden(exact_product(e, 0.69314575) + hidden(product(e, 1.4286068e-6) + product(p, x)));
}

// -ln(u) for the middle u of a word's step.
fn neg_ln_of_word(w: u32) -> f32 {
    return neg_ln(middle_of(w) * PER_STEP, middle_of(~w) * -PER_STEP);
}

fn inverse_sqrt(q: f32) -> f32 {
    let half = 0.5 * q;
    var y = bitcast<f32>(0x5f3759dfu - (bitcast<u32>(q) >> 1u));
    y = newton(half, y);
    y = newton(half, y);
    return newton(half, y);
}

// A step of Newton's method towards 1 / sqrt(2 half).
fn newton(half: f32, y: f32) -> f32 {
    return product(y, hidden(1.5 - product(product(half, y), y)));
}

// Cosine and sine of a full turn times w / 2^32, taken at the middle of w's step.
fn cos_sin_turn(w: u32) -> vec2<f32> {
    return cos_sin_from((w + 0x20000000u) >> 30u, bitcast<i32>((w << 2u) | 2u));
}

// Cosine and sine of some quarter turns and then i / 2^31 of an eighth.
fn cos_sin_from(quarter: u32, i: i32) -> vec2<f32> {
    let t = hidden(from_signed_word(i) * 4.6566129e-10);
    let s = product(t, t);
    var p = -3.6609155e-5;
    p = horner(p, s, 0.0024910164);
    p = horner(p, s, -0.08074583);
    p = horner(p, s, 0.7853982);
    let sin_t = p * t;
    p = 3.4940874e-6;
    p = horner(p, s, -0.0003258687);
    p = horner(p, s, 0.015854284);
    p = horner(p, s, -0.30842513);
    let cos_t = product(p, s) + 1.0;
    let swap = (quarter & 1u) != 0u;
    let c = bitcast<u32>(select(cos_t, sin_t, swap)) ^ params.zero;
    let d = bitcast<u32>(select(sin_t, cos_t, swap)) ^ params.zero;
    return vec2(bitcast<f32>(c ^ (((quarter + 1u) & 2u) << 30u)), bitcast<f32>(d ^ ((quarter & 2u) << 30u)));
}

// Two independent standard normals from two words (Box and Muller 1958).
fn normal_pair(w0: u32, w1: u32) -> vec2<f32> {
    let q = 2.0 * neg_ln_of_word(w0);
    let radius = product(q, inverse_sqrt(q));
    let cs = cos_sin_turn(w1);
    return vec2(product(radius, cs.x), product(radius, cs.y));
}

// Four standard normals from a block's words.
fn normals(words: vec4<u32>) -> vec4<f32> {
    return vec4(normal_pair(words.x, words.y), normal_pair(words.z, words.w));
}

// Out of standard units into the working ones.
fn scaled(z: vec4<f32>) -> vec4<f32> {
    let scale = params.numbers.scale;
    return vec4(product(scale, z.x), product(scale, z.y), product(scale, z.z), product(scale, z.w));
}
