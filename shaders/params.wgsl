// What one dispatch draws and where it goes. The order is that of `Params` in src/gpu/windows.rs.

struct Params {
    key: vec2<u32>,
    nonce: u32,
    // Zero, but only at run time: no compiler can see through an OR with it.
    zero: u32,
    // The number of the first tile's first block (of four elements), low and high half. No block of a dispatch is beyond the next
    // multiple of 2^32.
    block: vec2<u32>,
    // The same of its first group.
    group: vec2<u32>,
    // Elements are counted from the first one of that tile; those of start..end are written.
    start: u32,
    end: u32,
    // Added to an element's count: its place in `elements`, in elements.
    shift: u32,
    // Of those that have these parameters, invocation i draws group i * stride + phase; see `group_of`.
    stride: u32,
    phase: u32,
    // 2^31: a number's sign alone. What takes a word's sign with it is hidden from compilers as by an OR with zero.
    sign: u32,
    // Of the first one of that tile, its place in its row, and the row, where there are such: see `place_of`.
    position: u32,
    row: u32,
    @align(16) numbers: Numbers,
}

// The order is that of `Numbers` in src/kernel/numbers.rs, which says what each is.
struct Numbers {
    location: f32,
    offset: f32,
    scale: f32,
    coarse: f32,
    fine: f32,
    first: f32,
    last: f32,
    unit: f32,
    limit: f32,
    tiny: f32,
    word: u32,
    low: f32,
    high: f32,
    mass_per_step: f32,
    beyond: f32,
    slope: f32,
    curve: f32,
    peak: f32,
    width: f32,
    asks: u32,
}

// A copy that each invocation makes once, at its start: software adapters load from a uniform buffer lane by lane, wherever it
// is read.
var<private> params: Params;

// 0: f32, 1: f16, 2: bf16.
override dtype: u32;

// Takes the parameters; gives the group that this invocation draws, counted from the first.
fn begin(invocation: vec3<u32>) -> u32 {
    params = given_to(invocation);
    return group_of(invocation);
}
