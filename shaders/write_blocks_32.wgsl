// 32-bit elements whose blocks lie on multiples of their size: a block is one vector.

@group(0) @binding(1) var<storage, read_write> elements: array<vec4<u32>>;

fn write_element(place: u32, bits: u32) {
    elements[place >> 2u][place & 3u] = bits;
}

fn writes_blocks_at(place: u32) -> bool {
    return true;
}

fn write_block(place: u32, bits: vec4<u32>) {
    elements[place >> 2u] = bits;
}
