// The entry point of kernels that draw each block by itself.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    var count = first_of(group_of(invocation));
    for (var j = 0u; j < BLOCKS && count < params.end; j++) {
        draw_block(count);
        count += 4u * GROUPS;
    }
}
