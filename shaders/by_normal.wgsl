// Candidates of a truncated normal from the normal itself: the twin of `by_normal` in src/cpu/truncated_normal.rs.

fn candidates(number: vec2<u32>, attempt: u32) -> Candidates {
    let z = normals(block_words(number, attempt));
    let outside = vec4<u32>((z < vec4(params.numbers.low)) | (z > vec4(params.numbers.high)));
    let rejected = outside.x | (outside.y << 1u) | (outside.z << 2u) | (outside.w << 3u);
    return Candidates(scaled(z), rejected);
}
