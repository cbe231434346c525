// `tf.random.stateless_normal`: the twin of `fill_normal` in src/kernel/tensorflow.rs.

fn draw_block(count: u32) {
    store_placed(count, tensorflow_normals(tensorflow_words(block_at(count))));
}
