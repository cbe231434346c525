// The uniform distribution: the twin of src/cpu/uniform.rs.

fn uniform_value(word: u32) -> f32 {
    return scaled(from_signed_word(bitcast<i32>(word ^ 0x80000000u)));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let block = unit_of(invocation);
    if (4u * block < params.end) {
        let w = block_words(block_number(block), 0u);
        store_values(4u * block, vec4(uniform_value(w.x), uniform_value(w.y), uniform_value(w.z), uniform_value(w.w)));
    }
}
