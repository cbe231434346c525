// Candidates of a truncated normal from an exponential cut to the window (Robert 1995): the twin of `by_exponential` in
// src/cpu/truncated_normal.rs.

// Whether the cut leaves half of the exponential's mass or less, which words then share out from the near bound on.
const NARROW: u32 = 32u;

struct Distance {
    d: f32,
    rest: f32,
    rejected: u32,
}

fn distance_of(w0: u32, w1: u32) -> Distance {
    let n = params.numbers;
    // Of the exponential's mass, what lies nearer (negative, where it is the lesser part), or farther.
    let narrow = (asks & NARROW) != 0u;
    let t = hidden(select(middle_of(bitcast<i32>(w0)), middle_of_unsigned(w0), narrow));
    let near = narrow || t < 0.0;
    let p = product(t, n.mass_per_step);
    let v = hidden(select(n.beyond, 1.0, near) + p);
    let e = neg_ln(v, select(v - 1.0, p, near));
    let threshold = n.peak - product(e, hidden(n.slope - product(n.curve, e)));
    let rejected = u32(twice_neg_ln(middle_of(bitcast<i32>(w1))) < threshold);
    // Less than 2^-18 of what lies to either bound, by bits that decide nothing else: e has 24 bits, and a sum that is rounded to
    // 24 others needs more.
    let spread = f32(bitcast<i32>(w1 & 0xffu) - 128) * 1.4901161e-8;
    let beyond = hidden(n.width - e);
    let rest = product(select(e, beyond, beyond < e), spread);
    return Distance(n.scale * e, product(n.scale, rest), rejected);
}

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let w = block_words(number, 2u * attempt);
    let a = distance_of(w.x, w.y);
    let b = distance_of(w.z, w.w);
    let x = block_words(number, 2u * attempt + 1u);
    let c = distance_of(x.x, x.y);
    let d = distance_of(x.z, x.w);
    let rejected = a.rejected | (b.rejected << 1u) | (c.rejected << 2u) | (d.rejected << 3u);
    return Candidates(vec4(a.d, b.d, c.d, d.d), vec4(a.rest, b.rest, c.rest, d.rest), rejected);
}
