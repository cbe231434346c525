// Philox4x32-10 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405): the twin of src/philox.rs.

// The multipliers' halves: 0xd251 + 0x1f53 is less than 2^16, so that its product loses no carry.
fn philox_round(c: vec4<u32>, k: vec2<u32>) -> vec4<u32> {
    let p0 = mul_wide_light(0xd2511f53u, c.x);
    let p1 = mul_wide(0xcd9e8d57u, c.z);
    return vec4(p1.x ^ c.y ^ k.x, p1.y, p0.x ^ c.w ^ k.y, p0.y);
}

// The rounds are written out: what keeps naga's loops from running for ever keeps some compilers from unrolling them.
fn philox4x32_10(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let bump = vec2(0x9e3779b9u, 0xbb67ae85u);
    var c = philox_round(counter, key);
    c = philox_round(c, key + bump);
    c = philox_round(c, key + 2u * bump);
    c = philox_round(c, key + 3u * bump);
    c = philox_round(c, key + 4u * bump);
    c = philox_round(c, key + 5u * bump);
    c = philox_round(c, key + 6u * bump);
    c = philox_round(c, key + 7u * bump);
    c = philox_round(c, key + 8u * bump);
    return philox_round(c, key + 9u * bump);
}

// The words of a block of the tensor's stream.
fn block_words(number: vec2<u32>, attempt: u32) -> vec4<u32> {
    return philox4x32_10(vec4(number, attempt, params.nonce), params.key);
}
