// The 64-bit product of two words, high and low half, where the device has 64-bit integers.

fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let product = u64(a) * u64(b);
    return vec2(u32(product >> 32u), u32(product));
}

fn mul_wide_light(a: u32, b: u32) -> vec2<u32> {
    return mul_wide(a, b);
}
