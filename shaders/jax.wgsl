// What `jax.random` draws from: the twin of src/kernel/jax.rs.

// The words of a block's four elements, each of a counter of its own.
fn jax_words(number: vec2<u32>) -> vec4<u32> {
    let high = (number.y << 2u) | (number.x >> 30u);
    let low = number.x << 2u;
    let a = threefry2x32_20(vec2(high, low), params.key);
    let b = threefry2x32_20(vec2(high, low + 1u), params.key);
    let c = threefry2x32_20(vec2(high, low + 2u), params.key);
    let d = threefry2x32_20(vec2(high, low + 3u), params.key);
    return vec4(a.x ^ a.y, b.x ^ b.y, c.x ^ c.y, d.x ^ d.y);
}

// A uniform value from `offset` on, as wide as `coarse` and `fine` together.
fn jax_uniform(word: u32) -> f32 {
    let n = params.numbers;
    let range = hidden(n.coarse + n.fine);
    // As many of the word's bits as the dtype's fraction has: the highest of 32, of the low 16, or of the low 8. XLA
    // rounds f16's sum alone, whose product is exact in f32, and bf16's product too.
    var u = 0.0;
    switch dtype {
        case 1u: { u = in_f16(product(f32((word & 0xffffu) >> 6u) * 9.765625e-4, range) + n.offset); }
        case 2u: { u = in_bf16(in_bf16(f32((word & 0xffu) >> 1u) * 0.0078125 * range) + n.offset); }
        default: { u = fused(word >> 9u); }
    }
    return select(u, n.offset, u < n.offset);
}

// m / 2^23 times the range plus the offset, rounded once: products of 12-bit parts are exact, and of each sum the rounding error
// is kept.
fn fused(m: u32) -> f32 {
    let n = params.numbers;
    let high = f32(m & 0x7ff800u) * 1.1920929e-7;
    let low = f32(m & 0x7ffu) * 1.1920929e-7;
    let s = two_sum(n.offset, product(high, n.coarse));
    let middle = two_sum(product(high, n.fine), product(low, n.coarse));
    let t = two_sum(s.x, middle.x);
    return hidden(t.x + hidden(t.y + hidden(s.y + hidden(middle.y + product(low, n.fine)))));
}

// sqrt(2) times the inverse error function, kept inside the bounds.
fn jax_normal(u: f32) -> f32 {
    let z = in_dtype(in_dtype(inverse_erf(u)) * in_dtype(1.4142135));
    return clamped(z, params.numbers.low, params.numbers.high);
}

// Giles 2011, https://doi.org/10.1016/B978-0-12-385963-1.00010-1: the single-precision polynomials.
fn inverse_erf(x: f32) -> f32 {
    let y = product(x, x);
    let w = neg_ln(1.0 - y, -y);
    let near = w < 5.0;
    let v = hidden(select(product(w, inverse_sqrt(w)) - 3.0, w - 2.5, near));
    var p = select(-0.00020021426, 2.8102264e-8, near);
    p = horner(p, v, select(0.00010095056, 3.4327394e-7, near));
    p = horner(p, v, select(0.0013493432, -3.5233877e-6, near));
    p = horner(p, v, select(-0.0036734284, -4.3915065e-6, near));
    p = horner(p, v, select(0.0057395077, 0.00021858087, near));
    p = horner(p, v, select(-0.0076224613, -0.001253725, near));
    p = horner(p, v, select(0.0094388705, -0.0041776816, near));
    p = horner(p, v, select(1.0016741, 0.24664073, near));
    p = horner(p, v, select(2.8329768, 1.5014094, near));
    return p * x;
}
