// Candidates of a truncated normal from an exponential cut to the window (Robert 1995): the twin of `by_exponential` in
// src/cpu/truncated_normal.rs.

struct Distance {
    e: f32,
    rejected: u32,
}

fn distance_of(w0: u32, w1: u32) -> Distance {
    let n = params.numbers;
    let v = product(hidden(middle_of(w0)), n.mass_per_step) + n.beyond;
    let f = hidden(middle_of(~w0)) * -n.mass_per_step;
    let e = neg_ln(v, f);
    let threshold = n.peak - product(e, hidden(n.slope - product(n.curve, e)));
    return Distance(e, u32(neg_ln_of_word(w1) < threshold));
}

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let w = block_words(number, 2u * attempt);
    let a = distance_of(w.x, w.y);
    let b = distance_of(w.z, w.w);
    let x = block_words(number, 2u * attempt + 1u);
    let c = distance_of(x.x, x.y);
    let d = distance_of(x.z, x.w);
    let rejected = a.rejected | (b.rejected << 1u) | (c.rejected << 2u) | (d.rejected << 3u);
    return Candidates(scaled(vec4(a.e, b.e, c.e, d.e)), rejected);
}
