// Whole tiles of 16-bit elements whose blocks lie on multiples of their size: a block is one vector.

@group(0) @binding(0) var<uniform> given: Params;
@group(0) @binding(1) var<storage, read_write> elements: array<vec2<u32>>;

fn given_to(invocation: vec3<u32>) -> Params {
    return given;
}

fn group_of(invocation: vec3<u32>) -> u32 {
    return invocation.x;
}

fn is_beyond(count: u32) -> bool {
    return false;
}

fn store(count: u32, bits: u32) {
    let place = count + params.shift;
    let word = (place >> 1u) & 1u;
    let half = (place & 1u) * 16u;
    let kept = elements[place >> 2u][word] & (0xffff0000u >> half);
    elements[place >> 2u][word] = kept | (bits << half);
}

fn store_block(count: u32, bits: vec4<u32>) {
    elements[(count + params.shift) >> 2u] = vec2(bits.x | (bits.y << 16u), bits.z | (bits.w << 16u));
}

fn finish_stores(group: u32) {}
