// The stream's words themselves, for known answers and test batteries; the attempt is in `params.numbers.word`.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let block = unit_of(invocation);
    if (4u * block < params.end) {
        store_block(4u * block, block_words(block_number(block), params.numbers.word));
    }
}
