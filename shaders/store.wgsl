// Writing elements: only those in range, and none of a 16-bit element's neighbour in its word.

fn in_range(count: u32) -> bool {
    return count >= params.start && count < params.end;
}

fn store(count: u32, bits: u32) {
    if (!in_range(count)) {
        return;
    }
    let place = count + params.shift;
    if (dtype == 0u) {
        elements[place] = bits;
        return;
    }
    // No other invocation of this dispatch writes this word: see `phases` in src/gpu/windows.rs.
    let half = (place & 1u) * 16u;
    let kept = elements[place >> 1u] & (0xffff0000u >> half);
    elements[place >> 1u] = kept | (bits << half);
}

// A block's four elements, the first of which is element `count`.
fn store_block(count: u32, bits: vec4<u32>) {
    let place = count + params.shift;
    let whole = in_range(count) && in_range(count + 3u);
    if (dtype == 0u && whole) {
        elements[place] = bits.x;
        elements[place + 1u] = bits.y;
        elements[place + 2u] = bits.z;
        elements[place + 3u] = bits.w;
    } else if (dtype != 0u && whole && (place & 1u) == 0u) {
        elements[place >> 1u] = bits.x | (bits.y << 16u);
        elements[(place >> 1u) + 1u] = bits.z | (bits.w << 16u);
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
