// How elements are shared out: a tile of 1,024 elements has 32 groups of 8 blocks, group l owning blocks l, l + 32, ...,
// l + 224 of the tile. One invocation draws one group, so that invocations side by side write side by side.

const TILE: u32 = 1024u;
const GROUPS: u32 = 32u;
const BLOCKS: u32 = 8u;

// The first element of a group, counted as in `Params`.
fn first_of(group: u32) -> u32 {
    return (group / GROUPS) * TILE + (group % GROUPS) * 4u;
}

// The number of the block whose first element is element `count`.
fn block_at(count: u32) -> vec2<u32> {
    return vec2(params.block.x + count / 4u, params.block.y);
}
