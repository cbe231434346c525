// The normal distribution: the twin of src/cpu/normal.rs.

fn draw_block(count: u32) {
    store_values(count, scaled4(normals(block_words(block_at(count), 0u))));
}
