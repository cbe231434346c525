// Whole workgroups of 16-bit elements that begin in the middle of a word, and so do all their blocks: what two blocks have in one
// word meets in the workgroup's memory.

@group(0) @binding(0) var<uniform> given: Params;
@group(0) @binding(1) var<storage, read_write> elements: array<u32>;
// The first and the last element of each block.
var<workgroup> ends: array<u32, 512>;

fn given_to(invocation: vec3<u32>) -> Params {
    return given;
}

// The first and last word of a workgroup are its neighbours', too: every other workgroup is drawn by a dispatch of its own.
fn group_of(invocation: vec3<u32>) -> u32 {
    let workgroup = (invocation.x / 64u) * params.stride + params.phase;
    return workgroup * 64u + invocation.x % 64u;
}

fn is_beyond(count: u32) -> bool {
    return false;
}

// A word with other bits in one of its halves.
fn with_half(word: u32, half: u32, bits: u32) -> u32 {
    return (word & (0xffff0000u >> (half * 16u))) | (bits << (half * 16u));
}

fn store(count: u32, bits: u32) {
    let at = (count >> 2u) % 512u;
    let word = (count + params.shift) >> 1u;
    switch count & 3u {
        case 0u: { ends[at] = with_half(ends[at], 0u, bits); }
        case 1u: { elements[word] = with_half(elements[word], 0u, bits); }
        case 2u: { elements[word] = with_half(elements[word], 1u, bits); }
        default: { ends[at] = with_half(ends[at], 1u, bits); }
    }
}

fn store_block(count: u32, bits: vec4<u32>) {
    ends[(count >> 2u) % 512u] = bits.x | (bits.w << 16u);
    elements[((count + params.shift) >> 1u) + 1u] = bits.y | (bits.z << 16u);
}

// Once all of the workgroup is drawn: the words that begin each block.
fn finish_stores(group: u32) {
    workgroupBarrier();
    let first = first_of(group);
    for (var j = 0u; j < BLOCKS; j++) {
        let count = first + j * 4u * GROUPS;
        let at = (count >> 2u) % 512u;
        let word = (count + params.shift) >> 1u;
        var before = 0u;
        if (at == 0u) {
            before = elements[word] & 0xffffu;
        } else {
            before = ends[at - 1u] >> 16u;
        }
        elements[word] = before | (ends[at] << 16u);
        if (at == 511u) {
            elements[word + 2u] = with_half(elements[word + 2u], 0u, ends[at] >> 16u);
        }
    }
}
