// The value itself: the twin of src/kernel/constant.rs.

fn draw_block(count: u32) {
    store_block(count, vec4(params.numbers.word));
}
