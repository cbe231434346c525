// Threefry's words themselves, for known answers: the twin of `Words::Threefry` in src/kernel/words.rs.

fn draw_block(count: u32) {
    let number = block_at(count);
    store_block(count, vec4(threefry2x32_20(vec2(number.y, number.x), params.key), 0u, 0u));
}
