// The normal distribution: the twin of src/cpu/normal.rs.

fn draw_block(count: u32) {
    store_distances(count, scaled(normals(block_words(block_at(count), 0u))));
}
