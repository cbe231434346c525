// `jax.random.normal` and `truncated_normal`: the twin of `fill_normal` in src/kernel/jax.rs.

fn draw_block(count: u32) {
    let w = jax_words(block_at(count));
    let u = vec4(jax_uniform(w.x), jax_uniform(w.y), jax_uniform(w.z), jax_uniform(w.w));
    store_placed(count, vec4(jax_normal(u.x), jax_normal(u.y), jax_normal(u.z), jax_normal(u.w)));
}
