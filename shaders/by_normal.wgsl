// Candidates of a truncated normal from the normal itself: the twin of `by_normal` in src/cpu/truncated_normal.rs.

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let d = normals(block_words(number, attempt));
    let outside = vec4<u32>((d < vec4(params.numbers.low)) | (d > vec4(params.numbers.high)));
    let rejected = outside.x | (outside.y << 1u) | (outside.z << 2u) | (outside.w << 3u);
    return Candidates(d, vec4(0.0), rejected);
}
