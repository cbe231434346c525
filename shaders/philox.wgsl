// Philox4x32-10 (Salmon et al. 2011): the twin of src/philox.rs.

fn philox4x32_10(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var r = 0u; r < 10u; r++) {
        let p0 = mul_wide(0xd2511f53u, c.x);
        let p1 = mul_wide(0xcd9e8d57u, c.z);
        c = vec4(p1.x ^ c.y ^ k.x, p1.y, p0.x ^ c.w ^ k.y, p0.y);
        k += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// The words of a block of the tensor's stream.
fn block_words(number: vec2<u32>, attempt: u32) -> vec4<u32> {
    return philox4x32_10(vec4(number, attempt, params.nonce), params.key);
}
