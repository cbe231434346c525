// What TensorFlow's stateless random operations draw from: the twin of src/kernel/tensorflow.rs.

// The words of a block; the third word of its counter is in `params.numbers.word`.
fn tensorflow_words(number: vec2<u32>) -> vec4<u32> {
    return block_words(number, params.numbers.word);
}

// A value of [0, 1): the word's 23 low bits.
fn tensorflow_unit(word: u32) -> f32 {
    return f32(word & 0x7fffffu) * 1.1920929e-7;
}

// Box-Muller, sine first, with the angle rounded to f32.
fn tensorflow_pair(w0: u32, w1: u32) -> vec2<f32> {
    let u = tensorflow_unit(w0);
    let v = select(u, 1e-7, u < 1e-7);
    let q = 2.0 * neg_ln(v, hidden(v - 1.0));
    let radius = product(q, inverse_sqrt(q));
    let k = w1 & 0x7fffffu;
    let turn = k << 9u;
    let cs = cos_sin_from((turn + 0x20000000u) >> 30u, bitcast<i32>(turn << 2u));
    let d = rounding_of_angle(k);
    let sine = hidden(cs.y + product(d, cs.x));
    let cosine = hidden(cs.x - product(d, cs.y));
    return vec2(product(radius, sine), product(radius, cosine));
}

fn tensorflow_normals(w: vec4<u32>) -> vec4<f32> {
    return vec4(tensorflow_pair(w.x, w.y), tensorflow_pair(w.z, w.w));
}

// By how much 2 pi k / 2^23 changes when it is rounded to f32.
fn rounding_of_angle(k: u32) -> f32 {
    // k times 2 pi in units of 2^-52, high and low word.
    let high = mul_wide(0xc90fdaa2u, k);
    let low = mul_wide(0x2168c235u, k);
    let l = high.y + low.x;
    let h = high.x + u32(l < low.x);
    // Its first 32 bits, of which f32 keeps 24.
    let zeros = countLeadingZeros(h);
    let sure = min(zeros, 31u);
    let a = select((h << sure) | ((l >> 1u) >> (31u - sure)), l, zeros == 32u);
    let more = select(l << sure, 0u, zeros == 32u);
    let rest = a & 0xffu;
    let up = rest > 0x80u || (rest == 0x80u && (more != 0u || (a & 0x100u) != 0u));
    let change = select(-i32(rest), 256 - i32(rest), up);
    return product(f32(change), bitcast<f32>((127u - 20u - zeros) << 23u));
}
