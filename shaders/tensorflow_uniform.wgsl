// `tf.random.stateless_uniform`: the twin of `fill_uniform` in src/kernel/tensorflow.rs.

// As many of the word's low bits as the dtype's fraction has.
fn unit_in_dtype(word: u32) -> f32 {
    switch dtype {
        case 1u: { return f32(word & 0x3ffu) * 9.765625e-4; }
        case 2u: { return f32(word & 0x7fu) * 0.0078125; }
        default: { return tensorflow_unit(word); }
    }
}

fn draw_block(count: u32) {
    let w = tensorflow_words(block_at(count));
    store_placed(count, vec4(unit_in_dtype(w.x), unit_in_dtype(w.y), unit_in_dtype(w.z), unit_in_dtype(w.w)));
}
