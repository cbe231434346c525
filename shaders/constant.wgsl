// The value itself: the twin of src/cpu/constant.rs.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let block = unit_of(invocation);
    if (4u * block < params.end) {
        store_block(4u * block, vec4(params.numbers.word));
    }
}
