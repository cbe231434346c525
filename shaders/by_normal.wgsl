// Candidates of a truncated normal from the normal itself: the twin of `by_normal` in src/kernel/truncated_normal.rs.

fn value_of(d: f32, word: u32) -> f32 {
    if ((asks & LOCATION) == 0u) {
        return d;
    }
    // Spread by nothing at a bound, so that none is passed.
    let above = hidden(d - params.numbers.low);
    let below = hidden(params.numbers.high - d);
    let room = select(above, below, below < above);
    return joined(d, product(select(room, abs(d), abs(d) < room), spread(word)));
}

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let w = block_words(number, attempt);
    let d = normals(w);
    let outside = vec4<u32>((d < vec4(params.numbers.low)) | (d > vec4(params.numbers.high)));
    let rejected = outside.x | (outside.y << 1u) | (outside.z << 2u) | (outside.w << 3u);
    return Candidates(vec4(value_of(d.x, w.y), value_of(d.y, w.y), value_of(d.z, w.w), value_of(d.w, w.w)), rejected);
}
