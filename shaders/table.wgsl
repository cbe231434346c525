// What kernels take beside their parameters, where an element depends on its place in a matrix: src/kernel/table.rs has its words.

@group(0) @binding(2) var<storage, read> table: array<u32>;

// Elements of the tensor from one row to the next.
const ROW_LEN: u32 = 0u;
// How many elements a row's column has, of which the one with this number is the matrix's; all are, if it is not below.
const INSIDE: u32 = 1u;
const TAP: u32 = 2u;
// What the other numbers mean is the kernel's to say.
const OWN: u32 = 3u;
const VALUES: u32 = 8u;

struct Place {
    row: u32,
    column: u32,
    is_inside: bool,
}

// The place of element `count`, of which rows are counted from one that the host chose.
fn place_of(count: u32) -> Place {
    let x = params.position + count;
    let row_len = table[ROW_LEN];
    let inside = table[INSIDE];
    let within = x % row_len;
    let tap = table[TAP];
    return Place(params.row + x / row_len, within / inside, tap >= inside || within % inside == tap);
}
