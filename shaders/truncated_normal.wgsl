// The truncated normal by rejection: the twin of src/kernel/truncated_normal.rs.
//
// A rejected candidate is written all the same, and a spare one over it later: that costs less than to keep 32 values in
// registers. `candidates`, in a file of its own for each proposal, draws four.

const ATTEMPTS: u32 = 64u;

struct Candidates {
    values: vec4<f32>,
    // A bit for each that the window rejects.
    rejected: u32,
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let group = begin(invocation);
    let first = first_of(group);
    if (is_beyond(first)) {
        return;
    }
    var rejected = 0u;
    for (var j = 0u; j < BLOCKS; j++) {
        let count = first + j * 4u * GROUPS;
        let drawn = candidates(block_at(count), 0u);
        rejected |= drawn.rejected << (4u * j);
        store_values(count, drawn.values);
    }
    let spare = vec2(params.group.x + group, params.group.y);
    for (var attempt = 1u; attempt <= ATTEMPTS && rejected != 0u; attempt++) {
        let drawn = candidates(spare, attempt);
        rejected = replace(first, rejected, drawn.values.x, drawn.rejected);
        rejected = replace(first, rejected, drawn.values.y, drawn.rejected >> 1u);
        rejected = replace(first, rejected, drawn.values.z, drawn.rejected >> 2u);
        rejected = replace(first, rejected, drawn.values.w, drawn.rejected >> 3u);
    }
    while (rejected != 0u) {
        rejected = replace(first, rejected, joined(0.0, 0.0), 0u);
    }
    finish_stores(group);
}

// Writes a spare candidate, unless its own mark's lowest bit rejects it, over the first rejected element of a group; gives the
// marks that are left.
fn replace(first: u32, rejected: u32, value: f32, mark: u32) -> u32 {
    if (rejected == 0u || (mark & 1u) != 0u) {
        return rejected;
    }
    let bit = countTrailingZeros(rejected);
    store(first + (bit / 4u) * 4u * GROUPS + bit % 4u, element(value));
    return rejected & (rejected - 1u);
}
