// The 64-bit product of two words, high and low half, from products of 16-bit pieces.

fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let middle = a1 * b0 + ((a0 * b0) >> 16u);
    let carry = a0 * b1 + (middle & 0xffffu);
    return vec2(a1 * b1 + (middle >> 16u) + (carry >> 16u), a * b);
}

// The same where the halves of `a` add up to less than 2^16: the products in the middle fit a word together.
fn mul_wide_light(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let middle = a1 * b0 + (a0 * b1 + ((a0 * b0) >> 16u));
    return vec2(a1 * b1 + (middle >> 16u), a * b);
}
