// Threefry2x32-20 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405): the twin of src/threefry.rs.

fn rotated(x: u32, by: u32) -> u32 {
    return (x << by) | (x >> (32u - by));
}

fn threefry_rounds(c: vec2<u32>, r: vec4<u32>) -> vec2<u32> {
    var x = c.x + c.y;
    var y = rotated(c.y, r.x) ^ x;
    x += y;
    y = rotated(y, r.y) ^ x;
    x += y;
    y = rotated(y, r.z) ^ x;
    x += y;
    y = rotated(y, r.w) ^ x;
    return vec2(x, y);
}

fn threefry2x32_20(counter: vec2<u32>, key: vec2<u32>) -> vec2<u32> {
    let a = vec4(13u, 15u, 26u, 6u);
    let b = vec4(17u, 29u, 16u, 24u);
    let third = 0x1bd11bdau ^ key.x ^ key.y;
    var c = counter + key;
    c = threefry_rounds(c, a) + vec2(key.y, third + 1u);
    c = threefry_rounds(c, b) + vec2(third, key.x + 2u);
    c = threefry_rounds(c, a) + vec2(key.x, key.y + 3u);
    c = threefry_rounds(c, b) + vec2(key.y, third + 4u);
    c = threefry_rounds(c, a) + vec2(third, key.x + 5u);
    return c;
}
