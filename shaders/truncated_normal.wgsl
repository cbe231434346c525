// The truncated normal by rejection: the twin of src/cpu/truncated_normal.rs.
//
// A rejected candidate is written all the same, and a spare one over it later: that costs
// less than to keep 32 values in registers.

const ATTEMPTS: u32 = 64u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let group = group_of(invocation);
    let first = first_of(group);
    if (first >= params.end) {
        return;
    }
    var rejected = 0u;
    for (var j = 0u; j < BLOCKS; j++) {
        let count = first + j * 4u * GROUPS;
        let drawn = candidates(block_at(count), 0u);
        rejected |= drawn.rejected << (4u * j);
        store_values(count, drawn.values);
    }
    for (var attempt = 1u; attempt <= ATTEMPTS && rejected != 0u; attempt++) {
        let drawn = candidates(add_offset(params.group, group), attempt);
        for (var k = 0u; k < 4u; k++) {
            if (rejected != 0u && ((drawn.rejected >> k) & 1u) == 0u) {
                store(first + place_in_group(rejected), element(drawn.values[k]));
                rejected &= rejected - 1u;
            }
        }
    }
    while (rejected != 0u) {
        store(first + place_in_group(rejected), element(params.numbers.location));
        rejected &= rejected - 1u;
    }
}

// The place of the lowest marked element, counted from the group's first.
fn place_in_group(mask: u32) -> u32 {
    let bit = countTrailingZeros(mask);
    return (bit / 4u) * 4u * GROUPS + bit % 4u;
}
