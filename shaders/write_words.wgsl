// Elements of any size at any place, word by word; a 16-bit element leaves its neighbour in the word as it is.

@group(0) @binding(1) var<storage, read_write> elements: array<u32>;

fn write_element(place: u32, bits: u32) {
    if (dtype == 0u) {
        elements[place] = bits;
    } else {
        // No other invocation of this dispatch writes this word: see `phases` in src/gpu/windows.rs.
        let half = (place & 1u) * 16u;
        let kept = elements[place >> 1u] & (0xffff0000u >> half);
        elements[place >> 1u] = kept | (bits << half);
    }
}

fn writes_blocks_at(place: u32) -> bool {
    return dtype == 0u || (place & 1u) == 0u;
}

fn write_block(place: u32, bits: vec4<u32>) {
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
