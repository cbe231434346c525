// The normal distribution: the twin of src/kernel/normal.rs.

fn value_of(distance: f32, word: u32) -> f32 {
    if ((asks & LOCATION) == 0u) {
        return distance;
    }
    return joined(distance, product(distance, spread(word)));
}

fn draw_block(count: u32) {
    let w = block_words(block_at(count), 0u);
    let d = normals(w);
    store_values(count, vec4(value_of(d.x, w.y), value_of(d.y, w.y), value_of(d.z, w.w), value_of(d.w, w.w)));
}
