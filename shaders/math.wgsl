// The functions that the draws are made of: the twin of src/arithmetic/math.rs, line by line.
//
// A GPU's compiler may fuse (a * b + c in one rounding), reassociate (a * (b * c), a + (b + c)), distribute ((p - 1.0) * x as
// p * x - x), assume that all numbers are finite, and flush subnormal numbers to zero. So the rule of all kernels:
//
//     Whatever an f32 +, - or * made is hidden before another one, or a comparison, sees it.
//
// Hidden is an OR with a zero that arrives at run time: no compiler can look through it, and each operation is rounded as it
// stands. (XORs would cancel where two meet.) What needs no guard: words, literals and parameters; conversions of at most 24
// bits; the same negated, their magnitude, one or the other of them; all of these times a literal power of two, which no
// rounding can tell from its operand; and products that are exact, where a sum takes them, since a fused one is the same: they
// have names, `exact_product`, and a reason each. src/gpu/kernels/guards.rs reads all kernels for this rule,
// src/gpu/kernels/compilers.rs has compilers do all of that to them. hidden.wgsl has these guards; where the kernel's language can
// forbid a compiler all of that, hidden_by_language.wgsl stands in its place.

fn product(a: f32, b: f32) -> f32 {
    return hidden(a * b);
}

// Where the product needs no rounding.
fn exact_product(a: f32, b: f32) -> f32 {
    return a * b;
}

// The sum, and what rounding took from it (Knuth).
fn two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = hidden(a + b);
    let b_part = hidden(s - a);
    let a_part = hidden(s - b_part);
    return vec2(s, hidden(hidden(a - a_part) + hidden(b - b_part)));
}

// A step of a polynomial, by Horner's rule.
fn horner(p: f32, x: f32, c: f32) -> f32 {
    return hidden(product(p, x) + c);
}

// A doubled step of a word in units of (0, 1): 2^-33.
const PER_STEP: f32 = 1.1641532e-10;

// 2 i + 1, rounded once: the middle of a word's step, doubled. The product is exact, and so the same fused or not.
fn middle_of(i: i32) -> f32 {
    return f32(i >> 16u) * 131072.0 + f32(((i << 1u) & 0x1ffff) | 1);
}

fn middle_of_unsigned(u: u32) -> f32 {
    return f32(u >> 16u) * 131072.0 + f32(((u << 1u) & 0x1ffffu) | 1u);
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
    let c = bitcast<u32>(hidden(select(cos_t, sin_t, swap)));
    let d = bitcast<u32>(hidden(select(sin_t, cos_t, swap)));
    return vec2(bitcast<f32>(c ^ (((quarter + 1u) & 2u) << 30u)), bitcast<f32>(d ^ ((quarter & 2u) << 30u)));
}

// -2 ln(u), where u is t / 2^33 if t > 0, and 1 + t / 2^33 if t < 0, so that neither end loses digits; |t| <= 2^32. Within 7e-6 of
// it: see "How good the functions must be" in DESIGN.md.
fn twice_neg_ln(t: f32) -> f32 {
    let bits = bitcast<u32>(t);
    let near = t < 0.0;
    // u = 2^-e (1 - y), with e = 0 or y in (0, 1/2].
    let y = hidden(select(1.0 - bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u), t * -PER_STEP, near));
    let e = f32(select(159 - i32(bits >> 23u), 0, near));
    var p = 1.6927601;
    p = horner(p, y, -0.62218815);
    p = horner(p, y, 0.8067257);
    p = horner(p, y, 0.6273422);
    p = horner(p, y, 1.0017909);
    p = horner(p, y, 1.999987);
    return hidden(product(p, y) + product(e, 1.3862944));
}

// 1 / RADIUS_UNIT (in src/arithmetic/math.rs) times sqrt(q), within 5e-7 of it: a guess from the exponent, and two steps like Newton's.
fn root(q: f32) -> f32 {
    var y = bitcast<f32>(0x5f304000u - (bitcast<u32>(q) >> 1u));
    y = product(y, hidden(2.8057482 - product(product(q, y), y)));
    let r = product(q, y);
    return product(r, hidden(9.802052 - product(r, y)));
}

// Two independent normals from two words (Box and Muller 1958, https://doi.org/10.1214/aoms/1177706645), of
// standard deviation `scale` / RADIUS_UNIT.
fn normal_pair(w0: u32, w1: u32, scale: f32) -> vec2<f32> {
    let radius = product(scale, root(twice_neg_ln(middle_of(bitcast<i32>(w0)))));
    // The lowest 30 bits are an angle of up to an eighth of a turn, in units of 2^-15 of it, the others its octant.
    let t = hidden(f32(bitcast<i32>(w1 << 2u) >> 16u) + f32(((w1 << 1u) & 0x7fffu) | 1u) * 3.0517578e-5);
    let s = product(t, t);
    let sine = product(horner(horner(6.44704e-26, s, -2.2943355e-15), s, 2.3968414e-5), t);
    let cosine = product(horner(1.3320963e-20, s, -2.870626e-10), s) + 0.9999882;
    // Which hides it, too: no compiler can know that the sign is all that changes.
    let turned = bitcast<f32>(bitcast<u32>(cosine) ^ (w1 & params.sign));
    let swap = (w1 & 0x40000000u) != 0u;
    return vec2(product(radius, select(turned, sine, swap)), product(radius, select(sine, turned, swap)));
}

// Four normals from a block's words.
fn normals(words: vec4<u32>) -> vec4<f32> {
    let scale = params.numbers.scale;
    return vec4(normal_pair(words.x, words.y, scale), normal_pair(words.z, words.w, scale));
}

// Less than 2^-10, of either sign, by bits of a word that decide next to nothing else. A distance of 24 bits is spread over so much of
// itself where it meets a location: their sum is rounded to 24 other bits, and would find some of them twice, some not at all.
fn spread(word: u32) -> f32 {
    return f32(bitcast<i32>(((word << 1u) & 0x1feu) | 1u) - 256) * 3.8146973e-6;
}
