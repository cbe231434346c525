// Whole workgroups of elements whose blocks lie on no multiple of their size: word by word, with nothing to ask. 16-bit elements lie
// on an even place, so that no block shares a word with another.

@group(0) @binding(0) var<uniform> given: Params;
@group(0) @binding(1) var<storage, read_write> elements: array<u32>;

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
    if (dtype == 0u) {
        elements[place] = bits;
    } else {
        let half = (place & 1u) * 16u;
        elements[place >> 1u] = (elements[place >> 1u] & (0xffff0000u >> half)) | (bits << half);
    }
}

fn store_block(count: u32, bits: vec4<u32>) {
    let place = count + params.shift;
    if (dtype == 0u) {
        elements[place] = bits.x;
        elements[place + 1u] = bits.y;
        elements[place + 2u] = bits.z;
        elements[place + 3u] = bits.w;
    } else {
        elements[place >> 1u] = bits.x | (bits.y << 16u);
        elements[(place >> 1u) + 1u] = bits.z | (bits.w << 16u);
    }
}

fn finish_stores(group: u32) {}
