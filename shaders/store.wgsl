// Writing elements: only those in range.

fn in_range(count: u32) -> bool {
    return count >= params.start && count < params.end;
}

fn store(count: u32, bits: u32) {
    if (in_range(count)) {
        write_element(count + params.shift, bits);
    }
}

// A block's four elements, the first of which is element `count`.
fn store_block(count: u32, bits: vec4<u32>) {
    let place = count + params.shift;
    if (in_range(count) && in_range(count + 3u) && writes_blocks_at(place)) {
        write_block(place, bits);
    } else {
        store(count, bits.x);
        store(count + 1u, bits.y);
        store(count + 2u, bits.z);
        store(count + 3u, bits.w);
    }
}

fn store_values(count: u32, y: vec4<f32>) {
    store_block(count, vec4(element(y.x), element(y.y), element(y.z), element(y.w)));
}
