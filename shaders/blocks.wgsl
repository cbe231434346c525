// The entry point of kernels that draw each block by itself.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let group = begin(invocation);
    let first = first_of(group);
    // Two at a time, which do not wait for one another.
    for (var j = 0u; j < BLOCKS; j += 2u) {
        let count = first + j * 4u * GROUPS;
        if (is_beyond(count)) {
            break;
        }
        draw_block(count);
        let other = count + 4u * GROUPS;
        if (!is_beyond(other)) {
            draw_block(other);
        }
    }
    finish_stores(group);
}
