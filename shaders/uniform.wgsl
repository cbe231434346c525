// The uniform distribution: the twin of src/kernel/uniform.rs.

// All 32 bits count: the product of the high half is exact, and what it leaves out is small beside it.
fn value_of(word: u32) -> f32 {
    let n = params.numbers;
    let high = f32(bitcast<i32>(word) >> 16u);
    let rest = hidden(product(high, n.fine) + product(f32(word & 0xffffu), n.scale));
    return joined(exact_product(high, n.coarse), rest);
}

fn draw_block(count: u32) {
    let w = block_words(block_at(count), 0u);
    store_values(count, vec4(value_of(w.x), value_of(w.y), value_of(w.z), value_of(w.w)));
}
