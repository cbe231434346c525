// `tf.random.stateless_truncated_normal`: the twin of `fill_truncated` in src/kernel/tensorflow.rs.

// Four elements take their words from 256 blocks of their own, pair by pair, and keep what is within two sigmas.
fn draw_block(count: u32) {
    let number = block_at(count);
    let first = vec2(number.x << 8u, (number.y << 8u) | (number.x >> 24u));
    var kept = 0u;
    var z = vec4(0.0);
    for (var j = 0u; j < 256u && kept < 4u; j++) {
        let four = tensorflow_normals(tensorflow_words(vec2(first.x | j, first.y)));
        for (var k = 0u; k < 4u; k++) {
            if (kept < 4u && abs(four[k]) < 2.0) {
                z[kept] = four[k];
                kept++;
            }
        }
    }
    store_placed(count, z);
}
