// The normal distribution: the twin of src/cpu/normal.rs.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let block = unit_of(invocation);
    if (4u * block < params.end) {
        store_values(4u * block, scaled4(normals(block_words(block_number(block), 0u))));
    }
}
