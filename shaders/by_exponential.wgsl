// Candidates of a truncated normal from an exponential cut to the window (Robert 1995,
// https://doi.org/10.1007/BF00143942): the twin of `by_exponential` in
// src/kernel/truncated_normal.rs.

// Whether the cut leaves half of the exponential's mass or less, which words then share out from the near bound on.
const NARROW: u32 = 16u;

struct Candidate {
    value: f32,
    rejected: u32,
}

fn candidate(w0: u32, w1: u32) -> Candidate {
    let n = params.numbers;
    // Of the exponential's mass, what lies nearer (negative, where it is the lesser part), or farther.
    let narrow = (asks & NARROW) != 0u;
    let t = hidden(select(middle_of(bitcast<i32>(w0)), middle_of_unsigned(w0), narrow));
    let near = narrow || t < 0.0;
    let p = product(t, n.mass_per_step);
    let v = hidden(select(n.beyond, 1.0, near) + p);
    let e = neg_ln(v, select(hidden(v - 1.0), p, near));
    let threshold = hidden(n.peak - product(e, hidden(n.slope - product(n.curve, e))));
    let rejected = u32(twice_neg_ln(middle_of(bitcast<i32>(w1))) < threshold);
    // Spread by nothing at a bound, so that none is passed.
    let beyond = hidden(n.width - e);
    let rest = product(n.scale, product(select(e, beyond, beyond < e), spread(w1)));
    return Candidate(joined(n.scale * e, rest), rejected);
}

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let w = block_words(number, 2u * attempt);
    let a = candidate(w.x, w.y);
    let b = candidate(w.z, w.w);
    let x = block_words(number, 2u * attempt + 1u);
    let c = candidate(x.x, x.y);
    let d = candidate(x.z, x.w);
    let rejected = a.rejected | (b.rejected << 1u) | (c.rejected << 2u) | (d.rejected << 3u);
    return Candidates(vec4(a.value, b.value, c.value, d.value), rejected);
}
