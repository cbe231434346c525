// The uniform distribution: the twin of src/cpu/uniform.rs.

// All 32 bits count: the first product is exact, and the others are small beside it, so that the sum is rounded as if it
// had been exact.
fn distance_of(word: u32) -> f32 {
    let n = params.numbers;
    let high = f32(bitcast<i32>(word) >> 16u);
    let low = f32(word & 0xffffu);
    let rest = hidden(product(high, n.fine) + product(low, n.scale));
    return exact_product(high, n.coarse) + rest;
}

fn draw_block(count: u32) {
    let w = block_words(block_at(count), 0u);
    store_distances(count, vec4(distance_of(w.x), distance_of(w.y), distance_of(w.z), distance_of(w.w)), vec4(0.0));
}
