// The normal distribution: the twin of src/cpu/normal.rs.

fn draw_block(count: u32) {
    store_distances(count, normals(block_words(block_at(count), 0u)), vec4(0.0));
}
