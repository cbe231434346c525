// The value itself: the twin of src/cpu/constant.rs.

fn draw_block(count: u32) {
    store_block(count, vec4(params.numbers.word));
}
