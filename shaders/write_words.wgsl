// Some elements of a window, at any place, word by word; a 16-bit element leaves its neighbour in the word as it is.

// Of many windows that touch none of the same words: y is the window's number. As many as `ROWS` in src/gpu/windows.rs.
@group(0) @binding(0) var<uniform> given: array<Params, 28>;
@group(0) @binding(1) var<storage, read_write> elements: array<u32>;

fn given_to(invocation: vec3<u32>) -> Params {
    return given[invocation.y];
}

fn group_of(invocation: vec3<u32>) -> u32 {
    return invocation.x * params.stride + params.phase;
}

// Whether this element and all after it are not wanted.
fn is_beyond(count: u32) -> bool {
    return count >= params.end;
}

fn store(count: u32, bits: u32) {
    if (count < params.start || count >= params.end) {
        return;
    }
    let place = count + params.shift;
    if (dtype == 0u) {
        elements[place] = bits;
    } else {
        // No other invocation of this dispatch writes this word: see `phases` in src/gpu/windows.rs.
        let half = (place & 1u) * 16u;
        let kept = elements[place >> 1u] & (0xffff0000u >> half);
        elements[place >> 1u] = kept | (bits << half);
    }
}

// A block's four elements, the first of which is element `count`.
fn store_block(count: u32, bits: vec4<u32>) {
    store(count, bits.x);
    store(count + 1u, bits.y);
    store(count + 2u, bits.z);
    store(count + 3u, bits.w);
}

fn finish_stores(group: u32) {}
