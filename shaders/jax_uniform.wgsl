// `jax.random.uniform`: the twin of `fill_uniform` in src/kernel/jax.rs.

fn draw_block(count: u32) {
    let w = jax_words(block_at(count));
    store_placed(count, vec4(jax_uniform(w.x), jax_uniform(w.y), jax_uniform(w.z), jax_uniform(w.w)));
}
